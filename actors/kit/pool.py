"""Pools on Ray: the one place that says `ray.remote`."""

import asyncio
import os
from typing import Any
from uuid import uuid4

import ray
from ray.exceptions import RayActorError, RayTaskError, TaskCancelledError

from actors import DOMAINS
from actors.kit.asker import Asker
from actors.kit.declarations import alert, domain_class, services
from actors.kit.lane import Address, ShardGone
from actors.kit.relay import Published
from actors.kit.shard import Shard
from bus.kit import logs, memory
from bus.kit.bridge import Bridge
from bus.kit.messages import decode, encode
from bus.kit.settings import Settings
from persistence.kit.database import Database
from persistence.kit.outbox import OutboxRow

NAMESPACE = "souk"
START_SECONDS_MAX = 180.0
PUBLISH_SECONDS_MAX = 15.0
HEALTH_SECONDS_MAX = 2.0


class RayTransport:
    """Reaches shards by their actors' names."""

    def __init__(self) -> None:
        self.calls_total = 0
        self._handles: dict[str, Any] = {}

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        """Hand over an envelope."""
        return await self._call(address, "receive", envelope)

    async def collect(self, address: Address, lane: str) -> bytes:
        """Wait for tickets."""
        return await self._call(address, "collect", lane)

    async def ping(self, address: Address) -> None:
        """Ask the control group."""
        await self._call(address, "ping")

    async def health(self, address: Address) -> dict[str, Any]:
        """What a shard says of itself."""
        report: dict[str, Any] = decode(
            dict[str, Any], await self._call(address, "health")
        )
        return report

    async def replace(self, address: Address) -> None:
        """Kill the shard's process; Ray starts it again."""
        handle = await self._handle(str(address))
        ray.kill(handle, no_restart=False)

    async def publish(self, bridge: str, rows: list[OutboxRow]) -> Published:
        """Hand outbox rows to a bridge; raises ConnectionError when it is away."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS_MAX):
                handle = await self._handle(bridge)
                data: bytes = await handle.publish.remote(encode(rows))
        except (ShardGone, RayActorError, TimeoutError) as error:
            raise ConnectionError(f"{bridge} is away") from error
        published: Published = decode(Published, data)
        return published

    async def call(self, name: str, method: str, *values: Any) -> Any:
        """Call any actor of the shop by its name."""
        handle = await self._handle(name)
        return await getattr(handle, method).remote(*values)

    async def _call(self, address: Address, method: str, *values: Any) -> bytes:
        handle = await self._handle(str(address))
        try:
            data: bytes = await getattr(handle, method).remote(*values)
        except (RayActorError, TaskCancelledError) as error:
            raise ShardGone(str(address)) from error
        except RayTaskError as error:
            if isinstance(error.cause, RayActorError):
                raise ShardGone(str(address)) from error
            raise
        return data

    async def _handle(self, name: str) -> Any:
        self.calls_total += 1
        handle = self._handles.get(name)
        if handle is None:
            try:
                handle = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
            except ValueError as error:
                raise ShardGone(name) from error
            self._handles[name] = handle
        return handle


class ShopAsker(Asker):
    """The asker of a process that is not a shard, such as a gateway replica."""

    def __init__(self, settings: Settings) -> None:
        self._reach = RayTransport()
        self._settings = settings
        super().__init__(self._reach, settings.shards)

    @property
    def calls_total(self) -> int:
        """How many Ray calls this process has made."""
        return self._reach.calls_total

    async def health(self) -> dict[str, dict[str, bool]]:
        """For each domain whether all its shards and their databases answer."""
        reports = await asyncio.gather(*(self._of_domain(name) for name in DOMAINS))
        bus = await self._of_bridges()
        return dict(zip(DOMAINS, reports, strict=True)) | {"bus": bus}

    async def shards(self) -> dict[str, dict[str, Any]]:
        """What every shard says of itself, by its name; {} for one that is away."""
        names = [
            Address((name, number))
            for name in DOMAINS
            for number in range(self._settings.shards(name))
        ]
        reports = await asyncio.gather(*(self._of_shard(name) for name in names))
        return {str(name): report for name, report in zip(names, reports, strict=True)}

    async def bridges(self) -> list[dict[str, Any]]:
        """What every bridge says of itself; {} for one that is away."""
        count = self._settings.bridges
        return [await self._of_bridge(number) for number in range(count)]

    async def _of_domain(self, name: str) -> dict[str, bool]:
        numbers = range(self._settings.shards(name))
        reports = [await self._of_shard(Address((name, number))) for number in numbers]
        return {
            "pool": all(report.get("ready", False) for report in reports),
            "database": all(report.get("database", False) for report in reports),
        }

    async def _of_shard(self, address: Address) -> dict[str, Any]:
        try:
            async with asyncio.timeout(HEALTH_SECONDS_MAX):
                return await self._reach.health(address)
        except (ShardGone, TimeoutError):
            return {}

    async def _of_bridges(self) -> dict[str, bool]:
        reports = await self.bridges()
        up = all(report.get("connected", False) for report in reports)
        return {"pool": all(reports), "nats": up}

    async def _of_bridge(self, number: int) -> dict[str, Any]:
        try:
            async with asyncio.timeout(HEALTH_SECONDS_MAX):
                data = await self._reach.call(f"bridge/{number}", "health")
                report: dict[str, Any] = decode(dict[str, Any], data)
                return report
        except (ShardGone, RayActorError, TimeoutError):
            return {}


def connect(settings: Settings) -> ShopAsker:
    """The asker of this process, which is connected to the shop's Ray cluster."""
    return ShopAsker(settings)


@ray.remote(concurrency_groups={"control": 8})  # type: ignore[call-overload]
class ShardActor:
    """A shard's process. Ray starts it again when it dies; it takes over by itself."""

    def __init__(self, name: str, number: int, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        self._name = f"{name}/{number}"
        logs.configure(settings, self._name)
        log = logs.get(name)
        self._transport = transport = RayTransport()
        domain = domain_class(name)()
        domain.settings = settings
        domain.ask = Asker(transport, settings.shards).ask
        bridge = f"bridge/{number % settings.bridges}"
        database = Database(
            settings.database_url(name), f"souk:{self._name}:{uuid4().hex[:12]}"
        )
        self._shard = Shard(
            domain,
            number,
            database,
            publish=lambda rows: transport.publish(bridge, rows),
            leave=self._leave,
            log=log,
        )
        memory.settle()
        self._starting: asyncio.Task[None] | None = None
        self._myself = ray.get_runtime_context().current_actor
        self._myself.start.remote()

    async def start(self) -> None:
        """Take over, once; asks that come before wait for it."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._shard.start())
        await asyncio.shield(self._starting)

    async def receive(self, envelope: bytes) -> bytes:
        """Run an envelope of messages."""
        return await self._shard.receive(envelope)

    async def collect(self, lane: str) -> bytes:
        """Wait for the tickets of a lane."""
        return await self._shard.collect(lane)

    async def health(self) -> bytes:
        """What the shard counts, and whether its database answers."""
        calls = {"calls_total": self._transport.calls_total}
        return encode(await self._shard.health() | calls)

    @ray.method(concurrency_group="control")
    async def ping(self) -> bytes:
        """Answered apart from all work, for as long as the process is not frozen."""
        return b""

    @ray.method(concurrency_group="control")
    async def pid(self) -> int:
        """The process, for tests and tools that kill it."""
        return os.getpid()

    async def stop(self) -> None:
        """End in good order."""
        await self._shard.stop()

    async def depart(self) -> None:
        """End this process for good: Ray does not start it again."""
        ray.actor.exit_actor()  # type: ignore[no-untyped-call]

    async def _leave(self) -> None:
        """A newer incarnation owns the slots: go, and do not come back."""
        self._myself.depart.remote()


@ray.remote(concurrency_groups={"control": 8})  # type: ignore[call-overload]
class BridgeActor:
    """A bridge's process."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        name = f"bridge/{number}"
        logs.configure(settings, name)
        mine = [
            domain
            for index, domain in enumerate(sorted(DOMAINS))
            if index % settings.bridges == number
        ]
        consumers = {domain: domain_class(domain).consumes() for domain in mine}
        self._asker = connect(settings)
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
        self._ready = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        ray.get_runtime_context().current_actor.start.remote()

    async def start(self) -> None:
        """Connect and begin, once."""
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._bridge.start())
        await asyncio.shield(self._starting)
        self._ready.set()

    async def publish(self, data: bytes) -> bytes:
        """Publish outbox rows."""
        await self._ready.wait()
        rows = decode(list[OutboxRow], data)
        return encode(Published(*await self._bridge.publish(rows)))

    async def health(self) -> bytes:
        """Whether NATS is connected, and what has passed."""
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

    async def replay_dead(self, domain: str, subject: str | None) -> int:
        """Deliver a domain's dead letters again."""
        return await self._bridge.replay_dead(domain, subject)

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


async def stop(settings: Settings) -> None:
    """End all shards in good order; what is under way is taken up at the next start."""
    transport = RayTransport()
    names = [
        f"{name}/{number}"
        for name in DOMAINS
        for number in range(settings.shards(name))
    ]
    await asyncio.gather(
        *(transport.call(name, "stop") for name in names), return_exceptions=True
    )
    bridges = [f"bridge/{number}" for number in range(settings.bridges)]
    for name in (*names, *bridges):
        await asyncio.to_thread(_end, name)


def _end(name: str) -> None:
    """End an actor's process for good: a detached one outlives who made it."""
    try:
        ray.kill(ray.get_actor(name, NAMESPACE), no_restart=True)
    except ValueError:
        return  # it is gone already
