"""Events from their commit to their effect: one at a time, in a stream, and in a heap.

Commits are timed by Postgres itself (`track_commit_timestamp`): that of the transaction
which wrote the event to inventory's outbox, and that of the one which wrote the
consumer's handled row, and with it the effect, in products. Both databases must be of
one server, or of two with one clock.
"""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from bus.inventory import StockAdjusted
from bus.kit.streams import EVENTS
from scripts.benching.aims import Aim, Side
from scripts.benching.applied import APPLIED_SECONDS_MAX, Mark, Watch
from scripts.benching.costs import CONNECT_SECONDS_MAX
from scripts.benching.load import share_of
from scripts.benching.measuring import Bench
from scripts.benching.publishing import Raw, publish_raw
from scripts.benching.telling import Telling, Told, tell
from scripts.launcher.failures import Failure

EVENTS_RATE = 1_000.0
RELAYED_MAX = 20_000
LOOK_SECONDS = 0.01
PAUSE_SECONDS_MAX = 300.0
READ_SECONDS_MAX = 60.0
LAG_MS_AIM, RELAY_AIM, BACKLOG_SECONDS_AIM = 20.0, 0.7, 15.0
TELLER, CONSUMER = "inventory", "products"

_LAST = "SELECT slot, coalesce(max(n), 0) AS n FROM outbox GROUP BY slot"
_TOLD = """SELECT id, payload, pg_xact_commit_timestamp(outbox.xmin) AS at FROM outbox
  WHERE subject = $1 AND n > coalesce((SELECT before.n FROM
    unnest($2::smallint[], $3::bigint[]) AS before (slot, n)
    WHERE before.slot = outbox.slot), 0)"""
_HANDLED = """SELECT command_id, pg_xact_commit_timestamp(handled.xmin) AS at
  FROM handled WHERE command_id = ANY($1)"""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Events that wait for a bridge: told while none was there, then taken up.

    Seconds are from the moment that the bridges went on.
    """

    told: int
    failed: int
    missing: int
    published_seconds: float
    applied_seconds: float
    cpu_ms_each: dict[str, float]


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """What came of all three; lags are from commit to commit, `missing` never came."""

    asked_per_second: float
    told: int
    failed: int
    missing: int
    told_per_second: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    relayed: int
    relayed_per_second: float
    raw: Raw
    backlog: Backlog

    def faults(self) -> list[str]:
        """Why the figures do not count."""
        found = []
        for what, one in (("events", self), ("a backlog", self.backlog)):
            if one.failed:
                found.append(f"{what}: {one.failed} commands were not done")
            if one.missing:
                found.append(f"{what}: {one.missing} were never applied")
        return found

    def aims(self) -> list[Aim]:
        """The aims of issue 5 for events."""
        raw = self.raw.pipelined_per_second
        waited = self.backlog
        return [
            Aim(
                key="event-lag-p99",
                what=f"commit to applied at {self.asked_per_second:g} events/s, p99",
                figure=self.lag_p99_ms,
                aim=LAG_MS_AIM,
                side=Side.AT_MOST,
                unit="ms",
            ),
            Aim(
                key="relay-by-raw",
                what="relayed by raw pipelined publishing",
                figure=self.relayed_per_second / raw if raw else 0.0,
                aim=RELAY_AIM,
            ),
            Aim(
                key="backlog-seconds",
                what=f"a backlog of {waited.told} events applied",
                figure=waited.applied_seconds,
                aim=BACKLOG_SECONDS_AIM,
                side=Side.AT_MOST,
                unit="s",
            ),
        ]


class _Written(msgspec.Struct, frozen=True):
    """Events of the outbox, and when each and its effect were committed."""

    rows: list[tuple[str, str]]
    lags_ms: list[float]
    last: float
    missing: int


async def measure_events(
    bench: Bench, *, rate: float, seconds: float, backlog: int
) -> Events:
    """At a rate, then relayed alone, then a backlog; nothing else may be under way."""
    scene = await _Scene.open(bench)
    try:
        await scene.tell(1, 0.0)  # the first of all opens connections
        told, written = await scene.at_rate(max(1, int(rate * seconds)), rate)
        relayed, relay_seconds, raw = await scene.relay(min(backlog, RELAYED_MAX))
        waited = await scene.backlog(backlog)
    finally:
        await scene.close()
    return Events(
        asked_per_second=rate,
        told=told.done,
        failed=told.failed,
        missing=written.missing,
        told_per_second=told.done / told.seconds,
        lag_p50_ms=share_of(written.lags_ms, 0.5),
        lag_p99_ms=share_of(written.lags_ms, 0.99),
        lag_max_ms=max(written.lags_ms, default=0.0),
        relayed=relayed,
        relayed_per_second=relayed / relay_seconds,
        raw=raw,
        backlog=waited,
    )


class _Scene:
    """The shop under measure, with the two databases that tell when."""

    def __init__(self, bench: Bench, watch: Watch, teller: Any, consumer: Any) -> None:
        self._bench = bench
        self._watch = watch
        self._teller = teller
        self._consumer = consumer

    @classmethod
    async def open(cls, bench: Bench) -> "_Scene":
        """Connect; raises `Failure` where Postgres keeps no commit times."""
        urls = bench.place.urls
        teller, consumer = [
            await asyncpg.connect(
                urls[name],
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=READ_SECONDS_MAX,
            )
            for name in (TELLER, CONSUMER)
        ]
        scene = cls(bench, await Watch.open(bench.place), teller, consumer)
        for each in (teller, consumer):
            if await each.fetchval("SHOW track_commit_timestamp") != "on":
                await scene.close()
                raise Failure("this scene needs track_commit_timestamp = on")
        return scene

    async def close(self) -> None:
        """End all connections."""
        await self._teller.close()
        await self._consumer.close()
        await self._watch.close()

    async def tell(self, count: int, rate: float) -> Told:
        """Have so many events told, of new SKUs."""
        mark = f"EVENT-{uuid.uuid4().hex[:8].upper()}"
        telling = Telling(mark=mark, count=count, rate=rate)
        return await tell(self._bench.place, self._bench.ray, telling)

    async def at_rate(self, count: int, rate: float) -> tuple[Told, _Written]:
        """A stream of events at a steady rate."""
        before, mark = await self._last(), await self._watch.mark()
        told = await self.tell(count, rate)
        await self._watch.wait(mark)
        return told, await self._written(before)

    async def relay(self, count: int) -> tuple[int, float, Raw]:
        """How fast outboxes become the stream's; their consumer is paused meanwhile.

        Beside, what the stream takes of the same payloads from one client alone.
        """
        before = await self._last()
        js = self._watch.js
        async with self._frozen():
            mark = await self._watch.mark()
            told = await self.tell(count, 0.0)
            until = datetime.now(UTC) + timedelta(seconds=PAUSE_SECONDS_MAX)
            await js.pause_consumer(EVENTS, CONSUMER, f"{until:%Y-%m-%dT%H:%M:%SZ}")
        begun = time.perf_counter()
        try:
            seconds = await self._published(mark, told.done) - begun
        finally:
            await js.resume_consumer(EVENTS, CONSUMER)
        await self._watch.wait(mark)
        rows = (await self._written(before)).rows
        raw = await publish_raw(self._bench.place.nats_url, rows)
        return told.done, seconds, raw

    async def backlog(self, count: int) -> Backlog:
        """What waits while no bridge runs, until the last of it is applied."""
        before = await self._last()
        shards = await self._bench.shards()
        async with self._frozen():
            mark = await self._watch.mark()
            told = await self.tell(count, 0.0)
            usage = self._bench.usage(shards)
            begun_at: datetime = await self._consumer.fetchval(
                "SELECT clock_timestamp()"
            )
        begun = time.perf_counter()
        published = await self._published(mark, told.done) - begun
        await self._watch.wait(mark)
        spent = self._bench.usage(shards).since(usage)
        written = await self._written(before)
        each = max(told.done, 1)
        return Backlog(
            told=told.done,
            failed=told.failed,
            missing=written.missing,
            published_seconds=published,
            applied_seconds=written.last - begun_at.timestamp(),
            cpu_ms_each={name: s * 1000 / each for name, s in sorted(spent.items())},
        )

    @asynccontextmanager
    async def _frozen(self) -> AsyncIterator[None]:
        """All bridges stopped as they are; they go on also when the bench is ended."""
        found = await self._bench.shards()
        pids = [one.pid for name, one in found.items() if name.startswith("bridge/")]
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is run by a task
        # By itself SIGTERM ends a process where it stands, and the bridges stay so.
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        _signal(pids, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pids, signal.SIGCONT)
            loop.remove_signal_handler(signal.SIGTERM)

    async def _published(self, before: Mark, count: int) -> float:
        """When the stream has so many more events, by the bench's clock."""
        end = time.perf_counter() + APPLIED_SECONDS_MAX
        while await self._watch.streamed() - before.streamed < count:
            if time.perf_counter() > end:
                raise Failure(f"not all events came in {APPLIED_SECONDS_MAX:g} s")
            await asyncio.sleep(LOOK_SECONDS)
        return time.perf_counter()

    async def _last(self) -> dict[int, int]:
        rows = await self._teller.fetch(_LAST)
        return {row["slot"]: row["n"] for row in rows}

    async def _written(self, before: dict[int, int]) -> _Written:
        """The events that were told since, beside their effects."""
        slots = sorted(before)
        numbers = [before[slot] for slot in slots]
        subject = StockAdjusted.nats_subject()
        told = await self._teller.fetch(_TOLD, subject, slots, numbers)
        ids = [row["id"] for row in told]
        found = await self._consumer.fetch(_HANDLED, ids)
        handled = {row["command_id"]: row["at"].timestamp() for row in found}
        return _Written(
            rows=[(str(row["id"]), row["payload"]) for row in told],
            lags_ms=_lags(told, handled),
            last=max(handled.values(), default=0.0),
            missing=len(told) - len(handled),
        )


def _lags(told: Sequence[Any], handled: dict[uuid.UUID, float]) -> list[float]:
    return [
        (handled[row["id"]] - row["at"].timestamp()) * 1000
        for row in told
        if row["id"] in handled
    ]


def _signal(pids: Sequence[int], number: int) -> None:
    for pid in pids:
        os.kill(pid, number)
