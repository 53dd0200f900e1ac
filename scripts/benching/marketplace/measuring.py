"""A marketplace under load with each of its key distributions, and what that shows."""

import aiohttp
import msgspec

from actors.auditing.books import Books
from scripts.benching.aims import Aim, Side
from scripts.benching.desk import Desk, Stopped, Tally
from scripts.benching.load import Load, share_of
from scripts.benching.marketplace.checking import CRITERIA, Anomaly, find_anomalies
from scripts.benching.marketplace.data import Keys, Market, Size
from scripts.benching.marketplace.facts import facts_of
from scripts.benching.marketplace.filling import (
    Account,
    open_market,
    with_new_tokens,
)
from scripts.benching.marketplace.given import Given, Opening, each
from scripts.benching.marketplace.journal import Dashboard, Journal
from scripts.benching.marketplace.scene import MIX
from scripts.benching.marketplace.sellers import look_as
from scripts.benching.marketplace.stalls import Stalls
from scripts.benching.measuring import WARM_OPERATIONS, Bench, Measured, measured
from scripts.launcher.failures import Failure

PER_CORE_UNIT = "a second and core"
PER_CORE_AIM = 330.0
ZIPF_AIM = 0.9
SECONDS_MAX = 300.0
"""Access tokens live ten minutes, and a load takes new ones before it begins."""
PROCESSES = 2


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One of the five transactions: how many went well, and how long they took."""

    count: int
    per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Marketed(msgspec.Struct, frozen=True, kw_only=True):
    """A load on a marketplace.

    `per_second` counts until the last effect, `per_core` is by the CPU seconds that
    the shop spent, `per_machine_core` by all cores of the machine for all the time,
    which the load client uses too. CPU is in ms a transaction, the client's apart;
    `dearest` is the part of the shop that most of it was spent in.
    """

    keys: Keys
    clients: int
    transactions: int
    per_second: float
    per_core: float
    per_machine_core: float
    cpu_ms_each: float
    requests_each: float
    dearest: str
    kinds: dict[str, Kind]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What was held against the criteria, and what does not hold, by criterion.

    `whole_dashboards` are those that showed all of their lines; of the others, and of
    all at rest, the totals are held against the databases.
    """

    keys: Keys
    requests: int
    orders: int
    events: int
    dashboards: int
    whole_dashboards: int
    anomalies: dict[str, list[Anomaly]]

    @property
    def found(self) -> int:
        """All anomalies."""
        return sum(map(len, self.anomalies.values()))


class Fair:
    """Marketplaces in one shop, one for each distribution, measured in turn."""

    def __init__(self, bench: Bench, administrator: dict[str, str], cpus: int) -> None:
        self._bench = bench
        self._administrator = administrator
        self._cpus = cpus
        self._markets: dict[Keys, Market] = {}
        self._accounts: dict[Keys, tuple[Account, ...]] = {}
        self._journals: dict[Keys, Journal] = {}

    async def open(self, size: Size, every: tuple[Keys, ...]) -> None:
        """Fill the shop, and act a little so that nothing is first."""
        for keys in every:
            self._markets[keys], self._accounts[keys] = await open_market(
                self._bench.url, self._administrator, size, keys
            )
            self._journals[keys] = []
        for keys in every:
            task = msgspec.structs.replace(
                self._bench.task("marketplace", 1, SECONDS_MAX),
                requests_max=WARM_OPERATIONS,
                rate=0.0,
                market=self._markets[keys],
            )
            self._journals[keys] += (await self._bench.load(task)).journal

    async def measure(
        self, clients: int, seconds: float
    ) -> list[tuple[Marketed, Measured]]:
        """A load of as many clients on each market, one after another."""
        return [await self._one(keys, clients, seconds) for keys in self._markets]

    async def look_at_rest(self) -> None:
        """Every seller's dashboard, once nothing is under way any more."""
        await self._bench.rest()
        for keys, market in self._markets.items():
            self._journals[keys] += await looked(self._bench.url, market)

    def check(self, books: Books) -> list[Checked]:
        """Hold all journals against the books of a shop at rest."""
        return [
            checked(market, self._journals[keys], books)
            for keys, market in self._markets.items()
        ]

    async def _one(
        self, keys: Keys, clients: int, seconds: float
    ) -> tuple[Marketed, Measured]:
        if seconds > SECONDS_MAX:
            raise Failure(f"a marketplace is measured for {SECONDS_MAX:g} s at most")
        self._markets[keys], self._accounts[keys] = await with_new_tokens(
            self._bench.url,
            self._administrator,
            self._markets[keys],
            self._accounts[keys],
        )
        noop = await self._bench.noop(clients)
        task = msgspec.structs.replace(
            self._bench.task(f"marketplace {keys}", clients, seconds),
            market=self._markets[keys],
        )
        span = await self._bench.span(task, noop)
        self._journals[keys] += span.load.journal
        figures = measured(task, span)
        return marketed(keys, figures, span.load, self._cpus), figures


def marketed(keys: Keys, figures: Measured, load: Load, cpus: int) -> Marketed:
    """The figures of a load as the benchmark tells them."""
    cpu_ms = sum(figures.cpu_ms_each.values())
    return Marketed(
        keys=keys,
        clients=figures.clients,
        transactions=figures.operations,
        per_second=figures.per_second,
        per_core=1000 / cpu_ms if cpu_ms else 0.0,
        per_machine_core=figures.per_second / cpus,
        cpu_ms_each=cpu_ms,
        requests_each=len(load.journal) / max(figures.operations, 1),
        dearest=max(figures.cpu_ms_each.items(), key=_second, default=("", 0.0))[0],
        kinds={name: _kind(load, name) for name in MIX},
    )


async def looked(url: str, market: Market) -> Journal:
    """The dashboards of all sellers, one after another; raises `Failure`."""
    stalls = Stalls(market, 0, 1)
    async with aiohttp.ClientSession() as session:
        desk = Desk(url, session, Tally())
        for seller in market.sellers:
            try:
                await look_as(stalls, desk, seller, at_rest=True)
            except Stopped:
                raise Failure(
                    f"a dashboard was refused: {desk.tally.by_kind}"
                ) from None
    return stalls.journal


def _kind(load: Load, name: str) -> Kind:
    times = load.by_kind.get(name, [])
    return Kind(
        count=len(times),
        per_second=len(times) / load.seconds,
        p50_ms=share_of(times, 0.5),
        p95_ms=share_of(times, 0.95),
        p99_ms=share_of(times, 0.99),
    )


def checked(market: Market, journal: Journal, books: Books) -> Checked:
    """What the checker says of a market's journal, at rest."""
    facts = facts_of(books, market.name)
    opening = {
        good.sku: Opening(price=good.price, pieces=market.size.pieces)
        for good in market.goods
    }
    found = find_anomalies(
        Given(
            sellers=tuple(seller.id for seller in market.sellers),
            opening=opening,
            journal=journal,
            facts=facts,
        )
    )
    dashboards = [one for one in each(journal, Dashboard) if one.told is not None]
    return Checked(
        keys=market.keys,
        requests=len(journal),
        orders=len(facts.orders),
        events=len(facts.told),
        dashboards=len(dashboards),
        whole_dashboards=sum(not one.more for one in dashboards),
        anomalies={
            name: [one for one in found if one.criterion == name] for name in CRITERIA
        },
    )


_BY_CORE = {
    Keys.UNIFORM: Aim(
        key="marketplace-uniform-by-core",
        what="marketplace transactions, uniform keys, by the CPU of the shop",
        figure=0,
        aim=PER_CORE_AIM,
    ),
    Keys.ZIPF: Aim(
        key="marketplace-zipf-by-core",
        what="marketplace transactions, Zipf keys, by the CPU of the shop",
        figure=0,
        aim=PER_CORE_AIM,
    ),
}
_BY_MACHINE = {
    Keys.UNIFORM: Aim(
        key="marketplace-uniform-by-machine",
        what="marketplace transactions, uniform keys, by all cores, load client's too",
        figure=0,
        aim=PER_CORE_AIM,
    ),
    Keys.ZIPF: Aim(
        key="marketplace-zipf-by-machine",
        what="marketplace transactions, Zipf keys, by all cores, load client's too",
        figure=0,
        aim=PER_CORE_AIM,
    ),
}


def aims_of(loads: list[Marketed], checks: list[Checked]) -> list[Aim]:
    """The aims, each distribution at its best number of clients."""
    best = {
        keys: max((one for one in loads if one.keys is keys), key=_rate)
        for keys in dict.fromkeys(one.keys for one in loads)
    }
    aims = [
        msgspec.structs.replace(
            _BY_CORE[keys], figure=one.per_core, unit=PER_CORE_UNIT, reason=_why(one)
        )
        for keys, one in best.items()
    ]
    aims += [
        msgspec.structs.replace(
            _BY_MACHINE[keys],
            figure=one.per_machine_core,
            unit=PER_CORE_UNIT,
            reason=_why(one),
        )
        for keys, one in best.items()
    ]
    if best.keys() >= {Keys.UNIFORM, Keys.ZIPF}:
        aims.append(
            Aim(
                key="marketplace-zipf-by-uniform",
                what="marketplace transactions with Zipf keys by those with uniform",
                figure=_rate(best[Keys.ZIPF]) / (_rate(best[Keys.UNIFORM]) or 1.0),
                aim=ZIPF_AIM,
            )
        )
    aims.append(
        Aim(
            key="marketplace-anomalies",
            what="marketplace anomalies of all criteria",
            figure=sum(one.found for one in checks),
            aim=0,
            side=Side.AT_MOST,
            unit="anomalies",
        )
    )
    return aims


def _why(one: Marketed) -> str:
    """Where the time goes, for an aim that is missed."""
    return (
        f"{one.cpu_ms_each:.2f} CPU-ms a transaction of {one.requests_each:.1f} "
        f"requests, most of it in {one.dearest}"
    )


def _second(pair: tuple[str, float]) -> float:
    return pair[1]


def _rate(one: Marketed) -> float:
    return one.per_second
