"""The outbox: events that wait, in commit order, to be published."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.addressing import new_id
from bus.kit.messages import Event
from bus.kit.values import Value


class OutboxRow(Value, frozen=True, array_like=True):
    """An event on its way: `n` counts a slot's events without a gap."""

    slot: int
    n: int
    id: UUID
    subject: str
    payload: str


class Told(Value, frozen=True):
    """An event as a handler told it, before it has its numbers."""

    slot: int
    event: Event
    traceparent: str | None = None


async def write(
    connection: Any, told: Sequence[Told], last_n: dict[int, int], now: datetime
) -> list[OutboxRow]:
    """Number the events and write them; `last_n` is each slot's last number so far.

    One process writes a slot, one batch after another, so the numbers have no gap
    and follow the order of commits; a serial column would promise neither.
    """
    sequences = await _next_sequences(connection, told)
    numbers = dict(last_n)
    rows = []
    for item in told:
        numbers[item.slot] = numbers.get(item.slot, 0) + 1
        entity = _entity(item.event)
        sequences[entity] += 1
        rows.append(_row(item, numbers[item.slot], sequences[entity], now))
    await connection.execute(
        """INSERT INTO outbox (slot, n, day, id, subject, payload)
           SELECT slot, n, $6, id, subject, payload FROM
             unnest($1::smallint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[])
             AS told (slot, n, id, subject, payload)""",
        [row.slot for row in rows],
        [row.n for row in rows],
        [row.id for row in rows],
        [row.subject for row in rows],
        [row.payload for row in rows],
        now.date(),
    )
    return rows


async def tails(connection: Any, slots: Sequence[int]) -> dict[int, tuple[int, int]]:
    """For each slot the number of its last event, and of its last published one."""
    rows = await connection.fetch(
        """SELECT slot, published,
             greatest(published, coalesce((SELECT max(n) FROM outbox
                                           WHERE outbox.slot = slots.slot), 0)) AS last
           FROM slots WHERE slot = ANY($1)""",
        list(slots),
    )
    return {row["slot"]: (row["last"], row["published"]) for row in rows}


async def unpublished(
    connection: Any, after: dict[int, int], limit: int
) -> list[OutboxRow]:
    """Each slot's first `limit` events after a number, in order; all at one look."""
    slots = sorted(after)
    rows = await connection.fetch(
        """SELECT behind.slot, row.n, row.id, row.subject, row.payload
           FROM unnest($1::smallint[], $2::bigint[]) AS behind (slot, last),
             LATERAL (SELECT n, id, subject, payload FROM outbox
                      WHERE outbox.slot = behind.slot AND n > behind.last
                      ORDER BY n LIMIT $3) AS row
           ORDER BY behind.slot, row.n""",
        slots,
        [after[slot] for slot in slots],
        limit,
    )
    return [OutboxRow(*row) for row in rows]


async def oldest(connection: Any, slots: Sequence[int]) -> dict[int, int]:
    """The number before each slot's oldest kept event: where a replay begins."""
    rows = await connection.fetch(
        "SELECT slot, min(n) - 1 AS before FROM outbox "
        "WHERE slot = ANY($1) GROUP BY slot",
        list(slots),
    )
    return {row["slot"]: row["before"] for row in rows}


async def kept(connection: Any) -> int:
    """How many events are kept: so many has a stream that is made anew."""
    count: int = await connection.fetchval("SELECT count(*) FROM outbox")
    return count


async def mark_published(connection: Any, marks: dict[int, int]) -> None:
    """Move the slots' watermarks."""
    slots = sorted(marks)
    await connection.execute(
        """UPDATE slots SET published = marks.n
           FROM unnest($1::smallint[], $2::bigint[]) AS marks (slot, n)
           WHERE slots.slot = marks.slot AND slots.published <> marks.n""",
        slots,
        [marks[slot] for slot in slots],
    )


async def stream_seen(
    connection: Any, shard: int
) -> tuple[tuple[str, int] | None, bool]:
    """When the stream was made, and its last number; and whether this shard saw it.

    A shard that is new takes its neighbour's word: its slots were theirs.
    """
    row = await connection.fetchrow(
        "SELECT created, sequence, shard = $1 AS own FROM stream "
        "ORDER BY shard <> $1, shard LIMIT 1",
        shard,
    )
    return ((row["created"], row["sequence"]), row["own"]) if row else (None, False)


async def streams_of_others(connection: Any, shard: int) -> list[tuple[str, int]]:
    """What the other shards have last written down of the stream they saw."""
    rows = await connection.fetch(
        "SELECT created, sequence FROM stream WHERE shard <> $1", shard
    )
    return [(row["created"], row["sequence"]) for row in rows]


async def see_stream(connection: Any, shard: int, created: str, sequence: int) -> None:
    """Remember the stream as it is now."""
    await connection.execute(
        """INSERT INTO stream (shard, created, sequence) VALUES ($1, $2, $3)
           ON CONFLICT (shard) DO UPDATE
           SET created = excluded.created, sequence = excluded.sequence""",
        shard,
        created,
        sequence,
    )


def _entity(event: Event) -> str:
    return str(event.subject)


async def _next_sequences(connection: Any, told: Sequence[Told]) -> dict[str, int]:
    counts = Counter(_entity(item.event) for item in told)
    entities = sorted(counts)
    rows = await connection.fetch(
        """INSERT INTO sequences (subject, sequence)
           SELECT * FROM unnest($1::text[], $2::bigint[])
           ON CONFLICT (subject) DO UPDATE
           SET sequence = sequences.sequence + excluded.sequence
           RETURNING subject, sequence""",
        entities,
        [counts[entity] for entity in entities],
    )
    return {row["subject"]: row["sequence"] - counts[row["subject"]] for row in rows}


def _row(item: Told, n: int, sequence: int, now: datetime) -> OutboxRow:
    """The event as a CloudEvents 1.0 document (contract §3)."""
    event = item.event
    identity = new_id(event.key)
    document: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(identity),
        "source": f"/{event.domain}",
        "type": f"{event.domain}.{event.message_name}.v{event.type_version}",
        "subject": _entity(event),
        "time": now,
        "sequence": str(sequence),
        "data": event,
    }
    if item.traceparent:
        document["traceparent"] = item.traceparent
    payload = msgspec.json.encode(document).decode()
    return OutboxRow(item.slot, n, identity, event.nats_subject(), payload)
