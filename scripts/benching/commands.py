"""`bench`: measure at each number of clients, print, then audit what was sold."""

import asyncio
import os
import sys
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
import typer
from rich.console import Console

from bus.kit.settings import Settings, SettingsError
from scripts.auditing.commands import Verdict, run_audit
from scripts.auditing.place import running_place
from scripts.benching.browsing import BrowseReport, measure_browsing, show_browsing
from scripts.benching.filling import fill
from scripts.benching.goods import prepare
from scripts.benching.measuring import Bench, Measured
from scripts.benching.own_shop import own_shop
from scripts.benching.tables import show
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

CLIENTS = "1,16,64"
SECONDS = 10.0
SECONDS_MAX = 600.0
CLIENTS_MAX = 1_024
AUDIT_SECONDS = 30.0
VIOLATION, UNABLE = 1, 2
WIDTH = 100  # of what is no terminal


class What(StrEnum):
    """What is measured."""

    ORDERS = "orders"
    BROWSE = "browse"


Of = Annotated[What, typer.Argument(help="What is measured.")]
Clients = Annotated[str, typer.Option(help="Numbers of clients, by comma.")]
Seconds = Annotated[float, typer.Option(max=SECONDS_MAX, help="Length of each load.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all figures here.")]
Start = Annotated[bool, typer.Option("--start", help="Start a shop of its own.")]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a bench found."""

    cpus: int
    seconds: float
    measured: list[Measured]
    audit: Verdict


async def bench(settings: Settings, clients: list[int], seconds: float) -> Report:
    """Prepare the goods, measure at each number of clients, audit."""
    place = running_place(settings)
    account = read_credentials(place.settings.data_dir).get("admin")
    if account is None:
        raise Failure("there is no administrator in credentials.json (SOUK_DEMO=0?)")
    login = {key: account[key] for key in ("email", "password")}
    skus = await prepare(place.run.urls["local"], login)
    one = Bench(place, skus, seconds)
    await one.warm_up()
    measured = [await one.measure(count) for count in clients]
    answered = {UUID(order_id): "CONFIRMED" for order_id in one.answered}
    verdict = await run_audit(place, settle_seconds=AUDIT_SECONDS, answered=answered)
    return Report(
        cpus=len(os.sched_getaffinity(0)),
        seconds=seconds,
        measured=measured,
        audit=verdict,
    )


async def browse(
    settings: Settings, clients: list[int], seconds: float
) -> BrowseReport:
    """Fill the catalogue, look at it with each number of clients."""
    place = running_place(settings)
    accounts = read_credentials(place.settings.data_dir)
    if not {"admin", "seller", "customer"} <= accounts.keys():
        raise Failure("there are no demo accounts in credentials.json (SOUK_DEMO=0?)")
    url = place.run.urls["local"]
    stocked = await fill(url, accounts)
    measured = [await measure_browsing(url, count, seconds) for count in clients]
    return BrowseReport(
        cpus=len(os.sched_getaffinity(0)),
        seconds=seconds,
        products=stocked.products,
        filled_in_seconds=stocked.seconds,
        measured=measured,
    )


def command(
    what: Of = What.ORDERS,
    clients: Clients = CLIENTS,
    seconds: Seconds = SECONDS,
    json: Json = None,
    start: Start = False,
) -> None:
    """Place orders over HTTP and say what they cost; 1 when the audit objects.

    Or browse a catalogue of 10 000 products, and say how long each kind of page takes.
    """
    if json is None and (figures := os.environ.get("SOUK_FIGURES")):
        json = Path(figures)
    try:
        with own_shop() if start else nullcontext(Settings.load()) as settings:
            report: Report | BrowseReport
            if what is What.BROWSE:
                report = asyncio.run(browse(settings, counts(clients), seconds))
            else:
                report = asyncio.run(bench(settings, counts(clients), seconds))
    except (Failure, SettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(UNABLE) from None
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(f"{report.cpus} CPUs, {seconds:g} s a load, all on one machine")
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if isinstance(report, BrowseReport):
        show_browsing(console, report)
        failed = any(one.errors for one in report.measured)
        raise typer.Exit(VIOLATION if failed else 0)
    show(console, report.measured)
    for found in report.audit.violations:
        console.print(f"{found.check}: {found.ids}: {found.detail}", markup=False)
    console.print(f"audit: {report.audit.words()}")
    raise typer.Exit(VIOLATION if report.audit.violations else 0)


def counts(text: str) -> list[int]:
    """The numbers of clients that were asked for; raises `Failure`."""
    words = text.split(",")
    if not all(word.isdigit() and 1 <= int(word) <= CLIENTS_MAX for word in words):
        raise Failure(f"--clients takes numbers from 1 to {CLIENTS_MAX}, by comma")
    return [int(word) for word in words]


def main() -> None:
    """Run the command."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    app()
