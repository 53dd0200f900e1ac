"""A standby: a process that answers for shards whose own processes have died."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from actors.kit.clock import Clock
from actors.kit.held import Held
from actors.kit.lane import Address, ShardGone
from actors.kit.shard import Shard
from bus.kit import families
from bus.kit.metrics import Meters, Sample

ADOPTED_MAX = 16
BEGIN_SECONDS_MAX = 5.0
IDLE_SECONDS_MAX = 30.0
REST_SECONDS = 0.25
WAKE_SECONDS = 0.1
WAKE_SECONDS_MAX = 10.0

Leave = Callable[[], Awaitable[None]]
Make = Callable[[Address, Leave], Shard]


class Standby:
    """Adopts shards that are dead, and hands each back to its own process.

    `make` makes an incarnation of a shard, not started yet; `is_dead` says whether its
    own process is known to have died, or says itself that it has let go. Wrong answers
    cost time and nothing else: which incarnation may write is decided by the fence,
    here as anywhere. `wake` has a shard's own process take over; it raises ShardGone
    while there is none.
    """

    def __init__(
        self,
        make: Make,
        is_dead: Callable[[Address], Awaitable[bool]],
        wake: Callable[[Address], Awaitable[None]],
        *,
        log: Any,
        name: str,
        clock: Clock | None = None,
    ) -> None:
        self._make, self._is_dead, self._wake = make, is_dead, wake
        self._log = log
        self._clock = clock or Clock()
        self._held: dict[Address, Adopted] = {}
        self._handed_back: dict[Address, float] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._number = name.partition("/")[2]
        self._meters = Meters(standby=self._number)
        self._meters.gauge(families.STANDBY_HOLDS, lambda: len(self._held))

    async def adopt(self, address: Address) -> bool:
        """Answer for this shard from now on; False where it lives, or there is no room.

        Whoever reports the same death waits for the same adoption.
        """
        held = self._held.get(address)
        if held is None:
            if not self._has_room(address):
                return False
            held = self._held[address] = Adopted()
            held.beginning = asyncio.ensure_future(self._begin(address, held))
        await asyncio.wait({held.beginning})
        began = not held.beginning.cancelled() and held.beginning.result()
        return began and not held.closing

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        """Run an envelope; raises ShardGone for a shard that is not held."""
        held = self._holding(address)
        return await held.call(held.receiving, held.shard.receive(envelope))

    async def collect(self, address: Address, lane: str) -> bytes:
        """The tickets of a lane; raises ShardGone for a shard that is not held."""
        held = self._holding(address)
        return await held.call(held.collecting, held.shard.collect(lane))

    async def health(self, address: Address) -> dict[str, Any]:
        """How a held shard is; raises ShardGone for one that is not held."""
        return await self._holding(address).shard.health()

    async def has_room(self, address: Address) -> bool:
        """Whether it would answer for this shard, if that had died."""
        return address in self._held or self._has_room(address)

    async def idle(self) -> bool:
        """Wait until nothing is held, so that nobody misses this process; whether so.

        What is held is handed back as soon as its own process is there.
        """
        until = self._clock.monotonic() + IDLE_SECONDS_MAX
        while self._held and self._clock.monotonic() < until:
            await self._clock.sleep(WAKE_SECONDS)
        return not self._held

    def holds(self, address: Address) -> bool:
        """Whether it answers for this shard, or is about to."""
        return address in self._held

    async def hand_back(self, address: Address) -> None:
        """Let a shard go, for its own process is there again and will take over.

        What was begun is answered; nothing new is taken. Returns when it has ended.
        """
        self._handed_back[address] = self._clock.monotonic()
        held = self._held.get(address)
        if held is not None:
            await self._end(address, held)

    async def stop(self) -> None:
        """End all that is held; what is under way is taken up at the next start."""
        for address, held in list(self._held.items()):
            await self._end(address, held)

    def samples(self) -> list[Sample]:
        """What it counts, and each shard that it answers for."""
        answering = [
            address
            for address, held in list(self._held.items())
            if held.made and held.shard.ready.is_set() and not held.closing
        ]
        adopted = [
            Sample(
                families.STANDBY_ADOPTED.name,
                (("standby", self._number), ("domain", name), ("shard", str(shard))),
                (1.0,),
            )
            for name, shard in sorted(answering)
        ]
        return [*self._meters.samples(), *adopted]

    def _holding(self, address: Address) -> "Adopted":
        held = self._held.get(address)
        if held is None or held.closing or not held.shard.ready.is_set():
            raise ShardGone(str(address))
        return held

    def _has_room(self, address: Address) -> bool:
        return len(self._held) < ADOPTED_MAX and not self._was_handed_back(address)

    def _was_handed_back(self, address: Address) -> bool:
        """A report that was long on its way is of a death that is over."""
        at = self._handed_back.get(address, float("-inf"))
        return self._clock.monotonic() - at < REST_SECONDS

    async def _begin(self, address: Address, held: "Adopted") -> bool:
        began = False
        try:
            if not await self._is_dead(address):
                return False

            async def leave() -> None:
                task = asyncio.ensure_future(self._end(address, held))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

            held.shard = self._make(address, leave)
            began_at = self._clock.monotonic()
            await held.shard.start()
            if not held.shard.batches.epochs:  # its pool has shrunk: nobody needs it
                await self._close(address, held)
                return False
            began = True
            held.waking = asyncio.ensure_future(self._wake_up(address))
            seconds = self._clock.monotonic() - began_at
            self._meters.counter(
                families.STANDBY_ADOPTIONS, domain=address[0]
            ).value += 1
            self._log.warning("adopted", shard=str(address), seconds=round(seconds, 3))
        except Exception as error:  # noqa: BLE001 - Ray's own start is the other way
            self._log.error("not-adopted", shard=str(address), exc_info=error)
            await self._close(address, held)
        finally:
            if not began:
                self._forget(address, held)
        return began

    async def _wake_up(self, address: Address) -> None:
        """Call the shard's own process until it takes over: nobody else calls it."""
        while True:
            try:
                async with asyncio.timeout(WAKE_SECONDS_MAX):
                    await self._wake(address)
            except (ShardGone, TimeoutError) as error:
                self._log.debug("not-awake", shard=str(address), error=repr(error))
            await self._clock.sleep(WAKE_SECONDS)

    async def _end(self, address: Address, held: "Adopted") -> None:
        """Once, however many ask for it."""
        held.closing = True
        if held.ending is None:
            held.ending = asyncio.ensure_future(self._drain(address, held))
        await asyncio.shield(held.ending)

    async def _drain(self, address: Address, held: "Adopted") -> None:
        await asyncio.wait({held.beginning}, timeout=BEGIN_SECONDS_MAX)
        held.beginning.cancel()  # where the database does not answer it, either
        await asyncio.wait({held.beginning})
        if held.made:
            await held.drain()
        self._forget(address, held)
        if held.waking is not None:
            held.waking.cancel()
        held.cut()
        await self._close(address, held)
        self._log.info("handed-back", shard=str(address))

    def _forget(self, address: Address, held: "Adopted") -> None:
        if self._held.get(address) is held:
            del self._held[address]

    async def _close(self, address: Address, held: "Adopted") -> None:
        try:
            if held.made and held.shard.ready.is_set():
                await held.shard.stop()
            elif held.made:  # its domain was not started, and could not be stopped
                await held.shard.database.close()
        except Exception as error:  # noqa: BLE001 - its own process must take over
            self._log.error("not-ended", shard=str(address), exc_info=error)


class Adopted(Held):
    """A shard that a standby holds."""

    beginning: "asyncio.Future[bool]"

    def __init__(self) -> None:
        super().__init__()
        self.ending: asyncio.Task[None] | None = None
        self.waking: asyncio.Task[None] | None = None

    @property
    def made(self) -> bool:
        """Whether there is an incarnation already."""
        return hasattr(self, "shard")
