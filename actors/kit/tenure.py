"""A shard in its own process: it is handed its keys, and hands them over."""

import asyncio
from collections.abc import Callable
from typing import Any

from actors.kit.adopting import Adopting
from actors.kit.clock import Clock
from actors.kit.held import Held
from actors.kit.lane import Address, ShardGone
from actors.kit.shard import Shard

STOP_SECONDS_MAX = 1.0
REPORTS_MAX = 3
END_SECONDS = 5.0


class Tenure:
    """One incarnation from its beginning to its end in good order.

    `end` kills the process, so that a new one is started. It is called when the shard
    was handed over and whoever wanted that has not done it.
    """

    def __init__(
        self,
        address: Address,
        shard: Shard,
        adopting: Adopting,
        *,
        end: Callable[[], None],
        log: Any,
        clock: Clock | None = None,
    ) -> None:
        self.shard = shard
        self._address, self._adopting = address, adopting
        self._end, self._log = end, log
        self._clock = clock or Clock()
        self._held = Held()
        self._held.shard = shard
        self._gone = False
        self._given = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None
        self._handing: asyncio.Task[float | None] | None = None
        self._ending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take over, once; asks that come before wait for it."""
        await asyncio.shield(self._begin())

    async def receive(self, envelope: bytes) -> bytes:
        """Run an envelope; raises ShardGone where the shard was handed over."""
        await self._hold()
        return await self._held.call(self._held.receiving, self.shard.receive(envelope))

    async def collect(self, lane: str) -> bytes:
        """The tickets of a lane; raises ShardGone like `receive`."""
        await self._hold()
        return await self._held.call(self._held.collecting, self.shard.collect(lane))

    async def look(self) -> list[int]:
        """Which slots are the shard's; raises ShardGone like `receive`."""
        await self._hold()
        return await self.shard.look()

    async def health(self) -> dict[str, Any]:
        """How the shard is; raises ShardGone like `receive`."""
        await self._hold()
        return await self.shard.health()

    async def ping(self) -> bytes:
        """A sign of life; raises ShardGone when the incarnation has ended.

        That is what a standby goes by. It may be asked from any thread.
        """
        if self._gone:
            raise ShardGone(str(self._address))
        return b""

    async def hand_over(self) -> float | None:
        """Have a standby answer for the shard; for how many seconds nobody did.

        What was begun is answered; what comes waits until the standby has taken over,
        and then hears that the shard has gone. None: no standby is ready, and nothing
        has changed. Raises ShardGone when none has adopted it after all; the process
        ends in any case, and so will who asks twice hear of one handing over.
        """
        if self._handing is None or (self._handing.done() and not self._held.closing):
            self._handing = asyncio.ensure_future(self._hand_over())
        return await asyncio.shield(self._handing)

    def _begin(self) -> asyncio.Task[None]:
        """Whoever calls first begins: Ray loses our own call if it comes too early.

        What an actor sends itself from its constructor is refused while Ray still
        counts it as restarting.
        """
        if self._starting is None:
            self._starting = asyncio.ensure_future(self._take_over())
        return self._starting

    async def _take_over(self) -> None:
        began_at = self._clock.monotonic()
        try:
            await self._adopting.hand_back(self._address)
        except Exception as error:  # noqa: BLE001 - else nobody would take over
            self._log.error("not-handed-back", shard=str(self._address), exc_info=error)
        await self.shard.start()
        self._say("taken-over", began_at)

    async def _hold(self) -> None:
        """Whoever comes while it is handed over is told when a standby is there.

        Before that it would look for one, in vain and again and again.
        """
        self._begin()
        if self._held.closing:
            await self._given.wait()
            raise ShardGone(str(self._address))

    async def _hand_over(self) -> float | None:
        await self.start()
        if not await self._adopting.is_ready(self._address):
            return None
        began_at = self._clock.monotonic()
        self._held.closing = True
        self._ending = asyncio.ensure_future(self._end_in_time())
        try:
            await self._held.drain()
            self._held.cut()
            await self._stop()
            self._gone = True
            adopted = await self._report()
        finally:
            self._gone = True
            self._given.set()
        if not adopted:
            raise ShardGone(f"{self._address}: no standby has adopted it")
        return self._say("handed-over", began_at)

    async def _stop(self) -> None:
        """End the incarnation; one that cannot end is fenced by its successor."""
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                await self.shard.stop()
        except TimeoutError:
            self._log.warning("not-ended-in-time", shard=str(self._address))
        except Exception as error:  # noqa: BLE001 - the standby must take over
            self._log.error("not-ended", shard=str(self._address), exc_info=error)

    async def _report(self) -> bool:
        """More than once, because a report waits only briefly for an adoption."""
        for _ in range(REPORTS_MAX):
            if await self._adopting.report(self._address):
                return True
        return False

    async def _end_in_time(self) -> None:
        """A process without its shard is of no use: it must not stay."""
        await self._clock.sleep(END_SECONDS)
        self._end()

    def _say(self, what: str, began_at: float) -> float:
        seconds = self._clock.monotonic() - began_at
        self._log.info(what, shard=str(self._address), seconds=round(seconds, 3))
        return seconds
