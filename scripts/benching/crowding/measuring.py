"""`bench connections`: loads alone, then beside a crowd that follows what happens."""

import asyncio
import time

from scripts.benching.crowding.crowd import (
    Close,
    Gathered,
    Knock,
    Look,
    Open,
    Seen,
    Stream,
    crowd,
)
from scripts.benching.crowding.figures import OPEN_SPARE, Connections, Loaded
from scripts.benching.crowding.people import (
    People,
    advance,
    gather_people,
    truth,
)
from scripts.benching.goods import Seller
from scripts.benching.measuring import Bench, errors_of
from scripts.benching.soaking.sampling import sample
from scripts.benching.soaking.slopes import Held
from scripts.launcher.failures import Failure

SCENES = ("orders", "cart", "hot")
CONNECTIONS, STREAMS = 10_000, 2_000
CONNECTIONS_MAX, STREAMS_MAX = 25_000, 10_000
REFUSED = 50
BACK_SECONDS_MAX = 100.0
"""HAProxy keeps an idle connection to a replica, and so does a replica, up to 90 s."""
TOLD_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.25


async def measure_connections(
    bench: Bench,
    seller: Seller,
    *,
    connections: int,
    streams: int,
    clients: int,
    seconds: float,
) -> Connections:
    """Raises `Failure` where so many cannot be opened from here."""
    if streams > connections:
        raise Failure("there are more --streams than --connections")
    people = await gather_people(bench.url, streams, bench.skus[0])
    bench.answered += people.order_ids()
    alone = await _loads(bench, clients, seconds)
    names = {shard.pid: name for name, shard in (await bench.shards()).items()}
    holding = Holding(bench.place.run.keeper.pid, names)
    held = {"before": await _rested(bench, holding)}
    wanted = Open(
        url=bench.url, streams=people.streams(streams), idle=connections - streams
    )
    async with crowd() as gathered:
        begun = time.perf_counter()
        opened = await gathered.do(wanted)
        opened_seconds = time.perf_counter() - begun
        beside = await _loads(bench, clients, seconds)
        held["open"] = await holding.now()
        seen, wrong, told_seconds = await _tell(bench, seller, gathered, people)
        knocked = await gathered.do(_past_connections(bench, connections))
        past_streams = await _past_streams(bench, streams, wanted.streams)
        await gathered.do(Close())
        held["after"] = await _back(holding, held["before"])
        await gathered.do(wanted)
        await gathered.do(Close())
        held["again"] = await _back(holding, held["before"])
    return Connections(
        streams=streams,
        idle=wanted.idle,
        open_streams=min(opened.streams, seen.streams),
        open_idle=min(opened.idle, seen.idle),
        opened_seconds=opened_seconds,
        alone=alone,
        beside=beside,
        told=sum(map(len, seen.ids)),
        wrong=wrong,
        told_seconds=told_seconds,
        knocked=knocked,
        streams_knocked=past_streams,
        held=held,
    )


async def _loads(bench: Bench, clients: int, seconds: float) -> dict[str, Loaded]:
    """Each scene in a closed loop, and all that it set off."""
    found = {}
    for scene in SCENES:
        load = await bench.load(bench.task(scene, clients, seconds))
        await bench.rest()
        rate = load.good / load.seconds
        found[scene] = Loaded(rate, load.at(0.5), load.at(0.99), errors_of(load))
    return found


async def _tell(
    bench: Bench, seller: Seller, gathered: Gathered, people: People
) -> tuple[Seen, int, float]:
    """Change every order that somebody follows; how the crowd then stands.

    And how many streams were not told exactly what happened, and how long after the
    last answer all others were. An event that comes twice, late or out of order makes
    its stream wrong, as one that is missing does.
    """
    await advance(seller, people.order_ids())
    begun = time.perf_counter()
    await bench.rest()
    wanted = await truth(bench.url, seller, people)
    while True:
        seen = await gathered.do(Look())
        took = time.perf_counter() - begun
        wrong = sum(got != right for got, right in zip(seen.ids, wanted, strict=True))
        if not wrong or took > TOLD_SECONDS_MAX:
            return seen, wrong, took
        await asyncio.sleep(LOOK_SECONDS)


def _past_connections(bench: Bench, connections: int) -> Knock:
    """As many more as it takes to be turned away."""
    most = bench.place.settings.haproxy_connections_max
    return Knock(refused=REFUSED, most=max(most - connections, 0) + most // 10 + 500)


async def _past_streams(bench: Bench, open_now: int, streams: list[Stream]) -> Seen:
    """Streams past those that the replicas hold; none where they hold many more."""
    settings = bench.place.settings
    room = settings.streams_max * settings.gateway_replicas - open_now
    if room >= len(streams):
        return Seen()
    async with crowd() as others:
        # Of guests, each of whom may have several: the last in the list.
        more = streams[len(streams) - room - min(REFUSED, len(streams) - room) :]
        opened = await others.do(Open(url=bench.url, streams=more, idle=0))
        refused = {
            f"answered {status}": count
            for status, count in opened.statuses.items()
            if status != 200
        }
        return Seen(let_in=opened.streams, refused=refused, told=opened.told)


async def _rested(bench: Bench, holding: "Holding") -> dict[str, Held]:
    """What is held once what the loads left in pools is given back."""
    await bench.rest()
    return await _back(holding, await holding.now())


async def _back(holding: "Holding", before: dict[str, Held]) -> dict[str, Held]:
    """Wait until as few connections are open as before, but not for ever."""
    until = time.monotonic() + BACK_SECONDS_MAX
    while True:
        held = await holding.now()
        more = any(
            one.connections > before[name].connections + OPEN_SPARE
            for name, one in held.items()
            if name in before
        )
        if not more or time.monotonic() > until:
            return held
        await asyncio.sleep(LOOK_SECONDS)


class Holding:
    """The shop's processes, by what they are; `names` are those of the actors'."""

    def __init__(self, keeper: int, names: dict[int, str]) -> None:
        self._keeper = keeper
        self._names = names

    async def now(self) -> dict[str, Held]:
        """What they hold."""
        return await asyncio.to_thread(sample, self._keeper, self._names, 0.0)
