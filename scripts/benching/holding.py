"""Holds through `ask` beside the same Postgres on the same rows, in turns."""

import os
from statistics import median

import asyncpg
import msgspec

from scripts.benching.aims import Aim
from scripts.benching.applied import Mark
from scripts.benching.asking import asking
from scripts.benching.errands import Done, Errand, Errands, Row, row_of
from scripts.benching.measuring import Bench, batch_sizes
from scripts.benching.postgres_alone import (
    BATCH,
    CONNECTIONS,
    STATEMENT_SECONDS_MAX,
    Postgres,
    postgres_alone,
)
from scripts.benching.probe import Shard

ROUNDS = 5
WARM_SECONDS = 1.0
SINGLE_AIM, BATCH_AIM, HOT_AIM = 20.0, 0.5, 1.0

_RESERVED = """SELECT coalesce(sum(reserved), 0)::bigint FROM stock
  WHERE sku = ANY($1)"""


class HoldsRound(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of each, in holds a second; `told` until all events are in the stream.

    `kept` is how many more pieces were reserved in the database after the holds than
    before, `left` how many still were when all was given back. `cpu_ms_each` is what a
    hold on the one SKU cost by process, who asks among them, until its event was told.
    """

    single_row_per_second: float
    batch_per_second: float
    hot: Done
    uniform: Done
    hot_told_per_second: float
    kept: int
    left: int
    cpu_ms_each: dict[str, float] = {}

    @property
    def held(self) -> int:
        """How many holds were answered."""
        return self.hot.count + self.uniform.count


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """All turns, and the ratios of the middle one."""

    callers: int
    connections: int
    batch: int
    skus: int
    rounds: list[HoldsRound]
    cpus: int = 1
    batch_sizes: dict[str, float] = {}

    @property
    def cpu_ms_each(self) -> dict[str, float]:
        """What a hold costs by process, the dearest first: the middle of all turns."""
        names = {name for one in self.rounds for name in one.cpu_ms_each}
        costs = {
            name: median(one.cpu_ms_each.get(name, 0.0) for one in self.rounds)
            for name in names
        }
        return dict(sorted(costs.items(), key=lambda item: -item[1]))

    def faults(self) -> list[str]:
        """Why the figures do not count."""
        found = []
        for one in self.rounds:
            errors = one.hot.errors | one.uniform.errors
            if errors:
                found.append(f"holds that were not answered well: {errors}")
            elif one.kept != one.held:
                found.append(f"{one.held} holds answered, {one.kept} pieces reserved")
            if one.left:
                found.append(f"{one.left} pieces more are reserved than before")
        return found

    def aims(self) -> list[Aim]:
        """What holds on one SKU are held against."""
        return [
            Aim(
                key="holds-by-single-rows",
                what=f"holds on one SKU by Postgres alone, a row at a time, "
                f"{self.connections} connections",
                figure=self._ratio("single_row_per_second"),
                aim=SINGLE_AIM,
                reason=self._reason(),
            ),
            Aim(
                key="holds-by-batches",
                what=f"holds on one SKU by Postgres alone, {self.batch} in a statement",
                figure=self._ratio("batch_per_second"),
                aim=BATCH_AIM,
                reason=self._reason(),
            ),
            Aim(
                key="holds-hot-by-uniform",
                what=f"holds on one SKU by holds on {self.skus}",
                figure=median(
                    one.hot.per_second / max(one.uniform.per_second, 1e-9)
                    for one in self.rounds
                ),
                aim=HOT_AIM,
            ),
        ]

    def title(self) -> str:
        """What was done, for people."""
        return (
            f"holds, {self.callers} at a time, the middle of {len(self.rounds)} turns"
        )

    def rows(self) -> list[Row]:
        """What it came to, for people."""
        hot = [one.hot for one in self.rounds]
        uniform = [one.uniform for one in self.rounds]
        told, single, batch = (
            self._middle(name)
            for name in (
                "hot_told_per_second",
                "single_row_per_second",
                "batch_per_second",
            )
        )
        return [
            row_of("one SKU", hot),
            Row("one SKU, until its events are in the stream", told),
            row_of(f"{self.skus} SKUs", uniform),
            Row(f"Postgres, {self.connections} connections, one at a time", single),
            Row(f"Postgres, one connection, {self.batch} at a time", batch),
        ]

    def _reason(self) -> str:
        """How many holds all CPUs together have room for, as each costs them."""
        costs = self.cpu_ms_each
        if not sum(costs.values()):
            return ""
        most = ", ".join(f"{name} {ms:.2f}" for name, ms in list(costs.items())[:4])
        total = sum(costs.values())
        return (
            f"a hold costs {total:.2f} CPU-ms ({most}): {self.cpus} CPUs have room "
            f"for {self.cpus * 1000 / total:.0f}/s"
        )

    def _middle(self, name: str) -> float:
        figures: list[float] = [getattr(one, name) for one in self.rounds]
        return median(figures)

    def _ratio(self, name: str) -> float:
        ratios: list[float] = [
            one.hot.per_second / max(getattr(one, name), 1e-9) for one in self.rounds
        ]
        return median(ratios)


async def measure_holds(bench: Bench, callers: int, seconds: float) -> Holds:
    """Turns of Postgres alone, of one SKU, and of all; each gives all back."""
    url = bench.place.urls["inventory"]
    async with postgres_alone(url) as postgres, asking(bench.place) as sent:
        await sent.do(_hold(bench.skus, callers, min(WARM_SECONDS, seconds)))
        await sent.do(Errand(what="give-back"))
        mark = await bench.still()
        before = await bench.shards()
        turns = _Turns(bench, postgres, sent, before, mark, callers, seconds / ROUNDS)
        rounds = [await turns.take(number) for number in range(ROUNDS)]
        after = await bench.shards()
    return Holds(
        callers=callers,
        connections=CONNECTIONS,
        batch=BATCH,
        skus=len(bench.skus),
        rounds=rounds,
        cpus=len(os.sched_getaffinity(0)),
        batch_sizes=batch_sizes(before, after),
    )


class _Turns(msgspec.Struct, frozen=True):
    """What is the same in every turn."""

    bench: Bench
    postgres: Postgres
    sent: Errands
    shards: dict[str, Shard]
    mark: Mark
    callers: int
    seconds: float

    async def take(self, number: int) -> HoldsRound:
        """One turn of each."""
        before = await _reserved(self.bench)
        single = await self.postgres.single_rows(self.seconds)
        batches = await self.postgres.batches(self.seconds)
        # Who is first changes, so that neither has always the fresher tables.
        if number % 2:
            hot, uniform = await self._hot(), await self._held(self.bench.skus)
        else:
            uniform, hot = await self._held(self.bench.skus), await self._hot()
        done, applied_at, costs = hot
        kept = await _reserved(self.bench) - before
        await self.sent.do(Errand(what="give-back"))
        await self.bench.applied(self.mark)
        return HoldsRound(
            single_row_per_second=single,
            batch_per_second=batches,
            hot=done,
            uniform=uniform,
            hot_told_per_second=done.count / (applied_at - done.begun_at),
            kept=kept,
            left=await _reserved(self.bench) - before,
            cpu_ms_each=costs,
        )

    async def _hot(self) -> tuple[Done, float, dict[str, float]]:
        """Holds on one SKU, when all was told, and what each cost by process."""
        before = self.bench.usage(self.shards)
        done = await self._hold(self.bench.skus[:1])
        applied_at = await self.bench.applied(self.mark)
        spent = self.bench.usage(self.shards).since(before)
        spent["who asks"] = done.cpu_seconds
        each = 1000 / max(done.count, 1)
        return done, applied_at, {name: cost * each for name, cost in spent.items()}

    async def _held(self, skus: tuple[str, ...]) -> Done:
        """Holds, and all that they set off."""
        done = await self._hold(skus)
        await self.bench.applied(self.mark)
        return done

    async def _hold(self, skus: tuple[str, ...]) -> Done:
        return await self.sent.do(_hold(skus, self.callers, self.seconds))


def _hold(skus: tuple[str, ...], callers: int, seconds: float) -> Errand:
    return Errand(what="hold", skus=skus, callers=callers, seconds=seconds)


async def _reserved(bench: Bench) -> int:
    """How many pieces of the bench's goods are promised now."""
    connection = await asyncpg.connect(
        bench.place.urls["inventory"], command_timeout=STATEMENT_SECONDS_MAX
    )
    try:
        return int(await connection.fetchval(_RESERVED, list(bench.skus)))
    finally:
        await connection.close()
