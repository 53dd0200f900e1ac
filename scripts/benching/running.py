"""A run of the bench: goods, then a scene at each number of clients, then the audit."""

import os
from collections.abc import Awaitable, Callable
from uuid import UUID

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.commands import audited
from scripts.auditing.place import Place, running_place
from scripts.benching.aims import Aim
from scripts.benching.browsing import Browsed, measure_browsing, visits_of
from scripts.benching.catalogue import wares
from scripts.benching.costs import read_durability
from scripts.benching.crowding.measuring import measure_connections
from scripts.benching.edge_aims import rate_aims, yardstick_aims
from scripts.benching.events import EVENTS_RATE, measure_events
from scripts.benching.filling import Imported, fill
from scripts.benching.flash import Rates, Sale, refusal_rates, sell
from scripts.benching.goods import Seller, prepare, signed_in
from scripts.benching.holding import measure_holds
from scripts.benching.marketplace.measuring import (
    PROCESSES,
    Fair,
    Marketed,
    aims_of,
)
from scripts.benching.measuring import Bench, Measured
from scripts.benching.ordering import measure_process
from scripts.benching.overload import measure_overload
from scripts.benching.pairing import measure_asks
from scripts.benching.report import Part, Report, Wish
from scripts.benching.scene_aims import scene_aims
from scripts.benching.scenes import Visit
from scripts.benching.yardsticks import Yardsticks, measure_yardsticks
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

AUDIT_SECONDS = 30.0
RATES_SECONDS_MAX = 3.0
MARKETPLACE = "marketplace"
PEOPLE = ("admin", "seller", "customer")


async def run(settings: Settings, wish: Wish) -> Report:
    """Measure, and audit what was sold; raises `Failure` where it cannot."""
    place = running_place(settings)
    accounts = read_credentials(place.settings.data_dir)
    if not set(PEOPLE) <= accounts.keys():
        raise Failure("there are no demo accounts in credentials.json (SOUK_DEMO=0?)")
    url = wish.url or place.run.urls["local"]
    visits: tuple[Visit, ...] = ()
    imported: Imported | None = None
    if wish.scene in ("browse", "mixed"):
        imported = await fill(url, accounts, wish.products)
        visits = visits_of(list(wares(wish.products)))
    login = {key: accounts["admin"][key] for key in ("email", "password")}
    async with signed_in(url, login) as seller:
        bench = Bench(
            place,
            () if wish.scene == MARKETPLACE else await prepare(seller),
            wish.seconds,
            visits=visits,
            rate=wish.rate,
            processes=wish.processes or _processes(wish.scene),
            from_ray=wish.from_ray,
            url=wish.url,
        )
        fair = Fair(bench, login, _cpus()) if wish.scene == MARKETPLACE else None
        found = await _measure(bench, seller, wish, visits, fair)
        found.imported = imported
    return await _report(place, bench, wish, found, fair)


def _processes(scene: str) -> int:
    return PROCESSES if scene == MARKETPLACE else 1


def _cpus() -> int:
    return len(os.sched_getaffinity(0))


class _Found(msgspec.Struct, kw_only=True):
    measured: list[Measured] | list[Browsed]
    sales: list[Sale] = []
    rates: Rates | None = None
    imported: Imported | None = None
    part: Part | None = None
    marketed: list[Marketed] = []


async def _measure(
    bench: Bench,
    seller: Seller,
    wish: Wish,
    visits: tuple[Visit, ...],
    fair: Fair | None,
) -> _Found:
    if fair is not None:
        return await _marketplace(fair, wish)
    if wish.scene == "browse" and not wish.rate:
        looked = [
            await measure_browsing(bench.url, visits, count, wish.seconds)
            for count in wish.clients
        ]
        return _Found(measured=looked)
    if wish.scene == "flash":
        return await _flash(bench, seller, wish)
    if measure := PARTS.get(wish.scene):
        return _Found(measured=[], part=await measure(bench, seller, wish))
    await bench.warm_up(wish.scene)
    return _Found(measured=[await bench.measure(wish.scene, n) for n in wish.clients])


async def _marketplace(fair: Fair, wish: Wish) -> _Found:
    if wish.size.customers < max(wish.clients):
        raise Failure("there are fewer --customers than --clients")
    await fair.open(wish.size, wish.keys)
    done = [
        one for count in wish.clients for one in await fair.measure(count, wish.seconds)
    ]
    await fair.look_at_rest()
    return _Found(
        measured=[figures for _, figures in done],
        marketed=[load for load, _ in done],
    )


async def _flash(bench: Bench, seller: Seller, wish: Wish) -> _Found:
    if wish.kill and wish.kill not in await bench.shards():
        raise Failure(f"there is no shard {wish.kill} to kill")
    await bench.warm_up("orders")
    clients = max(wish.clients)
    done = [
        await sell(
            bench,
            seller,
            buyers=wish.buyers,
            pieces=wish.pieces,
            clients=clients,
            kill=wish.kill,
            watch=wish.watch,
        )
        for _ in range(wish.times)
    ]
    seconds = min(wish.seconds, RATES_SECONDS_MAX)
    return _Found(
        measured=[figures for _, figures in done],
        sales=[sale for sale, _ in done],
        rates=await refusal_rates(bench, seller, clients, seconds),
    )


# --- scenes of a kind of their own -------------------------------------------


async def _holds(bench: Bench, _: Seller, wish: Wish) -> Part:
    return await measure_holds(bench, max(wish.clients), wish.seconds)


async def _asks(bench: Bench, _: Seller, wish: Wish) -> Part:
    return await measure_asks(bench, max(wish.clients), wish.seconds)


async def _process(bench: Bench, _: Seller, wish: Wish) -> Part:
    return await measure_process(bench, max(wish.clients), wish.seconds)


async def _events(bench: Bench, _: Seller, wish: Wish) -> Part:
    return await measure_events(
        bench,
        rate=wish.rate or EVENTS_RATE,
        seconds=wish.seconds,
        backlog=wish.backlog,
    )


async def _overload(bench: Bench, _: Seller, wish: Wish) -> Part:
    await bench.warm_up("orders")
    return await measure_overload(bench, wish.seconds)


async def _connections(bench: Bench, seller: Seller, wish: Wish) -> Part:
    await bench.warm_up("orders")
    return await measure_connections(
        bench,
        seller,
        connections=wish.connections,
        streams=wish.streams,
        clients=max(wish.clients),
        seconds=wish.seconds,
    )


PARTS: dict[str, Callable[[Bench, Seller, Wish], Awaitable[Part]]] = {
    "holds": _holds,
    "asks": _asks,
    "process": _process,
    "events": _events,
    "overload": _overload,
    "connections": _connections,
}
CALLERS = {"holds": "512", "asks": "64", "process": "64", "connections": "32"}
"""How many ask at a time where `--clients` says nothing."""


# --- the report --------------------------------------------------------------


async def _report(
    place: Place, bench: Bench, wish: Wish, found: _Found, fair: Fair | None
) -> Report:
    answered = {UUID(order_id): "CONFIRMED" for order_id in bench.answered}
    verdict, books = await audited(
        place, settle_seconds=AUDIT_SECONDS, answered=answered
    )
    checked = fair.check(books) if fair else []
    clients = max(wish.clients)
    beside = None
    if wish.yardsticks:
        beside = await measure_yardsticks(place, clients, wish.seconds / 2)
    return Report(
        cpus=_cpus(),
        seconds=wish.seconds,
        durability=await read_durability(place.urls),
        measured=found.measured,
        audit=verdict,
        sales=found.sales,
        rates=found.rates,
        aims=_aims(found, beside) + (aims_of(found.marketed, checked) if fair else []),
        yardsticks=beside,
        imported=found.imported,
        marketed=found.marketed,
        checked=checked,
        **({wish.scene: found.part} if found.part else {}),  # type: ignore[arg-type]
    )


def _aims(found: _Found, beside: Yardsticks | None) -> list[Aim]:
    """What this run is held against."""
    aims = [*scene_aims(found.measured)]
    aims += rate_aims(found.rates) if found.rates else []
    aims += found.part.aims() if found.part else []
    last = found.measured[-1] if found.measured else None
    if beside is not None and isinstance(last, Measured):
        aims += yardstick_aims(last, beside)
    return aims
