"""The bench's figures as tables for people."""

from rich.console import Console
from rich.table import Table

from scripts.benching.measuring import Measured

SHOWN_MS_MIN = 0.005


def show(console: Console, measured: list[Measured]) -> None:
    """All tables, one column or line a number of clients."""
    console.print(_rates(measured))
    console.print(_costs(measured))
    if any(one.batch_sizes for one in measured):
        sizes = [one.batch_sizes for one in measured]
        calls = [one.calls_per_order for one in measured]
        title = "messages from other actors in a transaction"
        console.print(_by_shard(title, measured, sizes, 1))
        console.print(_by_shard("Ray calls an order", measured, calls, 2))
    for one in measured:
        if one.errors:
            said = ", ".join(f"{n} of {name}" for name, n in sorted(one.errors.items()))
            console.print(f"{one.clients} clients: {said}")
        if not one.applied:
            console.print(f"{one.clients} clients: not all was applied in time")


def _rates(measured: list[Measured]) -> Table:
    table = _table("orders over HTTP; orders/s counts until their last effect")
    for heading in (
        "clients",
        "orders",
        "orders/s",
        "answered/s",
        "p50 ms",
        "p99 ms",
        "errors",
        "noop/s",
        "ratio",
        "behind s",
    ):
        table.add_column(heading, justify="right")
    for one in measured:
        table.add_row(
            str(one.clients),
            str(one.orders),
            f"{one.orders_per_second:.0f}",
            f"{one.answered_per_second:.0f}",
            f"{one.p50_ms:.1f}",
            f"{one.p99_ms:.1f}",
            str(sum(one.errors.values())),
            f"{one.noop_per_second:.0f}",
            f"{one.ratio:.3f}",
            f"{one.applied_after_seconds:.2f}",
        )
    return table


def _costs(measured: list[Measured]) -> Table:
    table = _table("CPU-ms an order, by process")
    table.add_column("process")
    for one in measured:
        table.add_column(f"{one.clients} clients", justify="right")
    names = {name for one in measured for name in one.cpu_ms_per_order}
    last = measured[-1].cpu_ms_per_order
    for name in sorted(names, key=lambda name: -last.get(name, 0.0)):
        costs = [one.cpu_ms_per_order.get(name, 0.0) for one in measured]
        if max(costs) >= SHOWN_MS_MIN:
            table.add_row(name, *(f"{cost:.2f}" for cost in costs))
    table.add_section()
    sums = [sum(one.cpu_ms_per_order.values()) for one in measured]
    table.add_row("the shop", *(f"{total:.2f}" for total in sums))
    clients = [one.client_cpu_ms_per_order for one in measured]
    table.add_row("load client, apart", *(f"{cost:.2f}" for cost in clients))
    return table


def _by_shard(
    title: str, measured: list[Measured], figures: list[dict[str, float]], digits: int
) -> Table:
    table = _table(title)
    table.add_column("shard")
    for one in measured:
        table.add_column(f"{one.clients} clients", justify="right")
    for name in sorted({name for each in figures for name in each}):
        row = [each.get(name) for each in figures]
        table.add_row(
            name, *("" if one is None else f"{one:.{digits}f}" for one in row)
        )
    return table


def _table(title: str) -> Table:
    """A table without lines, which also fits a narrow terminal."""
    return Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
