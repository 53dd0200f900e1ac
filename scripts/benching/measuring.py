"""One measurement: the yardstick, then orders, at one number of clients."""

import time
from typing import Any

import msgspec

from scripts.auditing.place import Place
from scripts.benching.applied import Watch
from scripts.benching.load import Load, Task, in_process
from scripts.benching.probe import Shard, probe
from scripts.benching.processes import Usage, ray_address

REQUESTS_MAX = 100_000
NOOP_SHARE = 0.5
WARM_ORDERS = 20
WARM_CLIENTS = 4


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one number of clients.

    `orders_per_second` counts until the last effect of the last order,
    `answered_per_second` until its answer.
    """

    clients: int
    orders: int
    orders_per_second: float
    answered_per_second: float
    applied_after_seconds: float
    applied: bool
    p50_ms: float
    p99_ms: float
    errors: dict[str, int]
    noop_per_second: float
    noop_p50_ms: float
    ratio: float
    cpu_ms_per_order: dict[str, float]
    client_cpu_ms_per_order: float
    batch_sizes: dict[str, float]
    calls_per_order: dict[str, float]


class Bench:
    """A shop under measure: its addresses, its goods, and who its processes are."""

    def __init__(self, place: Place, skus: tuple[str, ...], seconds: float) -> None:
        self.answered: list[str] = []
        self._place = place
        self._skus = skus
        self._seconds = seconds
        self._url = place.run.urls["local"]
        self._ray = ray_address(place.run.keeper.pid)

    async def warm_up(self) -> None:
        """A few orders that nobody counts, so that nothing is first."""
        await self._orders(WARM_CLIENTS, 60.0, WARM_ORDERS)

    async def measure(self, clients: int) -> Measured:
        """Nothing at all, then orders until all that they set off has happened."""
        noop = await in_process(
            Task(
                url=self._url,
                clients=clients,
                seconds=self._seconds * NOOP_SHARE,
                requests_max=REQUESTS_MAX,
            )
        )
        shards = await probe(self._place, self._ray)
        watch = await Watch.open(self._place)
        try:
            before, usage = await watch.mark(), self._usage(shards)
            load = await self._orders(clients, self._seconds, REQUESTS_MAX)
            applied = await watch.wait(before)
            applied_at = time.time()
            spent = self._usage(shards).since(usage)
        finally:
            await watch.close()
        later = await probe(self._place, self._ray)
        return _measured(
            clients=clients,
            noop=noop,
            load=load,
            applied_at=applied_at,
            applied=applied,
            spent=spent,
            batches=_batches(shards, later),
            calls=_calls(shards, later),
        )

    async def _orders(self, clients: int, seconds: float, requests_max: int) -> Load:
        load = await in_process(
            Task(
                url=self._url,
                clients=clients,
                seconds=seconds,
                requests_max=requests_max,
                skus=self._skus,
                seed=clients,
            )
        )
        self.answered += load.order_ids
        return load

    def _usage(self, shards: dict[str, Shard]) -> Usage:
        names = {shard.pid: name for name, shard in shards.items()}
        return Usage(self._place.run.keeper.pid, names)


def _measured(
    *,
    clients: int,
    noop: Load,
    load: Load,
    applied_at: float,
    applied: bool,
    spent: dict[str, float],
    batches: dict[str, float],
    calls: dict[str, int],
) -> Measured:
    count = len(load.order_ids)
    orders = max(count, 1)
    errors: dict[str, Any] = dict(load.errors)
    errors |= {str(key): n for key, n in load.statuses.items() if key != 201}
    errors |= {f"noop {key}": n for key, n in noop.statuses.items() if key != 204}
    errors |= {f"noop {key}": n for key, n in noop.errors.items()}
    rate = count / (applied_at - load.begun_at)
    noop_rate = noop.good / noop.seconds
    return Measured(
        clients=clients,
        orders=count,
        orders_per_second=rate,
        answered_per_second=count / load.seconds,
        applied_after_seconds=applied_at - load.ended_at,
        applied=applied,
        p50_ms=load.at(0.5),
        p99_ms=load.at(0.99),
        errors=errors,
        noop_per_second=noop_rate,
        noop_p50_ms=noop.at(0.5),
        ratio=rate / noop_rate if noop_rate else 0.0,
        cpu_ms_per_order={
            name: cpu / orders * 1000 for name, cpu in sorted(spent.items())
        },
        client_cpu_ms_per_order=load.cpu_seconds / orders * 1000,
        batch_sizes=batches,
        calls_per_order={name: count / orders for name, count in calls.items()},
    )


def _batches(before: dict[str, Shard], after: dict[str, Shard]) -> dict[str, float]:
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
