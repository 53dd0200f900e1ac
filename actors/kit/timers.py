"""Timers: messages that a shard sends itself when they are due."""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from persistence.kit import due
from persistence.kit.database import CONNECTION_LOST
from persistence.kit.due import Due

if TYPE_CHECKING:
    from actors.kit.shard import Shard

DUE_MAX = 500
LEFT_MAX = 2_000
LOOK_SECONDS_MAX = 1.0
LOOK_SECONDS_MIN = 0.02
RETRY_SECONDS = 1.0


class Timers:
    """Sweeps the `due` table of the owned slots by the database's clock."""

    def __init__(self, shard: "Shard") -> None:
        self._shard = shard
        self._taken: set[UUID] = set()
        self._wake = asyncio.Event()

    def expect(self, seconds: float) -> None:
        """A message was written that is due in so many seconds: look in time."""
        if seconds < LOOK_SECONDS_MAX:
            self._wake.set()

    def release(self, due_id: UUID) -> None:
        """A message that was taken up has ended; if still due it comes again."""
        loop = asyncio.get_running_loop()
        loop.call_later(RETRY_SECONDS, self._taken.discard, due_id)

    async def left(self, connection: Any, slots: Iterable[int]) -> list[Due]:
        """What stands in for processes of these slots' owner before.

        What is beyond the bound comes when it is due.
        """
        handlers = self._shard.domain.handlers
        kinds = [kind.kind() for kind in handlers if getattr(kind, "stands_in", False)]
        return await due.left(connection, slots, kinds, LEFT_MAX) if kinds else []

    def take(self, rows: Iterable[Due]) -> None:
        """Run these now, but those that are running."""
        for row in rows:
            if row.id not in self._taken:
                self._taken.add(row.id)
                self._shard.take_due(row)

    async def run(self) -> None:
        """Sweep for ever, as often as messages are due, at least once a second."""
        while True:
            try:
                seconds = await self._sweep()
            except (*CONNECTION_LOST, ConnectionError) as error:
                self._shard.log.warning("timers-wait", error=repr(error))
                seconds = LOOK_SECONDS_MAX
            await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        sleeping = asyncio.ensure_future(self._shard.clock.sleep(seconds))
        waking = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
        self._wake.clear()

    async def _sweep(self) -> float:
        slots = sorted(self._shard.batches.epochs)
        if not slots:
            return LOOK_SECONDS_MAX
        async with self._shard.database.read() as db:
            rows = await due.ripe(db, slots, DUE_MAX)
            seconds = await due.next_seconds(db, slots)
        self.take(rows)
        if seconds is None:
            return LOOK_SECONDS_MAX
        return min(max(seconds, LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)
