"""The standby's process on Ray: warm, so that it can adopt at once."""

import os
from typing import Any

import ray

from actors import DOMAINS
from actors.kit.declarations import domain_class
from actors.kit.lane import Address
from actors.kit.making import make_shard
from actors.kit.reach import RayTransport, adopting
from actors.kit.shard import Shard
from actors.kit.standby import Leave, Standby
from bus.kit import logs, memory, telemetry
from bus.kit.messages import encode
from bus.kit.niceness import give_way
from bus.kit.settings import Settings


@ray.remote(concurrency_groups={"control": 8})  # type: ignore[call-overload]
class StandbyActor:
    """A standby's process. Ray starts it again when it dies, with nothing adopted."""

    def __init__(self, number: int, environment: dict[str, str]) -> None:
        os.environ.update(environment)
        self._settings = Settings.load()
        name = f"standby/{number}"
        telemetry.start(self._settings, name)
        self._reach = RayTransport()
        self._adopting = adopting(self._reach, self._settings)
        self._standby = Standby(
            self._make,
            self._reach.is_dead,
            self._wake,
            log=logs.get("standby"),
            name=name,
        )
        for domain in DOMAINS:
            domain_class(domain).warm()  # imported now, not when it is needed
        memory.settle()
        give_way(self._settings.pool_nice)
        ray.get_runtime_context().current_actor.start.remote()

    async def start(self) -> None:
        """Know all shards: who is known is told of their death by Ray."""
        for domain in DOMAINS:
            for number in range(self._settings.shards(domain)):
                await self._reach.is_dead(Address((domain, number)))

    async def adopt(self, name: str) -> bool:
        """Answer for a shard that is dead."""
        return await self._standby.adopt(Address.of(name))

    async def has_room(self, name: str) -> bool:
        """Whether it would answer for a shard."""
        return await self._standby.has_room(Address.of(name))

    async def idle(self) -> bool:
        """Wait until nothing is held."""
        return await self._standby.idle()

    async def receive(self, name: str, envelope: bytes) -> bytes:
        """Run an envelope of messages for a shard that is held."""
        return await self._standby.receive(Address.of(name), envelope)

    async def collect(self, name: str, lane: str) -> bytes:
        """Wait for the tickets of a lane of a shard that is held."""
        return await self._standby.collect(Address.of(name), lane)

    async def health(self, name: str) -> bytes:
        """How a shard is that is held."""
        return encode(await self._standby.health(Address.of(name)))

    async def hand_back(self, name: str) -> None:
        """Let a shard go: its own process will take over."""
        await self._standby.hand_back(Address.of(name))

    async def stop(self) -> None:
        """End in good order."""
        await self._standby.stop()

    @ray.method(concurrency_group="control")
    async def measures(self) -> bytes:
        """What the standby counts."""
        return encode(self._standby.samples())

    @ray.method(concurrency_group="control")
    async def ping(self) -> bytes:
        """Answered apart from all work, for as long as the process is not frozen."""
        return b""

    @ray.method(concurrency_group="control")
    async def pid(self) -> int:
        """The process, for tests and tools that kill it."""
        return os.getpid()

    async def _wake(self, address: Address) -> None:
        """Ray may have lost what the shard's process sent itself as it was made."""
        await self._reach.reach(str(address), "start")

    def _make(self, address: Address, leave: Leave) -> Shard:
        made: tuple[Shard, Any] = make_shard(
            self._settings, address, self._reach, self._adopting, leave
        )
        return made[0]
