"""One measurement: the yardstick, then a scene, with what it cost on every side."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from scripts.auditing import streaming
from scripts.auditing.place import Place
from scripts.auditing.rest import wait_for_rest
from scripts.benching.applied import APPLIED_SECONDS_MAX, Mark, Watch
from scripts.benching.costs import Costs, read_costs
from scripts.benching.load import Load, in_processes, share_of
from scripts.benching.probe import Shard, probe
from scripts.benching.processes import Usage, ray_address
from scripts.benching.ray_load import as_ray_tasks
from scripts.benching.scenes import Task, Visit
from scripts.benching.series import Moment
from scripts.launcher.failures import Failure

REQUESTS_MAX = 100_000
NOOP_SHARE = 0.5
WARM_OPERATIONS = 20
WARM_SECONDS_MAX = 60.0
WARM_CLIENTS = 4
STILL_SECONDS = 0.5
STILL_TRIES_MAX = 60
Meanwhile = Callable[[dict[str, Shard]], Awaitable[None]]
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one number of clients.

    `per_second` counts until the last effect of the last operation,
    `answered_per_second` until its answer. `steps` are the latencies of single
    requests in ms. `asked_per_second` is 0 in a closed loop; else the latencies of
    operations count from when each was due. The server's WAL is that of all databases.
    `over_time` is the load in slices, as its clients saw it.
    """

    clients: int
    scene: str
    asked_per_second: float
    operations: int
    orders: int
    per_second: float
    answered_per_second: float
    applied_after_seconds: float
    applied: bool
    p50_ms: float
    p95_ms: float
    p99_ms: float
    event_lag_p50_ms: float
    event_lag_p99_ms: float
    wal_bytes_each: float
    fsyncs_each: float
    noop_per_second: float
    noop_p50_ms: float
    ratio: float
    client_cpu_ms_each: float
    errors: dict[str, int]
    steps: dict[str, float]
    cpu_ms_each: dict[str, float]
    transactions_each: dict[str, float]
    batch_sizes: dict[str, float]
    calls_each: dict[str, float]
    over_time: list[Moment] = []


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that counts up, at one moment."""

    mark: Mark
    costs: Costs
    shards: dict[str, Shard]


class Bench:
    """A shop under measure: its addresses, its goods, and who its processes are."""

    def __init__(
        self,
        place: Place,
        skus: tuple[str, ...],
        seconds: float,
        *,
        visits: tuple[Visit, ...] = (),
        rate: float = 0.0,
        processes: int = 1,
        from_ray: bool = False,
        url: str = "",
    ) -> None:
        self.answered: list[str] = []
        self.place = place
        self.url = url or place.run.urls["local"]
        self.skus = skus
        self._visits = visits
        self._seconds = seconds
        self._rate = rate
        self._processes = processes
        self.ray = place.settings.ray_address or ray_address(place.run.keeper.pid)
        self._from_ray = from_ray

    async def warm_up(self, scene: str) -> None:
        """A few operations that nobody counts, so that nothing is first."""
        task = self.task(scene, WARM_CLIENTS, WARM_SECONDS_MAX)
        await self.load(
            msgspec.structs.replace(task, requests_max=WARM_OPERATIONS, rate=0.0)
        )

    async def noop(self, clients: int) -> Load:
        """The route that does nothing, at the same number of clients."""
        return await self.load(
            Task(
                url=self.url,
                clients=clients,
                seconds=self._seconds * NOOP_SHARE,
                requests_max=REQUESTS_MAX,
            )
        )

    async def measure(self, scene: str, clients: int) -> Measured:
        """Nothing at all, then the scene until all that it set off has happened."""
        noop = await self.noop(clients)
        task = self.task(scene, clients, self._seconds)
        return measured(task, await self.span(task, noop))

    async def span(
        self, task: Task, noop: Load, meanwhile: Meanwhile | None = None
    ) -> "Span":
        """A load, and what is seen before and after it; `meanwhile` runs beside."""
        watch = await Watch.open(self.place)
        try:
            shards = await self.shards()
            costs, mark = await read_costs(self.place.urls), await watch.mark()
            before = Reading(mark=mark, costs=costs, shards=shards)
            usage = self.usage(shards)
            beside = meanwhile(shards) if meanwhile else asyncio.sleep(0)
            load, _ = await asyncio.gather(self.load(task), beside)
            applied = await watch.wait(before.mark)
            applied_at = time.time()
            spent = self.usage(shards, apart=load.pids).since(usage)
            costs, mark = await read_costs(self.place.urls), await watch.mark()
            later = await self.shards()
            after = Reading(mark=mark, costs=costs, shards=later)
            lags = await watch.lags(before.mark, after.mark)
        finally:
            await watch.close()
        return Span(
            load=load,
            noop=noop,
            applied=applied,
            applied_at=applied_at,
            spent=spent,
            lags=lags,
            before=before,
            after=after,
        )

    async def shards(self) -> dict[str, Shard]:
        """Every shard and bridge by name."""
        return await probe(self.place, self.ray)

    async def rest(self) -> None:
        """Wait until nothing is under way any more, whenever it was begun.

        Asks as the audit does. A mark cannot say it: what had been told before the
        mark and not yet published would be missed, then waited for in vain.
        """
        connection = await streaming.connect(self.place.nats_url)
        try:
            rest = await wait_for_rest(self.place.urls, connection, APPLIED_SECONDS_MAX)
        finally:
            await connection.close()
        if not rest.reached:
            raise Failure(rest.words())

    async def still(self) -> Mark:
        """How many events there are, once there come no more for a moment."""
        watch = await Watch.open(self.place)
        try:
            before = await watch.mark()
            for _ in range(STILL_TRIES_MAX):
                await asyncio.sleep(STILL_SECONDS)
                now = await watch.mark()
                if now == before:
                    break
                before = now
            return before
        finally:
            await watch.close()

    async def applied(self, since: Mark) -> float:
        """Wait for all that was told since: when it was published and consumed."""
        watch = await Watch.open(self.place)
        try:
            if not await watch.wait(since):
                raise Failure("what the load set off did not come to its end in time")
            return time.time()
        finally:
            await watch.close()

    async def load(self, task: Task) -> Load:
        """Run it, and remember the orders that were answered with 201."""
        if self._from_ray:
            load = await as_ray_tasks(task, self._processes, self.place, self.ray)
        else:
            load = await in_processes(task, self._processes)
        self.answered += load.order_ids
        return load

    def task(self, scene: str, clients: int, seconds: float) -> Task:
        """The bench's goods and pages, for this scene."""
        return Task(
            url=self.url,
            clients=clients,
            seconds=seconds,
            requests_max=REQUESTS_MAX,
            scene=scene,
            rate=self._rate,
            skus=self.skus,
            visits=self._visits,
            seed=clients,
        )

    def usage(self, shards: dict[str, Shard], apart: Sequence[int] = ()) -> Usage:
        """CPU seconds of the shop's processes so far, by what they are."""
        names = {shard.pid: name for name, shard in shards.items()}
        return Usage(self.place.run.keeper.pid, names, apart)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A load, and what was seen before and after it."""

    load: Load
    noop: Load
    applied: bool
    applied_at: float
    spent: dict[str, float]
    lags: Sequence[float]
    before: Reading
    after: Reading


def measured(task: Task, span: Span) -> Measured:
    """The figures of one load."""
    load, noop = span.load, span.noop
    count = load.good
    each = max(count, 1)
    costs = span.after.costs.since(span.before.costs)
    rate = count / (span.applied_at - load.begun_at)
    noop_rate = noop.good / noop.seconds
    calls = _calls(span.before.shards, span.after.shards)
    return Measured(
        clients=task.clients,
        scene=task.scene,
        asked_per_second=task.rate,
        operations=count,
        orders=len(load.order_ids),
        per_second=rate,
        answered_per_second=count / load.seconds,
        applied_after_seconds=span.applied_at - load.ended_at,
        applied=span.applied,
        p50_ms=load.at(0.5),
        p95_ms=load.at(0.95),
        p99_ms=load.at(0.99),
        event_lag_p50_ms=share_of(list(span.lags), 0.5),
        event_lag_p99_ms=share_of(list(span.lags), 0.99),
        wal_bytes_each=costs.wal_bytes / each,
        fsyncs_each=costs.fsyncs / each,
        noop_per_second=noop_rate,
        noop_p50_ms=noop.at(0.5),
        ratio=rate / noop_rate if noop_rate else 0.0,
        client_cpu_ms_each=load.cpu_seconds / each * 1000,
        errors=errors_of(load) | {f"noop {k}": n for k, n in errors_of(noop).items()},
        steps=steps_of(load),
        cpu_ms_each=_shared({k: s * 1000 for k, s in span.spent.items()}, each),
        transactions_each=_shared(costs.transactions, each),
        batch_sizes=batch_sizes(span.before.shards, span.after.shards),
        calls_each=_shared(calls, each),
        over_time=load.moments(),
    )


def errors_of(load: Load) -> dict[str, int]:
    """What was not answered well, by what it was answered with, and why not at all."""
    refused = {
        kind: len(times)
        for kind, times in load.by_kind.items()
        if kind.startswith(("answered ", "refused "))
    }
    return dict(load.errors) | refused


def steps_of(load: Load) -> dict[str, float]:
    """Latencies in ms of each kind of request, refused ones by who refused."""
    return {
        f"{kind} {name} ms": share_of(times, share)
        for kind, times in sorted(load.by_kind.items())
        for name, share in SHARES.items()
    }


def _shared(figures: dict[str, float] | dict[str, int], each: int) -> dict[str, float]:
    return {name: figure / each for name, figure in sorted(figures.items())}


def batch_sizes(before: dict[str, Shard], after: dict[str, Shard]) -> dict[str, float]:
    """The messages of one transaction by shard, on average between two probes."""
    found = {}
    for name, now in after.items():
        then = before.get(name)
        if then is not None and now.batches_total > then.batches_total:
            messages = now.messages_total - then.messages_total
            found[name] = messages / (now.batches_total - then.batches_total)
    return found


def _calls(before: dict[str, Shard], after: dict[str, Shard]) -> dict[str, int]:
    """The Ray calls that each shard and bridge made between two probes."""
    return {
        name: now.calls_total - before[name].calls_total
        for name, now in after.items()
        if name in before
    }
