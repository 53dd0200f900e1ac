"""A marketplace's figures as tables for people."""

from rich.console import Console
from rich.table import Table

from scripts.benching.marketplace.measuring import Checked, Marketed

SHOWN_MAX = 5
"""Anomalies of one criterion that are shown; the report has all."""


def show_marketplace(
    console: Console, loads: list[Marketed], checks: list[Checked]
) -> None:
    """Rates and latencies of each load, then what its criteria came to."""
    console.print(_totals(loads))
    for one in loads:
        console.print(_kinds(one))
    for check in checks:
        console.print(
            f"\n{check.keys} keys: {check.requests} requests, {check.orders} orders "
            f"and {check.events} events held against the criteria; "
            f"{check.whole_dashboards} of {check.dashboards} dashboards were whole"
        )
        for name, found in check.anomalies.items():
            console.print(f"  {name}: {len(found) or 'no'} anomalies")
            for anomaly in found[:SHOWN_MAX]:
                console.print(f"    {anomaly.ids}: {anomaly.detail}", markup=False)


def _totals(loads: list[Marketed]) -> Table:
    table = _table("marketplace: transactions, counted until the last effect")
    for heading in (
        "keys",
        "clients",
        "done",
        "done/s",
        "CPU-ms each",
        "/s and core used",
        "/s and core",
    ):
        table.add_column(heading, justify="right")
    for one in loads:
        table.add_row(
            one.keys,
            str(one.clients),
            str(one.transactions),
            f"{one.per_second:.0f}",
            f"{one.cpu_ms_each:.2f}",
            f"{one.per_core:.0f}",
            f"{one.per_machine_core:.0f}",
        )
    return table


def _kinds(one: Marketed) -> Table:
    table = _table(f"{one.keys} keys, {one.clients} clients, by transaction")
    table.add_column("transaction")
    for heading in ("done", "answered/s", "p50 ms", "p95 ms", "p99 ms"):
        table.add_column(heading, justify="right")
    for name, kind in one.kinds.items():
        table.add_row(
            name,
            str(kind.count),
            f"{kind.per_second:.1f}",
            *(f"{each:.1f}" for each in (kind.p50_ms, kind.p95_ms, kind.p99_ms)),
        )
    return table


def _table(title: str) -> Table:
    """A table without lines, which also fits a narrow terminal."""
    return Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
