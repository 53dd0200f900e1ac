"""The bench's figures as tables for people."""

from rich.console import Console
from rich.table import Table

from scripts.benching.crowding.figures import Connections
from scripts.benching.desk import BY_DOMAIN, BY_EDGE
from scripts.benching.events import Events
from scripts.benching.flash import Rates, Sale, faults
from scripts.benching.growing.growth import Growth
from scripts.benching.holding import Holds
from scripts.benching.long_runs import show_growth, show_soak
from scripts.benching.measuring import SHARES, Measured
from scripts.benching.ordering import Process
from scripts.benching.overload import Overload
from scripts.benching.pairing import Asks
from scripts.benching.report import Part
from scripts.benching.soaking.soak import Soak
from scripts.benching.yardsticks import Yardsticks

SHOWN_MIN = 0.005


def show(console: Console, measured: list[Measured]) -> None:
    """All tables, one column or line a number of clients."""
    console.print(_rates(measured))
    console.print(_steps(measured))
    console.print(_costs(measured))
    console.print(_rows(measured))
    if any(one.batch_sizes for one in measured):
        sizes = [one.batch_sizes for one in measured]
        calls = [one.calls_each for one in measured]
        title = "messages from other actors in a transaction"
        console.print(_by_name(title, "shard", measured, sizes, 1))
        title = "Ray calls an operation"
        console.print(_by_name(title, "shard", measured, calls, 2))
    for one in measured:
        if one.errors:
            said = ", ".join(f"{n} of {name}" for name, n in sorted(one.errors.items()))
            console.print(f"{one.clients} clients: {said}")


def show_sales(console: Console, sales: list[Sale], rates: Rates | None) -> None:
    """A line and a verdict for each sale, then how fast refusals are."""
    for sale in sales:
        again = "never" if sale.again_seconds is None else f"{sale.again_seconds:.3f} s"
        killed = f"; {sale.killed} was killed half-way" if sale.killed else ""
        console.print(
            f"flash: {sale.buyers} buyers, {sale.pieces} pieces: {sale.ledger.sold} "
            f"sold, all answered in {sale.seconds:.2f} s{killed}; refused "
            f"{sale.refused_by_edge} by the edge, {sale.refused_by_domain} by the "
            f"domain; a piece given back was sold again after {again}"
        )
        for fault in faults(sale) or ["exact"]:
            console.print(f"  {fault}")
    if rates is not None:
        console.print(
            f"{rates.clients} clients, a second: {rates.edge_refusals:.0f} {BY_EDGE}, "
            f"{rates.hot_reads:.0f} reads of one product; "
            f"{rates.domain_refusals:.0f} {BY_DOMAIN}, {rates.orders:.0f} orders"
        )


def show_part(console: Console, part: Part) -> None:
    """What a scene of a kind of its own found."""
    if isinstance(part, Overload | Connections):
        console.print(part.words())
    elif isinstance(part, Events):
        show_events(console, part)
    elif isinstance(part, Growth):
        show_growth(console, part)
    elif isinstance(part, Soak):
        show_soak(console, part)
    else:
        show_inner(console, part)


def show_events(console: Console, found: Events) -> None:
    """At a rate, relayed alone, and from a backlog."""
    console.print(
        f"events: {found.told} told at {found.told_per_second:.0f}/s; from commit to "
        f"applied p50 {found.lag_p50_ms:.1f} ms, p99 {found.lag_p99_ms:.1f} ms, "
        f"at most {found.lag_max_ms:.1f} ms"
    )
    raw = found.raw
    console.print(
        f"relay: {found.relayed} events at {found.relayed_per_second:.0f}/s; raw "
        f"publishing {raw.pipelined_per_second:.0f}/s pipelined, "
        f"{raw.batched_per_second:.0f}/s in batches"
    )
    waited = found.backlog
    console.print(
        f"backlog: {waited.told} events published {waited.published_seconds:.1f} s "
        f"after the bridge was back, applied {waited.applied_seconds:.1f} s after"
    )
    table = _table("CPU-ms an event of the backlog, by process")
    table.add_column("process")
    table.add_column("", justify="right")
    for name, cost in sorted(waited.cpu_ms_each.items(), key=lambda each: -each[1]):
        if cost >= SHOWN_MIN:
            table.add_row(name, f"{cost:.3f}")
    console.print(table)


def show_yardsticks(console: Console, found: Yardsticks) -> None:
    """One line each."""
    console.print(f"\nyardsticks, {found.clients} clients:")
    for name, rate, p50 in (
        ("bare uvicorn", found.uvicorn_per_second, found.uvicorn_p50_ms),
        ("stock Serve", found.serve_per_second, found.serve_p50_ms),
        ("Serve, flags as here", found.flags_per_second, found.flags_p50_ms),
    ):
        console.print(f"  {name}, nothing done: {rate:.0f}/s, p50 {p50:.1f} ms")
    alone = found.postgres
    console.print(
        f"  Postgres alone, holds on one SKU: {alone.single_row_per_second:.0f}/s on "
        f"{alone.connections} connections, one a transaction; "
        f"{alone.batch_per_second:.0f}/s on one, {alone.batch} a transaction"
    )


def show_inner(console: Console, one: Holds | Asks | Process) -> None:
    """A line for each thing that was done."""
    table = _table(one.title())
    table.add_column("")
    for heading in ("a second", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for row in one.rows():
        times = ("" if ms is None else f"{ms:.2f}" for ms in (row.p50_ms, row.p99_ms))
        table.add_row(row.what, f"{row.per_second:.0f}", *times)
    console.print(table)
    if isinstance(one, Holds):
        costs = [(k, ms) for k, ms in one.cpu_ms_each.items() if ms >= SHOWN_MIN]
        said = ", ".join(f"{name} {ms:.3f}" for name, ms in costs)
        console.print(f"CPU-ms a hold on one SKU: {said}")
    if isinstance(one, Holds) and one.batch_sizes:
        sizes = ", ".join(f"{name}: {n:.0f}" for name, n in one.batch_sizes.items())
        console.print(f"messages in a transaction: {sizes}")


def _rates(measured: list[Measured]) -> Table:
    table = _table(f"{measured[0].scene}; done/s counts until the last effect")
    for heading in (
        "clients",
        "asked/s",
        "done",
        "orders",
        "done/s",
        "answered/s",
        *(f"{name} ms" for name in SHARES),
        "not done",
        "noop/s",
        "ratio",
        "behind s",
    ):
        table.add_column(heading, justify="right")
    for one in measured:
        table.add_row(
            str(one.clients),
            f"{one.asked_per_second:g}" if one.asked_per_second else "-",
            str(one.operations),
            str(one.orders),
            f"{one.per_second:.0f}",
            f"{one.answered_per_second:.0f}",
            *(f"{each:.1f}" for each in (one.p50_ms, one.p95_ms, one.p99_ms)),
            str(sum(one.errors.values())),
            f"{one.noop_per_second:.0f}",
            f"{one.ratio:.3f}",
            f"{one.applied_after_seconds:.2f}",
        )
    return table


def _steps(measured: list[Measured]) -> Table:
    return _by_name("single requests", "", measured, [one.steps for one in measured], 1)


def _costs(measured: list[Measured]) -> Table:
    table = _table("CPU-ms an operation, by process")
    table.add_column("process")
    for one in measured:
        table.add_column(f"{one.clients} clients", justify="right")
    names = {name for one in measured for name in one.cpu_ms_each}
    last = measured[-1].cpu_ms_each
    for name in sorted(names, key=lambda name: -last.get(name, 0.0)):
        costs = [one.cpu_ms_each.get(name, 0.0) for one in measured]
        if max(costs) >= SHOWN_MIN:
            table.add_row(name, *(f"{cost:.2f}" for cost in costs))
    table.add_section()
    sums = [sum(one.cpu_ms_each.values()) for one in measured]
    table.add_row("the shop", *(f"{total:.2f}" for total in sums))
    clients = [one.client_cpu_ms_each for one in measured]
    table.add_row("load client, apart", *(f"{cost:.2f}" for cost in clients))
    return table


def _rows(measured: list[Measured]) -> Table:
    """What Postgres and the stream did."""
    figures = [
        {f"transactions: {name}": n for name, n in one.transactions_each.items()}
        | {
            "transactions": sum(one.transactions_each.values()),
            "WAL bytes": one.wal_bytes_each,
            "fsyncs": one.fsyncs_each,
            "event lag p50 ms": one.event_lag_p50_ms,
            "event lag p99 ms": one.event_lag_p99_ms,
        }
        for one in measured
    ]
    return _by_name("Postgres, an operation; events", "", measured, figures, 2)


def _by_name(
    title: str,
    what: str,
    measured: list[Measured],
    figures: list[dict[str, float]],
    digits: int,
) -> Table:
    table = _table(title)
    table.add_column(what)
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
