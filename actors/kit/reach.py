"""How the pools are reached over Ray: by their actors' names, from any process."""

import asyncio
from typing import Any

import msgspec
import ray
from ray.exceptions import (
    ActorDiedError,
    RayActorError,
    RayTaskError,
    TaskCancelledError,
)

from actors import DOMAINS
from actors.kit.adopting import Adopting
from actors.kit.asker import Asker
from actors.kit.lane import Address, ShardEnded, ShardGone
from actors.kit.relay import Published
from bus.kit import families, logs
from bus.kit.messages import decode, encode
from bus.kit.metrics import Family, Sample
from bus.kit.settings import Settings
from persistence.kit.outbox import OutboxRow

NAMESPACE = "souk"
AUDITOR_NAME = "auditor"
PUBLISH_SECONDS_MAX = 15.0
HEALTH_SECONDS_MAX = 2.0
DEATH_SECONDS_MAX = 0.5
MEASURE_SECONDS_MAX = 1.0

AWAY = (ShardGone, RayActorError, RayTaskError, TaskCancelledError, TimeoutError)
"""What says that an actor does not answer, for one reason or another."""

log = logs.get("pool")


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
        await self.kill(str(address))

    async def kill(self, name: str) -> None:
        """Kill an actor's process; Ray starts it again."""
        handle = await self._handle(name)
        ray.kill(handle, no_restart=False)

    async def is_dead(self, address: Address) -> bool:
        """Whether a shard's process has died, or says that its shard has gone.

        Ray starts it again where it has died.
        """
        try:
            handle = await self._handle(str(address))
            async with asyncio.timeout(DEATH_SECONDS_MAX):
                await handle.ping.remote()
        except RayTaskError as error:  # the first: it is of its cause's class, too
            if isinstance(error.cause, ShardGone):
                return True
            raise
        except (ShardGone, TimeoutError, ActorDiedError):
            return False  # not made yet, or slow, or ended for good
        except RayActorError:
            return True
        return False

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
        data: bytes = await self.reach(str(address), method, *values)
        return data

    async def reach(self, name: str, method: str, *values: Any) -> Any:
        """Call an actor by its name; raises ShardGone when it is not there."""
        handle = await self._handle(name)
        try:
            return await getattr(handle, method).remote(*values)
        except ActorDiedError as error:
            self._handles.pop(name, None)  # who has ended for good is not found
            raise ShardGone(name) from error
        except (RayActorError, TaskCancelledError) as error:
            raise ShardGone(name) from error
        except RayTaskError as error:
            if isinstance(error.cause, (RayActorError, ShardGone)):
                raise ShardGone(name) from error
            raise

    async def _handle(self, name: str) -> Any:
        self.calls_total += 1
        handle = self._handles.get(name)
        if handle is None:
            handle = await asyncio.to_thread(_find, name)
            self._handles[name] = handle
        return handle


class RayStandbys:
    """Reaches standbys by their actors' names."""

    def __init__(self, reach: RayTransport) -> None:
        self._reach = reach

    async def ask(self, number: int, method: str, *values: Any) -> Any:
        """Call a method of a standby; addresses go as the names that they are."""
        plain = [str(one) if isinstance(one, Address) else one for one in values]
        return await self._reach.reach(f"standby/{number}", method, *plain)

    async def replace(self, number: int) -> None:
        """Kill a standby's process; Ray starts it again."""
        await self._reach.kill(f"standby/{number}")


def adopting(reach: RayTransport, settings: Settings) -> Adopting:
    """How a process of this shop reaches its shards, dead ones too."""
    return Adopting(reach, RayStandbys(reach), settings.standbys)


def _find(name: str) -> Any:
    """The actor; one that is not there while its pool's first is has ended for good."""
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError as error:
        pool, _, number = name.partition("/")
        if number == "0":
            raise ShardGone(name) from error
    try:
        ray.get_actor(f"{pool}/0", NAMESPACE)
    except ValueError as error:
        raise ShardGone(name) from error  # the pools are being started
    raise ShardEnded(name)


def answered_for(told: list[Sample]) -> list[Sample]:
    """The same, where a shard that a standby answers for counts as up."""
    adopted = {
        one.labels[1:]  # domain and shard, as the shard's own sample has them
        for one in told
        if one.family == families.STANDBY_ADOPTED.name
    }
    return [
        Sample(one.family, one.labels, (1.0,))
        if one.family == families.SHARD_UP.name and one.labels in adopted
        else one
        for one in told
    ]


class ShopAsker(Asker):
    """The asker of a process that is not a shard, such as a gateway replica."""

    def __init__(self, settings: Settings, name: str = "") -> None:
        self._reach = RayTransport()
        self._adopting = adopting(self._reach, settings)
        self._settings = settings
        super().__init__(self._adopting, settings.shards, name=name)

    @property
    def calls_total(self) -> int:
        """How many Ray calls this process has made."""
        return self._reach.calls_total

    async def health(self) -> dict[str, dict[str, bool]]:
        """For each domain whether all its shards and their databases answer."""
        reports = await asyncio.gather(*(self._of_domain(name) for name in DOMAINS))
        bus = await self._of_bridges()
        return dict(zip(DOMAINS, reports, strict=True)) | {"bus": bus}

    async def measures(self) -> list[Sample]:
        """What every shard and bridge counts; one that is silent is told as down."""
        shards = [
            self._told(
                str(name),
                families.SHARD_UP,
                {"domain": name[0], "shard": str(name[1])},
            )
            for name in self._addresses()
        ]
        bridges = [
            self._told(f"bridge/{number}", families.BRIDGE_UP, {"bridge": str(number)})
            for number in range(self._settings.bridges)
        ]
        standbys = [
            self._told(
                f"standby/{number}", families.STANDBY_UP, {"standby": str(number)}
            )
            for number in range(self._settings.standbys)
        ]
        auditor = (
            [self._told(AUDITOR_NAME, families.AUDITOR_UP, {})]
            if self._settings.audit_seconds
            else []
        )
        told = await asyncio.gather(*shards, *bridges, *standbys, *auditor)
        return answered_for([sample for some in told for sample in some])

    async def _told(
        self, name: str, up: Family, labels: dict[str, str]
    ) -> list[Sample]:
        told: list[Sample] = []
        try:
            async with asyncio.timeout(MEASURE_SECONDS_MAX):
                data = await self._reach.call(name, "measures")
            told = decode(list[Sample], data)
        except (*AWAY, msgspec.MsgspecError) as error:
            log.warning("metrics-missing", part=name, error=type(error).__name__)
        return [Sample(up.name, tuple(labels.items()), (float(bool(told)),)), *told]

    def _addresses(self) -> list[Address]:
        return [
            Address((name, number))
            for name in DOMAINS
            for number in range(self._settings.shards(name))
        ]

    async def shards(self) -> dict[str, dict[str, Any]]:
        """What every shard says of itself, by its name; {} for one that is away."""
        names = self._addresses()
        reports = await asyncio.gather(*(self._of_shard(name) for name in names))
        return {str(name): report for name, report in zip(names, reports, strict=True)}

    async def bridges(self) -> list[dict[str, Any]]:
        """What every bridge says of itself; {} for one that is away."""
        numbers = range(self._settings.bridges)
        return await asyncio.gather(*(self._of_bridge(number) for number in numbers))

    async def _of_domain(self, name: str) -> dict[str, bool]:
        """A database is what the shards that answer say of it; down if none does."""
        numbers = range(self._settings.shards(name))
        reports = await asyncio.gather(
            *(self._of_shard(Address((name, number))) for number in numbers)
        )
        said = [report["database"] for report in reports if "database" in report]
        return {
            "pool": all(report.get("ready", False) for report in reports),
            "database": bool(said) and all(said),
        }

    async def _of_shard(self, address: Address) -> dict[str, Any]:
        try:
            async with asyncio.timeout(HEALTH_SECONDS_MAX):
                return await self._health(address)
        except AWAY:
            return {}

    async def _health(self, address: Address) -> dict[str, Any]:
        try:
            return await self._reach.health(address)
        except ShardGone:
            data = await self._adopting.health(address)
        held: dict[str, Any] = decode(dict[str, Any], data)
        return held

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
        except AWAY:
            return {}


def connect(settings: Settings, name: str = "") -> ShopAsker:
    """The asker of this process, which is connected to the shop's Ray cluster.

    `name` says in its metrics who asks.
    """
    return ShopAsker(settings, name)
