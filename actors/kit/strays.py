"""Strays: processes that have begun, and that nobody runs any more."""

from typing import TYPE_CHECKING
from uuid import UUID

from persistence.kit import handled

if TYPE_CHECKING:
    from actors.kit.shard import Shard

STRAY_SECONDS = 5.0


class Strays:
    """Takes up, while a shard runs, what its start takes up of the one before.

    A process whose first step commits again and again without an answer gives up, and
    so does its caller; its row says that it has begun. Nobody else looks for that
    until the shard starts anew or the slot moves.
    """

    def __init__(self, shard: "Shard") -> None:
        self._shard = shard
        self._seen: set[UUID] = set()
        self._looked_at = shard.clock.monotonic()

    async def look(self) -> None:
        """Take up what two looks in a row, STRAY_SECONDS apart, find astray.

        At one look alone a process may have ended after the row was read.
        """
        shard = self._shard
        if shard.clock.monotonic() - self._looked_at < STRAY_SECONDS:
            return
        self._looked_at = shard.clock.monotonic()
        processes, epochs = shard.processes, shard.batches.epochs
        async with shard.database.read() as db:
            rows = await handled.unfinished(db, epochs)
        known = processes.known() | shard.batches.finished
        astray = {
            row.command_id: row
            for row in rows
            if row.resume_kind and row.slot in epochs and row.command_id not in known
        }
        for command_id in astray.keys() & self._seen:
            shard.log.warning("process-was-astray", command_id=str(command_id))
            processes.resume(astray.pop(command_id))
        self._seen = set(astray)
