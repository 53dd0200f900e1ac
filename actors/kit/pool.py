"""Pools on Ray: the processes of shards and bridges, and how all are started."""

import asyncio
import os
import signal
from datetime import datetime
from typing import Any

import ray

from actors import DOMAINS
from actors.kit.auditor import make_auditor
from actors.kit.declarations import alert, domain_class, services
from actors.kit.lane import Address, ShardGone
from actors.kit.making import make_shard
from actors.kit.reach import (
    AUDITOR_NAME,
    NAMESPACE,
    RayTransport,
    adopting,
    connect,
)
from actors.kit.relay import Published
from actors.kit.standby_actor import StandbyActor
from actors.kit.tenure import Tenure
from bus.kit import logs, memory, telemetry
from bus.kit.bridge import Bridge
from bus.kit.messages import decode, encode
from bus.kit.niceness import give_way
from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings
from bus.kit.streams import Position
from persistence.kit.migrations import migrate
from persistence.kit.outbox import OutboxRow

START_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 5.0

log = logs.get("pool")


@ray.remote(concurrency_groups={"control": 8})  # type: ignore[call-overload]
class ShardActor:
    """A shard's process. Ray starts it again when it dies; it takes over by itself."""

    def __init__(self, name: str, number: int, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        self._address = Address((name, number))
        telemetry.start(settings, str(self._address))
        self._reach = RayTransport()
        self._adopting = adopting(self._reach, settings)
        self._shard, self._asker = make_shard(
            settings, self._address, self._reach, self._adopting, self._leave
        )
        domain_class(name).warm()  # before it is handed its keys, not after
        self._tenure = Tenure(
            self._address, self._shard, self._adopting, end=_end_process, log=log
        )
        memory.settle()
        give_way(settings.pool_nice)
        ray.get_runtime_context().current_actor.start.remote()

    async def start(self) -> None:
        """Take over, once; asks that come before wait for it."""
        await self._tenure.start()

    async def receive(self, envelope: bytes) -> bytes:
        """Run an envelope of messages."""
        return await self._tenure.receive(envelope)

    async def collect(self, lane: str) -> bytes:
        """Wait for the tickets of a lane."""
        return await self._tenure.collect(lane)

    async def look(self) -> list[int]:
        """See at once which slots are the shard's; they."""
        return await self._tenure.look()

    async def hand_over(self) -> float | None:
        """Have a standby answer, for this process is about to be renewed."""
        return await self._tenure.hand_over()

    async def health(self) -> bytes:
        """What the shard counts, and whether its database answers."""
        calls = {"calls_total": self._reach.calls_total}
        return encode(await self._tenure.health() | calls)

    @ray.method(concurrency_group="control")
    async def measures(self) -> bytes:
        """What the shard counts; told even while its own loop hangs."""
        return encode([*self._shard.counts.samples(), *self._asker.samples()])

    @ray.method(concurrency_group="control")
    async def ping(self) -> bytes:
        """Answered apart from all work, for as long as the process is not frozen."""
        return await self._tenure.ping()

    @ray.method(concurrency_group="control")
    async def pid(self) -> int:
        """The process, for tests and tools that kill it."""
        return os.getpid()

    async def stop(self) -> None:
        """End in good order."""
        await self._shard.stop()

    async def _leave(self) -> None:
        """A newer incarnation owns the slots: end as if killed.

        Ray starts again whom it counts as the shard's process, and nobody else. So a
        copy that was cut off stays away, and one that was fenced by a standby, or by
        such a copy which nobody can reach, comes back and takes over.
        """
        _end_process()


def _end_process() -> None:
    """End as if it had been killed: Ray starts it again."""
    os.kill(os.getpid(), signal.SIGKILL)


@ray.remote(concurrency_groups={"control": 8})  # type: ignore[call-overload]
class BridgeActor:
    """A bridge's process."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        name = f"bridge/{number}"
        telemetry.start(settings, name)
        mine = [
            domain
            for index, domain in enumerate(sorted(DOMAINS))
            if index % settings.bridges == number
        ]
        consumers = {domain: domain_class(domain).consumes() for domain in mine}
        self._asker = connect(settings, name)
        self._bridge = Bridge(
            settings.nats_url,
            self._asker.ask,
            name=name,
            consumers={domain: kinds for domain, kinds in consumers.items() if kinds},
            services=services(),
            log=logs.get("bridge"),
            replicas=settings.nats_replicas,
            alert=alert() if number == 0 else None,
        )
        memory.settle()
        give_way(settings.pool_nice)
        self._starting: asyncio.Task[None] | None = None
        ray.get_runtime_context().current_actor.start.remote()

    async def start(self) -> None:
        """Connect and begin, once; the first call of any kind does it."""
        await asyncio.shield(self._begin())

    def _begin(self) -> asyncio.Task[None]:
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._bridge.start())
        return self._starting

    async def publish(self, data: bytes) -> bytes:
        """Publish outbox rows."""
        await self.start()
        rows = decode(list[OutboxRow], data)
        return encode(Published(*await self._bridge.publish(rows)))

    async def health(self) -> bytes:
        """Whether NATS is connected, and what has passed."""
        self._begin()
        return encode(
            {
                "connected": self._bridge.connected,
                "calls_total": self._asker.calls_total,
                "published_total": self._bridge.published_total,
                "delivered_total": {
                    one.domain: one.delivered_total for one in self._bridge.consumers
                },
                "under_way": {
                    one.domain: one.under_way for one in self._bridge.consumers
                },
            }
        )

    @ray.method(concurrency_group="control")
    async def measures(self) -> bytes:
        """What the bridge counts."""
        return encode([*self._bridge.meters.samples(), *self._asker.samples()])

    async def replay_dead(self, domain: str, subject: str | None) -> int:
        """Deliver a domain's dead letters again."""
        return await self._bridge.replay_dead(domain, subject)

    async def replay(
        self, domain: str, sequence: int | None, since: datetime | None
    ) -> int | None:
        """Deliver a domain's events again from a position on; how many."""
        await self.start()
        return await self._bridge.replay(domain, Position(sequence, since))

    @ray.method(concurrency_group="control")
    async def ping(self) -> bytes:
        """Answered apart from all work."""
        return b""

    @ray.method(concurrency_group="control")
    async def pid(self) -> int:
        """The process, for tests and tools that kill it."""
        return os.getpid()


async def start(settings: Settings) -> None:
    """Start (or find) all pools and bridges; returns when each has taken over."""
    names = [
        (name, number) for name in DOMAINS for number in range(settings.shards(name))
    ]
    environment = settings.export()
    handles = [
        _create(ShardActor, f"{name}/{number}", settings, name, number, environment)
        for name, number in names
    ]
    handles += [
        _create(BridgeActor, f"bridge/{number}", settings, number, environment)
        for number in range(settings.bridges)
    ]
    starting = asyncio.gather(*(handle.start.remote() for handle in handles))
    try:
        await asyncio.wait_for(starting, START_SECONDS_MAX)
    except TimeoutError:
        raise TimeoutError(
            f"the pools did not start within {START_SECONDS_MAX:.0f} s"
        ) from None


def attend(settings: Settings) -> list[str]:
    """Start (or find) who looks after the pools: standbys, the auditor; their names.

    The shop is open without them: nobody waits, and what opens it goes first.
    """
    environment = settings.export()
    names = [f"standby/{number}" for number in range(settings.standbys)]
    for number, name in enumerate(names):
        _create(StandbyActor, name, settings, number, environment)
    return [*names, *([AUDITOR_NAME] if make_auditor(settings) else [])]


def _create(actor: Any, name: str, settings: Settings, *values: Any) -> Any:
    """A detached actor that Ray restarts for ever; lanes send calls again."""
    return actor.options(
        name=name,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=0,
        num_cpus=settings.actor_cpus,
        max_concurrency=10_000,
        scheduling_strategy="SPREAD",
    ).remote(*values)


async def resize(settings: Settings, domain: str, before: int, count: int) -> None:
    """Give a domain's slots to `count` shards, whose actors are made where missing.

    `before` is how many there may be. A shard that has no slots left is not ended
    here, since others may ask it yet: see `end`. What is asked meanwhile is told by the
    old owner who the new one is. `settings` have the new count.
    """
    environment = settings.export()
    new = [
        _create(ShardActor, f"{domain}/{number}", settings, domain, number, environment)
        for number in range(before, count)
    ]
    async with asyncio.timeout(START_SECONDS_MAX):
        await asyncio.gather(*(handle.start.remote() for handle in new))
        await migrate(domain, settings.database_url(domain), count)  # spreads the slots
        transport = RayTransport()
        numbers = range(max(before, count))
        # Those that lose slots first: they go on to tell their unpublished events.
        for number in sorted(numbers, reverse=count < before):
            await transport.call(f"{domain}/{number}", "look")


async def end(domain: str, numbers: range) -> None:
    """End shards that own nothing any more; raises Unavailable while one does.

    Whoever asks one after that is sent to the pool's first, by its lane.
    """
    transport = RayTransport()
    for number in numbers:
        name = f"{domain}/{number}"
        try:
            owned = await transport.call(name, "look")
        except ShardGone:
            continue  # it has ended already
        if owned:
            raise Unavailable(f"{name} owns slots")
        await asyncio.to_thread(_end, name)


async def stop(settings: Settings) -> None:
    """End all shards in good order; what is under way is taken up at the next start."""
    transport = RayTransport()
    for name in (f"standby/{number}" for number in range(settings.standbys)):
        stopping = asyncio.wait_for(transport.call(name, "stop"), STOP_SECONDS_MAX)
        await asyncio.gather(stopping, return_exceptions=True)
        await asyncio.to_thread(_end, name)  # else it would adopt what is ended
    names = [
        f"{name}/{number}"
        for name in DOMAINS
        for number in range(settings.shards(name))
    ]
    await asyncio.gather(
        *(transport.call(name, "stop") for name in names), return_exceptions=True
    )
    bridges = [f"bridge/{number}" for number in range(settings.bridges)]
    # The auditor goes first: it would only find that the others are away.
    for name in (AUDITOR_NAME, *names, *bridges):
        await asyncio.to_thread(_end, name)


def _end(name: str) -> None:
    """End an actor's process for good: a detached one outlives who made it."""
    try:
        ray.kill(ray.get_actor(name, NAMESPACE), no_restart=True)
    except ValueError:
        return  # it is gone already
