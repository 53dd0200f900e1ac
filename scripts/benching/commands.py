"""`bench`: measure at each number of clients, print, then say whether it counts."""

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypedDict

import msgspec
import typer
from rich.console import Console

from bus.kit.settings import Settings, SettingsError
from scripts.benching.beside import BESIDE
from scripts.benching.browsing import Browsed, show_browsing
from scripts.benching.comparing import compare, differences, read_report
from scripts.benching.costs import DURABLE, not_durable
from scripts.benching.crowding.measuring import (
    CONNECTIONS,
    CONNECTIONS_MAX,
    STREAMS,
    STREAMS_MAX,
)
from scripts.benching.growing.growth import SIZES, sizes_of
from scripts.benching.keeping import write_kept
from scripts.benching.long_runs import grown, soaked
from scripts.benching.marketplace.data import Keys, Size
from scripts.benching.marketplace.filling import PRODUCTS_EACH_MAX
from scripts.benching.marketplace.tables import show_marketplace
from scripts.benching.measuring import Measured
from scripts.benching.own_shop import own_shop
from scripts.benching.plotting import plot
from scripts.benching.report import Long, Report, Wish
from scripts.benching.running import CALLERS, run
from scripts.benching.soaking.soak import MINUTES_MAX
from scripts.benching.tables import show, show_part, show_sales, show_yardsticks
from scripts.launcher.failures import Failure

CLIENTS = "1,16,64"
OPEN_CLIENTS = "256"
SECONDS = 10.0
SECONDS_MAX = 600.0
CLIENTS_MAX = 1_024
RATE_MAX = 100_000.0
BUYERS_MAX = 100_000
BACKLOG = 100_000
BACKLOG_MAX = 1_000_000
TIMES_MAX = 100
PRODUCTS_MAX = 100_000
PROCESSES_MAX = 8
SELLERS_MAX = 2_000
CUSTOMERS_MAX = 100_000
SIZE = Size()
CHEAP_PASSWORDS = {"SOUK_BCRYPT_ROUNDS": "4"}
"""Of a shop that signs up hundreds of sellers, and measures no signing in."""
SIGNING_UP = ("marketplace", "connections")
VIOLATION, UNABLE = 1, 2
WIDTH = 110  # of what is no terminal


class What(StrEnum):
    """What is measured."""

    ORDERS = "orders"
    HOT = "hot"
    BROWSE = "browse"
    CART = "cart"
    CHECKOUT = "checkout"
    FLASH = "flash"
    MARKETPLACE = "marketplace"
    MIXED = "mixed"
    REPLAY = "replay"
    HOLDS = "holds"
    ASKS = "asks"
    PROCESS = "process"
    EVENTS = "events"
    OVERLOAD = "overload"
    CONNECTIONS = "connections"
    GROWTH = "growth"
    SOAK = "soak"


PRODUCTS_BROWSED = 10_000
PRODUCTS = {What.GROWTH: 100_000}


class Which(StrEnum):
    """Which keys a marketplace is measured with; both in one run."""

    BOTH = "both"
    UNIFORM = "uniform"
    ZIPF = "zipf"

    def all(self) -> tuple[Keys, ...]:
        """Each of them."""
        return tuple(Keys) if self is Which.BOTH else (Keys(self.value),)


Of = Annotated[What, typer.Argument(help="What is measured.")]
Clients = Annotated[str, typer.Option(help=f"Numbers of clients; {CLIENTS}.")]
Seconds = Annotated[
    float, typer.Option(min=0.1, max=SECONDS_MAX, help="Length of each load.")
]
Rate = Annotated[
    float,
    typer.Option(min=0, max=RATE_MAX, help="Operations a second; 0: a closed loop."),
]
Processes = Annotated[
    int,
    typer.Option(
        min=0,
        max=PROCESSES_MAX,
        help="Load clients' processes; 0: one, for a marketplace two.",
    ),
]
Products = Annotated[
    int | None, typer.Option(min=200, max=PRODUCTS_MAX, help="Products of the shop.")
]
Sellers = Annotated[int, typer.Option(min=1, max=SELLERS_MAX, help="Of a marketplace.")]
ProductsEach = Annotated[
    int,
    typer.Option(min=1, max=PRODUCTS_EACH_MAX, help="Products of each of its sellers."),
]
Customers = Annotated[
    int, typer.Option(min=1, max=CUSTOMERS_MAX, help="Of a marketplace.")
]
Distribution = Annotated[
    Which, typer.Option(help="How often a marketplace's products are wanted.")
]
Buyers = Annotated[int, typer.Option(min=1, max=BUYERS_MAX, help="Of a flash sale.")]
Pieces = Annotated[int, typer.Option(min=1, max=BUYERS_MAX, help="Of a flash sale.")]
Times = Annotated[int, typer.Option(min=1, max=TIMES_MAX, help="Flash sales.")]
Waiting = Annotated[
    int,
    typer.Option("--backlog", min=1, max=BACKLOG_MAX, help="Events that wait."),
]
Open = Annotated[
    int, typer.Option("--connections", min=1, max=CONNECTIONS_MAX, help="Of a crowd.")
]
Streams = Annotated[
    int, typer.Option(min=1, max=STREAMS_MAX, help="Of its connections.")
]
Kill = Annotated[str, typer.Option(help="A shard to kill half-way: inventory/0.")]
Beside = Annotated[
    bool,
    typer.Option("--yardsticks", help="Other servers, Postgres alone."),
]
Sizes = Annotated[str, typer.Option(help="Orders of the past, of growth.")]
Minutes = Annotated[
    float, typer.Option(min=0.2, max=MINUTES_MAX, help="Length of a soak.")
]
Folder = Annotated[Path | None, typer.Option(help="Keep growth's shop here.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write all figures here.")]
Old = Annotated[Path | None, typer.Option("--compare", help="An earlier --json.")]
Plot = Annotated[Path | None, typer.Option("--plot", help="Draw into this PNG.")]
FromRay = Annotated[
    bool, typer.Option("--from-ray", help="Load from Ray tasks on the shop's nodes.")
]
Url = Annotated[str, typer.Option(help="Where the load asks, from another node.")]
Start = Annotated[bool, typer.Option("--start", help="Start a shop of its own.")]


def _judged(work: Callable[..., list[str]]) -> Callable[..., None]:
    """End with 1 where there are faults, with 2 and a line where it cannot be."""

    @wraps(work)
    def judged(*values: Any, **named: Any) -> None:
        try:
            faults = work(*values, **named)
        except (Failure, SettingsError) as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(UNABLE) from None
        raise typer.Exit(VIOLATION if faults else 0)

    return judged


@_judged
def command(
    what: Of = What.ORDERS,
    *,
    clients: Clients = "",
    seconds: Seconds = SECONDS,
    rate: Rate = 0.0,
    processes: Processes = 0,
    products: Products = None,
    buyers: Buyers = 2_000,
    pieces: Pieces = 100,
    times: Times = 1,
    kill: Kill = "",
    connections: Open = CONNECTIONS,
    streams: Streams = STREAMS,
    backlog: Waiting = BACKLOG,
    sizes: Sizes = SIZES,
    minutes: Minutes = 30.0,
    folder: Folder = None,
    keys: Distribution = Which.BOTH,
    sellers: Sellers = SIZE.sellers,
    products_each: ProductsEach = SIZE.products_each,
    customers: Customers = SIZE.customers,
    yardsticks: Beside = False,
    json: Json = None,
    old: Old = None,
    draw: Plot = None,
    from_ray: FromRay = False,
    url: Url = "",
    start: Start = False,
) -> list[str]:
    """Load a shop and say what it does and what that costs; 1: it does not count."""
    wish = Wish(
        scene=what.value,
        clients=counts(clients or usual_clients(what, rate)),
        seconds=seconds,
        rate=rate,
        processes=processes,
        products=products or PRODUCTS.get(what, PRODUCTS_BROWSED),
        **_Sale(buyers=buyers, pieces=pieces, times=times, kill=kill),
        **_Crowd(connections=connections, streams=streams),
        backlog=backlog,
        yardsticks=yardsticks,
        from_ray=from_ray,
        url=url,
        watch=draw is not None,
        long=Long(sizes=sizes_of(sizes), minutes=minutes, folder=folder),
        keys=keys.all(),
        size=Size(sellers=sellers, products_each=products_each, customers=customers),
    )
    return _run(wish, Files(json=json, old=old, draw=draw), start=start)


class _Sale(TypedDict):
    """Of a wish, what a flash sale takes."""

    buyers: int
    pieces: int
    times: int
    kill: str


class _Crowd(TypedDict):
    """Of a wish, what a crowd takes."""

    connections: int
    streams: int


def counts(text: str) -> tuple[int, ...]:
    """The numbers of clients that were asked for; raises `Failure`."""
    words = text.split(",")
    if not all(word.isdigit() and 1 <= int(word) <= CLIENTS_MAX for word in words):
        raise Failure(f"--clients takes numbers from 1 to {CLIENTS_MAX}, by comma")
    return tuple(int(word) for word in words)


def usual_clients(what: What, rate: float) -> str:
    """How many there are where nobody says."""
    return CALLERS.get(what.value) or (OPEN_CLIENTS if rate else CLIENTS)


def main() -> None:
    """Run the command."""
    words = sys.argv[1:]
    other = BESIDE.get(words[0]) if words else None
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog=f"Other commands: {', '.join(BESIDE)}.")(other or command)
    app(words[1:] if other else words)


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """What is read and written beside."""

    json: Path | None
    old: Path | None
    draw: Path | None


def _run(wish: Wish, files: Files, *, start: bool) -> list[str]:
    """Measure, write and print; why the figures do not count."""
    if wish.rate and wish.scene in CALLERS:
        raise Failure(f"{wish.scene} is a closed loop: it takes no --rate")
    earlier = read_report(files.old) if files.old else None
    if wish.scene == What.GROWTH:
        report = grown(wish)
    else:
        besides = CHEAP_PASSWORDS if wish.scene in SIGNING_UP else {}
        with own_shop(besides) if start else nullcontext(Settings.load()) as settings:
            work = soaked if wish.scene == What.SOAK else run
            report = asyncio.run(work(settings, wish))
    figures = os.environ.get("SOUK_FIGURES")
    if path := files.json or (Path(figures) if figures else None):
        write_kept(path, report)
    console = _show(report)
    if files.draw is not None:
        plot(report, files.draw)
    if earlier is not None:
        console.print(differences(compare(earlier, msgspec.to_builtins(report))))
    return report.faults()


def _show(report: Report) -> Console:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    cpus, seconds = report.cpus, report.seconds
    console.print(f"{cpus} CPUs, {seconds:g} s a load, all on one machine")
    _show_tables(console, report)
    if not not_durable(report.durability):
        names = ", ".join(report.durability)
        console.print(f"\n{', '.join(DURABLE)} are on: {names}")
    for fault in report.faults():
        console.print(fault, markup=False)
    for aim in report.aims:
        console.print(aim.words(), markup=False)
    console.print(f"audit: {report.audit.words()}")
    return console


def _show_tables(console: Console, report: Report) -> None:
    if measured := [one for one in report.measured if isinstance(one, Measured)]:
        show(console, measured)
    if report.imported is not None:
        console.print(report.imported.words())
    if browsed := [one for one in report.measured if isinstance(one, Browsed)]:
        show_browsing(console, browsed)
    if report.marketed:
        show_marketplace(console, report.marketed, report.checked)
    if report.sales:
        show_sales(console, report.sales, report.rates)
    for part in report.parts:
        show_part(console, part)
    if report.yardsticks is not None:
        show_yardsticks(console, report.yardsticks)
