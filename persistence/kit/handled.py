"""Handled commands: who has acted, with what answer, and what is still under way."""

import enum
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from bus.kit.values import Value

LATE_DAYS_MAX = 1
CALENDAR_MILLISECONDS_MAX = 253_370_764_800_000
"""The year 9999 begins: an id can name later times, a date cannot."""


class State(enum.IntEnum):
    """How far a command is; one that is ANSWERED has work left to do."""

    RUNNING = 0
    ANSWERED = 1
    DONE = 2


class Handled(Value, frozen=True, kw_only=True):
    """One command's row. `resume` is how to take it up again after a crash."""

    command_id: UUID
    slot: int
    state: State
    day: date | None = None
    body_hash: bytes | None = None
    resume_kind: str | None = None
    resume: bytes | None = None
    answer_kind: int | None = None
    answer: bytes | None = None


def born_on(command_id: UUID, otherwise: date) -> date:
    """The day in a UUIDv7; others carry none, nor does a time past all calendars."""
    milliseconds = command_id.int >> 80
    if command_id.version != 7 or milliseconds >= CALENDAR_MILLISECONDS_MAX:
        return otherwise
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def day_of(command_id: UUID, today: date) -> date:
    """The partition of a command's new row: the day in its id, else today.

    What comes late is of today, too. An event that waited a week for the bridge is
    delivered again for as long as the stream keeps it, which is from then on.
    """
    born = born_on(command_id, today)
    return born if born >= today - timedelta(days=LATE_DAYS_MAX) else today


async def find(
    connection: Any, ids: Sequence[UUID], now: datetime
) -> dict[UUID, Handled]:
    """The rows of those commands that are known.

    An id that carries its time has a row of that day or, where it came late, of a later
    one; an idempotency key's id is promised for 24 h, so yesterday's is looked through
    as well.
    """
    if not ids:
        return {}
    yesterday = now.date() - timedelta(days=1)
    first = min(born_on(command_id, yesterday) for command_id in ids)
    rows = await connection.fetch(
        """SELECT command_id, day, slot, state, body_hash, resume_kind, resume,
                  answer_kind, answer
           FROM handled WHERE command_id = ANY($1) AND day >= $2""",
        list(ids),
        first,
    )
    return {row["command_id"]: _of(row) for row in rows}


async def unfinished(connection: Any, slots: Iterable[int]) -> list[Handled]:
    """The processes of these slots that a crash interrupted."""
    rows = await connection.fetch(
        """SELECT command_id, day, slot, state, body_hash, resume_kind, resume,
                  answer_kind, answer
           FROM handled WHERE slot = ANY($1) AND state < 2 ORDER BY command_id""",
        sorted(slots),
    )
    return [_of(row) for row in rows]


async def write(connection: Any, rows: Sequence[Handled], now: datetime) -> None:
    """Insert new rows, and bring known ones to their new state and answer.

    Raises asyncpg.SerializationError where another shard has meanwhile taken an id for
    another body: run again, the transaction finds its row.
    """
    ordered = sorted(rows, key=lambda row: row.command_id)
    tag: str = await connection.execute(
        """INSERT INTO handled (command_id, day, slot, state, body_hash,
                                resume_kind, resume, answer_kind, answer)
           SELECT * FROM unnest($1::uuid[], $2::date[], $3::smallint[], $4::smallint[],
             $5::bytea[], $6::text[], $7::bytea[], $8::smallint[], $9::bytea[])
           ON CONFLICT (command_id, day) DO UPDATE SET state = excluded.state,
             answer_kind = coalesce(excluded.answer_kind, handled.answer_kind),
             answer = coalesce(excluded.answer, handled.answer)
             WHERE handled.body_hash IS NULL OR excluded.body_hash IS NULL
               OR handled.body_hash = excluded.body_hash""",
        [row.command_id for row in ordered],
        [row.day or day_of(row.command_id, now.date()) for row in ordered],
        [row.slot for row in ordered],
        [int(row.state) for row in ordered],
        [row.body_hash for row in ordered],
        [row.resume_kind for row in ordered],
        [row.resume for row in ordered],
        [row.answer_kind for row in ordered],
        [row.answer for row in ordered],
    )
    if tag != f"INSERT 0 {len(ordered)}":
        raise asyncpg.SerializationError("an id was taken for another body")


async def finish(connection: Any, ids: Sequence[UUID]) -> None:
    """Nothing is left to do for these processes."""
    await connection.execute(
        "UPDATE handled SET state = 2 WHERE command_id = ANY($1) AND state < 2",
        sorted(ids),
    )


def _of(row: Any) -> Handled:
    return Handled(
        command_id=row["command_id"],
        day=row["day"],
        slot=row["slot"],
        state=State(row["state"]),
        body_hash=row["body_hash"],
        resume_kind=row["resume_kind"],
        resume=row["resume"],
        answer_kind=row["answer_kind"],
        answer=row["answer"],
    )
