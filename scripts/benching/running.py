"""A run of the bench: goods, then a scene at each number of clients, then the audit."""

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.commands import Verdict, run_audit
from scripts.auditing.place import Place, running_place
from scripts.benching.aims import Aim
from scripts.benching.browsing import Browsed, measure_browsing, visits_of
from scripts.benching.catalogue import wares
from scripts.benching.costs import not_durable, read_durability
from scripts.benching.edge_aims import rate_aims, yardstick_aims
from scripts.benching.events import EVENTS_RATE, Events, measure_events
from scripts.benching.filling import Imported, fill
from scripts.benching.flash import Rates, Sale, faults, refusal_rates, sell
from scripts.benching.goods import Seller, prepare, signed_in
from scripts.benching.holding import Holds
from scripts.benching.inner import INNER, Inner
from scripts.benching.measuring import Bench, Measured
from scripts.benching.ordering import Process
from scripts.benching.overload import Overload, measure_overload
from scripts.benching.pairing import Asks
from scripts.benching.scenes import Visit
from scripts.benching.yardsticks import Yardsticks, measure_yardsticks
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

AUDIT_SECONDS = 30.0
RATES_SECONDS_MAX = 3.0
PEOPLE = ("admin", "seller", "customer")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured; see the options of the command."""

    scene: str
    clients: tuple[int, ...]
    seconds: float
    rate: float = 0.0
    processes: int = 1
    products: int = 10_000
    buyers: int = 2_000
    pieces: int = 100
    times: int = 1
    kill: str = ""
    backlog: int = 100_000
    yardsticks: bool = False


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found."""

    cpus: int
    seconds: float
    durability: dict[str, dict[str, str]]
    measured: list[Measured] | list[Browsed]
    audit: Verdict
    sales: list[Sale] = []
    rates: Rates | None = None
    events: Events | None = None
    yardsticks: Yardsticks | None = None
    imported: Imported | None = None
    overload: Overload | None = None
    aims: list[Aim] = []
    holds: Holds | None = None
    asks: Asks | None = None
    process: Process | None = None

    @property
    def inner(self) -> list[Inner]:
        """What was measured past HTTP."""
        return [one for one in (self.holds, self.asks, self.process) if one]

    def faults(self) -> list[str]:
        """Why the figures do not count: nothing when all is as it must be."""
        found = [
            f"{one.check}: {one.ids}: {one.detail}" for one in self.audit.violations
        ]
        found += not_durable(self.durability)
        found += [fault for sale in self.sales for fault in faults(sale)]
        found += [fault for one in self.inner for fault in one.faults()]
        found += self.events.faults() if self.events else []
        for one in self.measured:
            if isinstance(one, Browsed) and one.errors:
                found.append(f"errors of {one.clients} clients: {one.errors}")
            if isinstance(one, Measured) and not one.operations:
                found.append(f"{one.clients} clients: nothing was done")
        if self.overload is not None and not self.overload.over_per_second:
            found.append("nothing was done past the peak")
        return found


async def run(settings: Settings, wish: Wish) -> Report:
    """Measure, and audit what was sold; raises `Failure` where it cannot."""
    place = running_place(settings)
    accounts = read_credentials(place.settings.data_dir)
    if not set(PEOPLE) <= accounts.keys():
        raise Failure("there are no demo accounts in credentials.json (SOUK_DEMO=0?)")
    url = place.run.urls["local"]
    visits: tuple[Visit, ...] = ()
    imported: Imported | None = None
    if wish.scene in ("browse", "mixed"):
        imported = await fill(url, accounts, wish.products)
        visits = visits_of(list(wares(wish.products)))
    login = {key: accounts["admin"][key] for key in ("email", "password")}
    async with signed_in(url, login) as seller:
        bench = Bench(
            place,
            await prepare(seller),
            wish.seconds,
            visits=visits,
            rate=wish.rate,
            processes=wish.processes,
        )
        found = await _measure(bench, seller, wish, visits)
        found.imported = imported
    return await _report(place, bench, wish, found)


class _Found(msgspec.Struct, kw_only=True):
    measured: list[Measured] | list[Browsed]
    sales: list[Sale] = []
    rates: Rates | None = None
    events: Events | None = None
    imported: Imported | None = None
    inner: Inner | None = None
    overload: Overload | None = None


async def _measure(
    bench: Bench, seller: Seller, wish: Wish, visits: tuple[Visit, ...]
) -> _Found:
    if wish.scene == "browse" and not wish.rate:
        looked = [
            await measure_browsing(bench.url, visits, count, wish.seconds)
            for count in wish.clients
        ]
        return _Found(measured=looked)
    if wish.scene == "events":
        rate = wish.rate or EVENTS_RATE
        seen = await measure_events(
            bench, rate=rate, seconds=wish.seconds, backlog=wish.backlog
        )
        return _Found(measured=[], events=seen)
    if wish.scene == "flash":
        return await _flash(bench, seller, wish)
    if measure := INNER.get(wish.scene):
        inner = await measure(bench, max(wish.clients), wish.seconds)
        return _Found(measured=[], inner=inner)
    if wish.scene == "overload":
        await bench.warm_up("orders")
        return _Found(measured=[], overload=await measure_overload(bench, wish.seconds))
    await bench.warm_up(wish.scene)
    return _Found(measured=[await bench.measure(wish.scene, n) for n in wish.clients])


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
        )
        for _ in range(wish.times)
    ]
    seconds = min(wish.seconds, RATES_SECONDS_MAX)
    return _Found(
        measured=[figures for _, figures in done],
        sales=[sale for sale, _ in done],
        rates=await refusal_rates(bench, seller, clients, seconds),
    )


async def _report(place: Place, bench: Bench, wish: Wish, found: _Found) -> Report:
    answered = {UUID(order_id): "CONFIRMED" for order_id in bench.answered}
    verdict = await run_audit(place, settle_seconds=AUDIT_SECONDS, answered=answered)
    clients = max(wish.clients)
    beside = None
    if wish.yardsticks:
        beside = await measure_yardsticks(place, clients, wish.seconds / 2)
    return Report(
        cpus=len(os.sched_getaffinity(0)),
        seconds=wish.seconds,
        durability=await read_durability(place.urls),
        measured=found.measured,
        audit=verdict,
        sales=found.sales,
        rates=found.rates,
        events=found.events,
        overload=found.overload,
        aims=_aims(found, beside),
        yardsticks=beside,
        imported=found.imported,
        **_inner(wish, found),
    )


def _inner(wish: Wish, found: _Found) -> dict[str, Any]:
    """What was measured past HTTP, under the name of its scene."""
    return {wish.scene: found.inner} if found.inner else {}


def _aims(found: _Found, beside: Yardsticks | None) -> list[Aim]:
    """What this run is held against."""
    aims = rate_aims(found.rates) if found.rates else []
    parts = (found.events, found.inner, found.overload)
    aims += [aim for part in parts if part is not None for aim in part.aims()]
    last = found.measured[-1] if found.measured else None
    if beside is not None and isinstance(last, Measured):
        aims += yardstick_aims(last, beside)
    return aims


def write_report(path: Path, report: Report) -> None:
    """As one JSON document."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
