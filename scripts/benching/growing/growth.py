"""`bench growth`: what an order, a page and a start cost as a shop's past gets long."""

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec

from actors import DOMAINS
from actors.auditing.books import Violation
from scripts.auditing.commands import Verdict, run_audit
from scripts.auditing.place import Place, running_place
from scripts.benching.aims import Aim, Side
from scripts.benching.costs import read_durability
from scripts.benching.goods import prepare, signed_in
from scripts.benching.growing.checking import (
    AUDIT_ORDERS_MAX,
    past_faults,
    scope_of,
)
from scripts.benching.growing.loading import PAST_DAYS, Loaded, load_past
from scripts.benching.growing.reading import Read, pages_of, read_pages, tokens_of
from scripts.benching.growing.tables import (
    bytes_each,
    read_full_pages,
    read_rows,
    read_sizes,
    rows_each,
    unused_indexes,
)
from scripts.benching.measuring import Bench, Measured
from scripts.benching.own_shop import OwnShop
from scripts.launcher.environment import BANK
from scripts.launcher.failures import Failure
from scripts.launcher.keys import SECRETS, read_credentials

SIZES = "1000,10000,100000,1000000"
SIZE_MIN, SIZE_MAX = 100, 2_000_000
GROWTH_AIM, START_AIM = 1.2, 1.5
AUDIT_SECONDS = 30.0
REPEATS = 2
"""Loads of each size; the one that cost least counts: what is beside only adds."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """A shop with so many orders of the past.

    `start_seconds` are from the command until it takes orders; `rows_each` are the
    rows read of each table an order, `full_pages_each` the whole pages that were
    written to the WAL for one, `bytes_each` what a loaded order has added.
    """

    loaded: Loaded
    start_seconds: float
    measured: Measured
    reads: dict[str, Read]
    rows_each: dict[str, float]
    full_pages_each: float
    bytes_each: dict[str, float]
    unused: list[str]
    violations: list[Violation]


class _Seen(NamedTuple):
    """What was measured of a running shop."""

    measured: Measured
    reads: dict[str, Read]
    rows_each: dict[str, float]
    full_pages_each: float
    unused: list[str]


class Growth(msgspec.Struct, frozen=True, kw_only=True):
    """A run over all sizes, the smallest first."""

    products: int
    empty_start_seconds: float
    sizes: list[Size]
    audit: Verdict
    durability: dict[str, dict[str, str]]

    def faults(self) -> list[str]:
        """Why its figures do not count."""
        found = [f"{one.check}: {one.ids}" for s in self.sizes for one in s.violations]
        return found + [
            f"{size.loaded.orders} orders: {one.errors} errors of {kind}"
            for size in self.sizes
            for kind, one in size.reads.items()
            if one.errors or not one.count
        ]

    def aims(self) -> list[Aim]:
        """What it is held against."""
        return aims_of(self)


class GrowthWish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured; `folder` keeps the shop for another run."""

    sizes: tuple[int, ...]
    products: int
    clients: int
    seconds: float
    folder: Path | None = None


def sizes_of(text: str) -> tuple[int, ...]:
    """The numbers of orders that were asked for; raises `Failure`."""
    words = text.split(",")
    if not all(word.isdigit() and SIZE_MIN <= int(word) <= SIZE_MAX for word in words):
        raise Failure(f"--sizes takes numbers from {SIZE_MIN} to {SIZE_MAX}, by comma")
    return tuple(sorted({int(word) for word in words}))


def grow(wish: GrowthWish) -> Growth:
    """Load, start and measure at each size; the shop is ended whatever happens."""
    with _folder(wish.folder) as folder:
        shop = OwnShop(folder)
        shop.environ["SOUK_RATE_LIMITS"] = "off"
        try:
            empty = _empty_start(shop, folder)
            return _sizes(shop, wish, empty)
        finally:
            shop.down(purge=wish.folder is None)


def aims_of(growth: Growth) -> list[Aim]:
    """How the largest shop stands to the smallest, and its start to an empty one's."""
    first, last = growth.sizes[0], growth.sizes[-1]
    return [
        *_aims_of_an_order(first, last),
        _aim_of_pages(first, last),
        Aim(
            key="growth-start",
            what=f"start with {last.loaded.orders} orders, by an empty shop's",
            figure=last.start_seconds / growth.empty_start_seconds,
            aim=START_AIM,
            side=Side.AT_MOST,
        ),
    ]


def _aims_of_an_order(first: Size, last: Size) -> list[Aim]:
    before, after, span = first.measured, last.measured, _span(first, last)
    return [
        Aim(
            key="growth-order-cpu",
            what=f"CPU of an order, {span}",
            figure=_by(_cpu(last), _cpu(first)),
            aim=GROWTH_AIM,
            side=Side.AT_MOST,
        ),
        Aim(
            key="growth-order-wal",
            what=f"WAL of an order, {span}",
            figure=_by(after.wal_bytes_each, before.wal_bytes_each),
            aim=GROWTH_AIM,
            side=Side.AT_MOST,
        ),
        Aim(
            key="growth-order-p50",
            what=f"p50 of an order, {span}",
            figure=_by(after.p50_ms, before.p50_ms),
            aim=GROWTH_AIM,
            side=Side.AT_MOST,
        ),
        Aim(
            key="growth-order-rate",
            # A rate is better when it is higher: so it is the other way round.
            what=f"orders by requests that do nothing, as it was by as it is, {span}",
            figure=_by(before.ratio, after.ratio),
            aim=GROWTH_AIM,
            side=Side.AT_MOST,
        ),
    ]


def _aim_of_pages(first: Size, last: Size) -> Aim:
    """The page that grew the most."""
    grown = {
        kind: _by(last.reads[kind].p50_ms, one.p50_ms)
        for kind, one in first.reads.items()
    }
    worst = max(grown, key=lambda kind: grown[kind])
    return Aim(
        key="growth-pages",
        what=f"p50 of {worst}, which grew the most, {_span(first, last)}",
        figure=grown[worst],
        aim=GROWTH_AIM,
        side=Side.AT_MOST,
    )


def _by(after: float, before: float) -> float:
    return after / before if before else 0.0


def _span(first: Size, last: Size) -> str:
    return f"from {first.loaded.orders} to {last.loaded.orders} orders"


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="souk-growth-") as folder:
        yield Path(folder, "data")


def _empty_start(shop: OwnShop, folder: Path) -> float:
    """How long a shop without a past takes; a kept one remembers how long it took."""
    note = folder / "empty_start_seconds"
    if note.exists():
        return float(note.read_text())
    shop.up()  # the first start makes the shop, and says nothing of later ones
    shop.down()
    seconds = shop.up()
    shop.down()
    note.write_text(str(seconds))
    return seconds


def _sizes(shop: OwnShop, wish: GrowthWish, empty: float) -> Growth:
    sizes: list[Size] = []
    answered: list[str] = []
    for orders in wish.sizes:
        loaded, bytes_added = _load(shop, wish, orders)
        seconds = shop.up()
        place = running_place(shop.settings)
        seen = asyncio.run(_measure(place, wish, answered))
        since = datetime.now(UTC) - timedelta(days=PAST_DAYS)
        verdict, past = asyncio.run(_check(place, answered, since, orders))
        sizes.append(
            Size(
                loaded=loaded,
                start_seconds=seconds,
                bytes_each=bytes_added,
                violations=[*past, *verdict.violations],
                **seen._asdict(),
            )
        )
        durability = asyncio.run(read_durability(place.urls))
        shop.down()
    return Growth(
        products=wish.products,
        empty_start_seconds=empty,
        sizes=sizes,
        audit=verdict,
        durability=durability,
    )


def _load(
    shop: OwnShop, wish: GrowthWish, orders: int
) -> tuple[Loaded, dict[str, float]]:
    words = json.loads((shop.settings.data_dir / SECRETS).read_text())["databases"]
    with shop.databases() as server:
        urls = {name: server.url(name, words[name]) for name in (*DOMAINS, BANK)}

        async def load() -> tuple[Loaded, dict[str, float]]:
            before = await read_sizes(urls)
            loaded = await load_past(
                urls,
                orders=orders,
                span_orders=max(wish.sizes),
                products=wish.products,
            )
            after = await read_sizes(urls)
            return loaded, bytes_each(before, after, max(loaded.orders_new, 1))

        return asyncio.run(load())


async def _measure(place: Place, wish: GrowthWish, answered: list[str]) -> _Seen:
    accounts = read_credentials(place.settings.data_dir)
    login = {key: accounts["admin"][key] for key in ("email", "password")}
    url = place.run.urls["local"]
    async with signed_in(url, login) as seller:
        bench = Bench(place, await prepare(seller), wish.seconds)
    await bench.warm_up("orders")
    before, pages_before = (
        await read_rows(place.urls),
        await read_full_pages(place.urls),
    )
    loads = [await bench.measure("orders", wish.clients) for _ in range(REPEATS)]
    after, pages_after = await read_rows(place.urls), await read_full_pages(place.urls)
    orders = sum(one.operations for one in loads)
    pages = await pages_of(url, await tokens_of(url, accounts))
    answered += bench.answered
    return _Seen(
        measured=min(loads, key=lambda one: sum(one.cpu_ms_each.values())),
        reads=await read_pages(url, pages, wish.seconds),
        rows_each=rows_each(before, after, orders),
        full_pages_each=(pages_after - pages_before) / max(orders, 1),
        unused=await unused_indexes(place.urls),
    )


async def _check(
    place: Place, answered: list[str], since: datetime, orders: int
) -> tuple[Verdict, list[Violation]]:
    """The audit, of all rows or of the present's, and the past by its sums."""
    scope: Mapping[str, str] = {} if orders <= AUDIT_ORDERS_MAX else scope_of(since)
    verdict = await run_audit(
        place,
        settle_seconds=AUDIT_SECONDS,
        answered=dict.fromkeys(map(UUID, answered), "CONFIRMED"),
        scope=dict(scope),
    )
    return verdict, await past_faults(place.urls, since)


def _cpu(size: Size) -> float:
    return sum(size.measured.cpu_ms_each.values())
