"""`bench soak`: 80 % of what the shop can do, for long, and what is held meanwhile."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.commands import Verdict, run_audit
from scripts.auditing.place import running_place
from scripts.benching.aims import Aim
from scripts.benching.applied import Watch
from scripts.benching.costs import read_durability
from scripts.benching.goods import prepare, signed_in
from scripts.benching.load import Load
from scripts.benching.measuring import Bench, errors_of
from scripts.benching.soaking.sampling import sample_until
from scripts.benching.soaking.slopes import SAMPLES_MIN, Held, Trend, aims_of, trend_of
from scripts.launcher.failures import Failure
from scripts.launcher.keys import read_credentials

MINUTES_MAX = 24 * 60.0
LOAD_SHARE = 0.8
CAPACITY_CLIENTS = 32
CAPACITY_SECONDS = 10.0
CLIENTS = 128
SCENE = "checkout"
OPERATIONS_MAX = 5_000_000
AUDIT_SECONDS = 60.0


class Soak(msgspec.Struct, frozen=True, kw_only=True):
    """A soak: how fast, for how long, and how each kind of process went.

    `entities` are the states that each shard remembers at the end.
    """

    minutes: float
    capacity_per_second: float
    rate_per_second: float
    operations: int
    errors: dict[str, int]
    p50_ms: float
    p99_ms: float
    entities: dict[str, int]
    trends: dict[str, Trend]
    samples: dict[str, list[Held]]
    applied: bool
    audit: Verdict
    durability: dict[str, dict[str, str]]

    def faults(self) -> list[str]:
        """Why its figures do not count."""
        found = [] if self.applied else ["not all was applied in time"]
        return found if self.trends else [*found, "too few samples for any trend"]

    def aims(self) -> list[Aim]:
        """What it is held against."""
        return aims_of(self.trends, self.entities)


async def soak(settings: Settings, minutes: float, rate: float) -> Soak:
    """Find the capacity where no rate is given, then load and sample.

    Raises `Failure` where there is nothing to measure.
    """
    place = running_place(settings)
    accounts = read_credentials(place.settings.data_dir)
    login = {key: accounts["admin"][key] for key in ("email", "password")}
    async with signed_in(place.run.urls["local"], login) as seller:
        bench = Bench(place, await prepare(seller), CAPACITY_SECONDS)
    await bench.warm_up(SCENE)
    capacity = 0.0
    if not rate:
        found = await bench.load(bench.task(SCENE, CAPACITY_CLIENTS, CAPACITY_SECONDS))
        capacity = found.good / found.seconds
        rate = capacity * LOAD_SHARE
    if rate <= 0:
        raise Failure("nothing was done in the loop that finds the capacity")
    load, samples, applied = await _loaded(bench, minutes * 60, rate)
    shards = await bench.shards()
    answered = {UUID(order_id): "CONFIRMED" for order_id in bench.answered}
    verdict = await run_audit(place, settle_seconds=AUDIT_SECONDS, answered=answered)
    return Soak(
        minutes=minutes,
        capacity_per_second=capacity,
        rate_per_second=rate,
        operations=load.good,
        errors=errors_of(load),
        p50_ms=load.at(0.5),
        p99_ms=load.at(0.99),
        entities={name: one.entities for name, one in shards.items()},
        trends={
            name: trend_of(some)
            for name, some in sorted(samples.items())
            if len(some) >= 2 * SAMPLES_MIN
        },
        samples=samples,
        applied=applied,
        audit=verdict,
        durability=await read_durability(place.urls),
    )


async def _loaded(
    bench: Bench, seconds: float, rate: float
) -> tuple[Load, dict[str, list[Held]], bool]:
    shards = await bench.shards()
    names = {shard.pid: name for name, shard in shards.items()}
    task = msgspec.structs.replace(
        bench.task(SCENE, CLIENTS, seconds), rate=rate, requests_max=OPERATIONS_MAX
    )
    ended = asyncio.Event()
    watch = await Watch.open(bench.place)
    try:
        mark = await watch.mark()
        sampling: asyncio.Task[Any] = asyncio.create_task(
            sample_until(ended, bench.place.run.keeper.pid, names, seconds)
        )
        try:
            load = await bench.load(task)
        finally:
            ended.set()
        return load, await sampling, await watch.wait(mark)
    finally:
        await watch.close()
