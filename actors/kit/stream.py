"""The stream as a shard knows it: one that has lost events is told them again."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from persistence.kit import outbox

if TYPE_CHECKING:
    from actors.kit.shard import Shard


class Stream:
    """Compares the stream that there is with the one that events went to."""

    def __init__(self, shard: "Shard") -> None:
        self._shard = shard

    async def seen(self, created: str, sequence: int) -> bool:
        """Compare it with what we remember; a younger one gets all again."""
        marks = self._shard.marks
        before = marks.stream or (created, 0)
        same = before[0] == created and before[1] <= sequence
        if not same:
            async with self._shard.database.read() as db:
                oldest = await outbox.oldest(db, sorted(self._shard.batches.epochs))
            self.tell_again(oldest)
        marks.stream = (created, sequence)
        return same

    async def lost(self, slots: Iterable[int]) -> dict[int, int]:
        """Where slots that come to the shard begin again: their stream may be lost.

        Their owner before need not have noticed that, and who it was nobody knows: it
        is any other that has seen another stream than there is now, or more of it. So
        the stream is looked at after what they have written was read; one that cannot
        be looked at counts as lost.
        """
        shard = self._shard
        async with shard.database.read() as db:
            seen = await outbox.streams_of_others(db, shard.shard)
        if not seen:
            return {}
        created, sequence = await shard.relay.look()
        if all(one == created and n <= sequence for one, n in seen):
            return {}
        async with shard.database.read() as db:
            return await outbox.oldest(db, sorted(slots))

    def tell_again(self, before: dict[int, int]) -> None:
        """All that comes after these numbers; they count as published no further."""
        self._shard.relay.rewind(before)
        self._shard.marks.published(before)  # written with the new stream, or not
