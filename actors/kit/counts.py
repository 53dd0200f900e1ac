"""What a shard counts: its batches, its messages, its outbox, its connections."""

from typing import TYPE_CHECKING, Any

from bus.kit import families
from bus.kit.metrics import Counter, Meters, Sample

if TYPE_CHECKING:
    from actors.kit.shard import Shard


class Counts:
    """The counters of one incarnation of a shard; parts of it add to them.

    They are read by another thread, so that a shard that hangs still tells of it.
    """

    def __init__(self, domain: str, shard: int) -> None:
        self.meters = meters = Meters(domain=domain, shard=str(shard))
        self.takeovers = meters.counter(families.SHARD_TAKEOVERS)
        self.fenced = meters.counter(families.SHARD_FENCED)
        self.halvings = meters.counter(families.BATCH_HALVINGS)
        self.transaction_seconds = meters.histogram(families.TRANSACTION_SECONDS)
        self.query_seconds = meters.histogram(families.QUERY_SECONDS)
        self.database_lost = meters.counter(families.DATABASE_LOST)
        self.published = meters.counter(families.OUTBOX_PUBLISHED)
        self.publish_failures = meters.counter(families.OUTBOX_FAILURES)
        self.publish_lag_seconds = meters.histogram(families.OUTBOX_LAG)
        self.overdue = 0
        self._batches = meters.counter(families.BATCHES)
        self._batch_messages = meters.histogram(families.BATCH_MESSAGES)
        self._batch_seconds = meters.histogram(families.BATCH_SECONDS)
        self._taken: dict[str, Counter] = {}
        self._refused: dict[str, Counter] = {}

    def watch(self, shard: "Shard") -> None:
        """Tell how these stand, whenever somebody asks."""
        gauge, database = self.meters.gauge, shard.database
        gauge(families.SHARD_QUEUE, lambda: shard.waiting)
        gauge(families.SHARD_SLOTS, lambda: len(shard.batches.epochs))
        gauge(families.SHARD_ENTITIES, lambda: len(shard.batches.entities))
        gauge(families.SHARD_PROCESSES, lambda: len(shard.processes.running))
        gauge(families.OUTBOX_WAITING, lambda: shard.relay.backlog)
        gauge(families.PARTITIONS_OVERDUE, lambda: self.overdue)
        gauge(families.DATABASE_SIZE, lambda: database.readers_open)
        gauge(families.DATABASE_IN_USE, lambda: database.readers_in_use)
        gauge(families.DATABASE_WAITING, lambda: database.readers_waiting)
        acquired = self.meters.histogram(families.DATABASE_ACQUIRE)
        database.acquired = acquired.observe

    def batch(self, size: int, seconds: float) -> None:
        """A batch has ended."""
        self._batches.value += 1
        self._batch_messages.observe(size)
        self._batch_seconds.observe(seconds)

    def took(self, kind: str) -> None:
        """A message of this type came in."""
        found = self._taken.get(kind)
        if found is None:
            found = self.meters.counter(families.SHARD_MESSAGES, message=kind)
            self._taken[kind] = found
        found.value += 1

    def refused(self, code: str) -> None:
        """A step was refused."""
        found = self._refused.get(code)
        if found is None:
            found = self.meters.counter(families.SHARD_REFUSALS, code=code)
            self._refused[code] = found
        found.value += 1

    def failed(self, kind: str) -> None:
        """A bug ended a message of this type."""
        self.meters.counter(families.SHARD_FAILURES, message=kind).value += 1

    def samples(self) -> list[Sample]:
        """All of it."""
        return self.meters.samples()

    def totals(self, shard: "Shard") -> dict[str, Any]:
        """The few numbers that a bench wants to compare."""
        return {
            "batches_total": self._batches.value,
            "messages_total": shard.reception.messages_total,
            "entities": len(shard.batches.entities),
        }
