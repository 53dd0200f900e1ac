"""Watermarks: how far a shard's slots are published, and in which stream."""

from actors.kit.batch import Batches


class Marks:
    """Watermarks ride in batches once it is written of which stream they are.

    Else a stream that is lost before that, and a shard that dies with it, would leave
    events that count as published and are nowhere.
    """

    def __init__(self, batches: Batches) -> None:
        self.stream: tuple[str, int] | None = None
        self._batches = batches
        self._written = False
        self._waiting: dict[int, int] = {}

    def load(self, stream: tuple[str, int] | None, own: bool) -> None:
        """Take over the stream as it was last written, by this shard or another."""
        self.stream, self._written = stream, own

    def published(self, marks: dict[int, int]) -> None:
        """Slots have been published this far, or count as no further than this."""
        (self._batches.marks if self._written else self._waiting).update(marks)

    def disown(self, slot: int) -> None:
        """Another shard publishes this slot from now on."""
        self._waiting.pop(slot, None)
        self._batches.marks.pop(slot, None)

    async def write(self) -> None:
        """Write what no batch took along, with the stream; raises like a batch."""
        batches, stream = self._batches, self.stream
        batches.marks |= self._waiting
        self._waiting = {}
        writes = batches.finished or batches.marks.keys() & batches.epochs.keys()
        try:
            await batches.tidy(stream)
            self._written |= bool(writes) and stream is not None
        finally:
            both = batches.marks | self._waiting
            self._waiting, batches.marks = ({}, both) if self._written else (both, {})
