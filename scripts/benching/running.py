"""A run of the bench: goods, then a scene at each number of clients, then the audit."""

import os
from pathlib import Path
from uuid import UUID

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.commands import Verdict, audited
from scripts.auditing.place import Place, running_place
from scripts.benching.aims import Aim
from scripts.benching.browsing import Browsed, measure_browsing, visits_of
from scripts.benching.catalogue import wares
from scripts.benching.costs import not_durable, read_durability
from scripts.benching.filling import Imported, fill
from scripts.benching.flash import Rates, Sale, faults, refusal_rates, sell
from scripts.benching.goods import Seller, prepare, signed_in
from scripts.benching.marketplace.data import Keys, Size
from scripts.benching.marketplace.measuring import (
    PROCESSES,
    Checked,
    Fair,
    Marketed,
    aims_of,
)
from scripts.benching.measuring import Bench, Measured
from scripts.benching.scenes import Visit
from scripts.benching.yardsticks import Yardsticks, measure_yardsticks
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

AUDIT_SECONDS = 30.0
RATES_SECONDS_MAX = 3.0
MARKETPLACE = "marketplace"
PEOPLE = ("admin", "seller", "customer")


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be measured; see the options of the command."""

    scene: str
    clients: tuple[int, ...]
    seconds: float
    rate: float = 0.0
    processes: int = 0
    products: int = 10_000
    buyers: int = 2_000
    pieces: int = 100
    times: int = 1
    kill: str = ""
    yardsticks: bool = False
    keys: tuple[Keys, ...] = (Keys.UNIFORM, Keys.ZIPF)
    size: Size = Size()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a run found."""

    cpus: int
    seconds: float
    durability: dict[str, dict[str, str]]
    measured: list[Measured] | list[Browsed]
    audit: Verdict
    sales: list[Sale] = []
    rates: Rates | None = None
    yardsticks: Yardsticks | None = None
    imported: Imported | None = None
    aims: list[Aim] = []
    marketed: list[Marketed] = []
    checked: list[Checked] = []

    def faults(self) -> list[str]:
        """Why the figures do not count: nothing when all is as it must be."""
        found = [
            f"{one.check}: {one.ids}: {one.detail}" for one in self.audit.violations
        ]
        found += not_durable(self.durability)
        found += [fault for sale in self.sales for fault in faults(sale)]
        found += [
            f"{one.criterion}: {one.ids}: {one.detail}"
            for check in self.checked
            for every in check.anomalies.values()
            for one in every
        ]
        for one in self.measured:
            if isinstance(one, Browsed) and one.errors:
                found.append(f"errors of {one.clients} clients: {one.errors}")
            if isinstance(one, Measured) and not one.operations:
                found.append(f"{one.clients} clients: nothing was done")
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
            () if wish.scene == MARKETPLACE else await prepare(seller),
            wish.seconds,
            visits=visits,
            rate=wish.rate,
            processes=wish.processes or _processes(wish.scene),
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
        )
        for _ in range(wish.times)
    ]
    seconds = min(wish.seconds, RATES_SECONDS_MAX)
    return _Found(
        measured=[figures for _, figures in done],
        sales=[sale for sale, _ in done],
        rates=await refusal_rates(bench, seller, clients, seconds),
    )


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
        yardsticks=beside,
        imported=found.imported,
        marketed=found.marketed,
        checked=checked,
        aims=aims_of(found.marketed, checked) if fair else [],
    )


def write_report(path: Path, report: Report) -> None:
    """As one JSON document."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
