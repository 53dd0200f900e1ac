"""Growth and soak as reports, and as tables for people."""

import os

from rich.console import Console
from rich.table import Table

from bus.kit.settings import Settings
from scripts.benching.growing.growth import (
    Growth,
    GrowthWish,
    Size,
    grow,
)
from scripts.benching.report import Report, Wish
from scripts.benching.soaking.slopes import MEGABYTE
from scripts.benching.soaking.soak import Soak, soak

SHOWN_BYTES_MIN = 20.0
SHOWN_ROWS_MIN = 20.0


def grown(wish: Wish) -> Report:
    """Grow a shop of its own and say what that costs."""
    found = grow(
        GrowthWish(
            sizes=wish.long.sizes,
            products=wish.products,
            clients=max(wish.clients),
            seconds=wish.seconds,
            folder=wish.long.folder,
        )
    )
    return Report(
        cpus=len(os.sched_getaffinity(0)),
        seconds=wish.seconds,
        durability=found.durability,
        measured=[size.measured for size in found.sizes],
        audit=found.audit,
        aims=found.aims(),
        growth=found,
    )


async def soaked(settings: Settings, wish: Wish) -> Report:
    """Soak the shop that runs, and say what its processes hold."""
    found = await soak(settings, wish.long.minutes, wish.rate)
    return Report(
        cpus=len(os.sched_getaffinity(0)),
        seconds=wish.long.minutes * 60,
        durability=found.durability,
        measured=[],
        audit=found.audit,
        aims=found.aims(),
        soak=found,
    )


def show_growth(console: Console, growth: Growth) -> None:
    """A column a size: what an order, a page and a start cost."""
    sizes = growth.sizes
    table = _table(f"growth, {growth.products} products", sizes)
    for what, figures in _figures(sizes).items():
        table.add_row(what, *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    rows = _table("rows read an order, by table", sizes)
    names = {name for size in sizes for name in size.rows_each}
    for name in sorted(names):
        some = [size.rows_each.get(name, 0.0) for size in sizes]
        if max(some) >= SHOWN_ROWS_MIN:
            rows.add_row(name, *(f"{each:.0f}" for each in some))
    console.print(rows)
    added = _table("bytes of the disk an order of the past has added", sizes)
    for name, each in sizes[-1].bytes_each.items():
        if each >= SHOWN_BYTES_MIN:
            some = [size.bytes_each.get(name, 0.0) for size in sizes]
            added.add_row(name, *(f"{one:.0f}" for one in some))
    sums = [sum(size.bytes_each.values()) for size in sizes]
    added.add_row("all", *(f"{total:.0f}" for total in sums))
    console.print(added)
    console.print(f"an empty shop starts in {growth.empty_start_seconds:.1f} s")
    console.print(f"indexes that nothing used: {', '.join(sizes[-1].unused) or 'none'}")


def show_soak(console: Console, found: Soak) -> None:
    """A line for each kind of process."""
    console.print(
        f"\nsoak: {found.rate_per_second:.1f}/s for {found.minutes:g} minutes, "
        f"{found.operations} operations, p50 {found.p50_ms:.1f} ms, "
        f"p99 {found.p99_ms:.1f} ms; errors: {found.errors or 'none'}"
    )
    table = Table(box=None, pad_edge=False)
    for heading in ("process", "MB", "MB/h", "files", "connections", "entities"):
        table.add_column(heading, justify="right")
    for name, one in found.trends.items():
        table.add_row(
            name,
            f"{one.held.unique / MEGABYTE:.0f}",
            f"{one.slope_mb_per_hour:+.1f}",
            str(one.held.files),
            str(one.held.connections),
            str(found.entities.get(name, "")),
        )
    console.print(table)


def _figures(sizes: list[Size]) -> dict[str, list[float]]:
    found = {
        "start, s": [size.start_seconds for size in sizes],
        "orders/s": [size.measured.per_second for size in sizes],
        "CPU-ms an order": [sum(size.measured.cpu_ms_each.values()) for size in sizes],
        "p50 of an order, ms": [size.measured.p50_ms for size in sizes],
        "WAL bytes an order": [size.measured.wal_bytes_each for size in sizes],
        "whole pages in it": [size.full_pages_each for size in sizes],
    }
    for kind in sizes[0].reads:
        found[f"{kind}, p50 ms"] = [size.reads[kind].p50_ms for size in sizes]
    return found


def _table(title: str, sizes: list[Size]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
    table.add_column("")
    for size in sizes:
        table.add_column(f"{size.loaded.orders} orders", justify="right")
    return table
