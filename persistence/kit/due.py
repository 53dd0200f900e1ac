"""Due messages: what a slot's owner sends itself when its time has come."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from bus.kit.context import NONE, Context
from bus.kit.messages import Message, preserve, revive
from bus.kit.values import Value


class Due(Value, frozen=True, kw_only=True):
    """`message` at `at`; a later one of the same `name` takes its place.

    `context` is the request that it goes back to, if any.
    """

    name: str
    id: UUID
    slot: int
    at: datetime
    message: Message
    context: Context = NONE


async def write(connection: Any, rows: Iterable[Due]) -> None:
    """Insert, or replace those of the same name."""
    ordered = sorted(rows, key=lambda row: row.name)
    await connection.execute(
        """INSERT INTO due (name, id, slot, at, kind, message)
           SELECT * FROM unnest($1::text[], $2::uuid[], $3::smallint[],
                                $4::timestamptz[], $5::text[], $6::bytea[])
           ON CONFLICT (name) DO UPDATE SET id = excluded.id, at = excluded.at,
             kind = excluded.kind, message = excluded.message""",
        [row.name for row in ordered],
        [row.id for row in ordered],
        [row.slot for row in ordered],
        [row.at for row in ordered],
        [row.message.kind() for row in ordered],
        [preserve(row.message, row.context) for row in ordered],
    )


async def cancel(connection: Any, names: Iterable[str]) -> None:
    """Drop the messages of these names."""
    await connection.execute("DELETE FROM due WHERE name = ANY($1)", sorted(names))


async def finish(connection: Any, ids: Iterable[UUID]) -> None:
    """Drop those that have been taken up; one that was replaced since stays."""
    await connection.execute("DELETE FROM due WHERE id = ANY($1)", sorted(ids))


async def waiting(connection: Any, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these are there still: neither taken up, nor cancelled or replaced."""
    rows = await connection.fetch(
        "SELECT id FROM due WHERE id = ANY($1)", sorted(set(ids))
    )
    return {row["id"] for row in rows}


async def ripe(connection: Any, slots: Sequence[int], limit: int) -> list[Due]:
    """What is due by the database's clock, longest first."""
    rows = await connection.fetch(
        """SELECT name, id, slot, at, kind, message FROM due
           WHERE slot = ANY($1) AND at <= now() ORDER BY at LIMIT $2""",
        list(slots),
        limit,
    )
    return [_of(row) for row in rows]


async def left(
    connection: Any, slots: Iterable[int], kinds: Sequence[str], limit: int
) -> list[Due]:
    """The messages of these kinds, whenever they are due, soonest first."""
    rows = await connection.fetch(
        """SELECT name, id, slot, at, kind, message FROM due
           WHERE slot = ANY($1) AND kind = ANY($2) ORDER BY at LIMIT $3""",
        sorted(slots),
        list(kinds),
        limit,
    )
    return [_of(row) for row in rows]


async def next_seconds(connection: Any, slots: Sequence[int]) -> float | None:
    """How long until the next message is due; None when none waits.

    The first of each slot is read, not all that wait: a shop with many carts asks
    this every second.
    """
    seconds = await connection.fetchval(
        """SELECT extract(epoch FROM min(first.at) - now())::float8
           FROM unnest($1::smallint[]) AS own (slot) CROSS JOIN LATERAL
             (SELECT at FROM due WHERE due.slot = own.slot
              ORDER BY at LIMIT 1) AS first""",
        list(slots),
    )
    return None if seconds is None else max(0.0, float(seconds))


def _of(row: Any) -> Due:
    message, context = revive(row["kind"], row["message"])
    return Due(
        name=row["name"],
        id=row["id"],
        slot=row["slot"],
        at=row["at"],
        message=message,
        context=context,
    )
