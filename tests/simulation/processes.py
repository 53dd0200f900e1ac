"""A simulated process from outside: what it says, and how another one reaches it."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from actors.kit.lane import Address
from tests.simulation.loop import Node

if TYPE_CHECKING:
    from tests.simulation.world import World


class Log:
    """What the kit says goes into the trace; an error that nobody planted is a bug.

    It may take a statement for broken whose connection has broken again and again.
    """

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self._name = name

    def info(self, event: str, **facts: Any) -> None:
        """Say that something has happened."""
        self._world.note(f"{self._name} says {event} {_facts(facts)}")

    debug = warning = info

    def error(self, event: str, **facts: Any) -> None:
        """Say that something is wrong."""
        self.info(event, **facts)
        error = facts.get("exc_info") or facts.get("error")
        gave_up = event == "connection-broken"
        if not gave_up and not self._world.expects(event, error):
            self._world.violate(f"{self._name}: {event}: {error!r}")


class Process:
    """One incarnation of a shard, of a bridge or of a standby.

    `sessions` are the names of those that it holds in the databases.
    """

    def __init__(self, name: str, node: Node) -> None:
        self.name = name
        self.node = node
        self.calls: dict[asyncio.Future[Any], None] = {}
        self.made = asyncio.Event()
        self.doom: Callable[[], None] | None = None
        self.shard: Any = None
        self.tenure: Any = None
        self.bridge: Any = None
        self.standby: Any = None
        self.sessions: set[str] = set()
        self.starting: Any = None

    @property
    def owner(self) -> Any:
        """Who takes messages for the shard."""
        return self.shard if self.tenure is None else self.tenure

    @property
    def taken_over(self) -> bool:
        """Whether it is a shard that owns its slots, or did."""
        return self.shard is not None and self.shard.ready.is_set()


class Transport:
    """How one process reaches the shards."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        """Hand over an envelope; it may come twice, or its answer never."""
        data: bytes = await self._world.call(
            str(address), lambda one: one.owner.receive(envelope), breaks=True
        )
        return data

    async def collect(self, address: Address, lane: str) -> bytes:
        """Wait for tickets."""
        data: bytes = await self._world.call(
            str(address), lambda one: one.owner.collect(lane)
        )
        return data

    async def ping(self, address: Address) -> None:
        """Wait for a sign of life; a frozen one gives none."""
        await self._world.call(str(address), _pong)

    async def hand_over(self, address: Address) -> float | None:
        """What a command that renews a shard calls; it may be lost, or come twice."""
        away: float | None = await self._world.call(
            str(address), lambda one: one.tenure.hand_over(), breaks=True
        )
        return away

    async def replace(self, address: Address) -> None:
        """Have it killed."""
        self._world.replace(str(address))


class Standbys:
    """How one process reaches the standbys."""

    def __init__(self, world: "World") -> None:
        self._world = world

    async def ask(self, number: int, method: str, *values: Any) -> Any:
        """Call a method of a standby; an envelope may be lost, or come twice."""

        async def work(one: Process) -> Any:
            if method == "ping":
                return b""
            return await getattr(one.standby, method)(*values)

        breaks = method == "receive"
        return await self._world.call(f"standby/{number}", work, breaks=breaks)

    async def replace(self, number: int) -> None:
        """Have one killed."""
        self._world.replace(f"standby/{number}")


async def _pong(one: Process) -> bytes:
    return b"" if one.tenure is None else await one.tenure.ping()


def _facts(facts: dict[str, Any]) -> str:
    return " ".join(f"{name}={value!r}" for name, value in facts.items())
