"""The delivery log, which is the queue too."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.values import Page, Value
from bus.messaging import TRIES_MAX, MessageView, Try
from persistence.kit.database import Db
from persistence.kit.handled import born_on
from persistence.kit.transaction import Tx
from persistence.messaging.tables import MESSAGES_DAYS_MAX

# A message's day is read off its id while that is younger than any event that may
# come again; other ids (of idempotency keys) are looked for under today's.
_ID_DAYS_MAX = 14


class NewMessage(Value, frozen=True, kw_only=True):
    """A message that is to be queued, or logged as failed from the start."""

    message_id: UUID
    slot: int
    channel: str
    template: str
    recipient: str
    user_id: UUID | None
    locale: str
    security: bool
    data: str


class Queued(Value, frozen=True, kw_only=True):
    """What is needed to send a message."""

    message_id: UUID
    channel: str
    template: str
    recipient: str
    locale: str
    security: bool
    attempts: int
    data: dict[str, Any]
    suppressed: bool = False


class Attempt(Value, frozen=True, kw_only=True):
    """How a try that failed leaves a message; `next_attempt_at` None: given up."""

    message_id: UUID
    reason: str
    next_attempt_at: datetime | None


class Subject(Value, frozen=True):
    """What an event says of a message."""

    message_id: UUID
    channel: str
    template: str


class Waiting(Value, frozen=True):
    """A message that waits to be handed over, and by which line."""

    message_id: UUID
    channel: str
    security: bool


_DATA = msgspec.json.Decoder(dict[str, Any])
_TRIES = msgspec.json.Decoder(tuple[Try, ...])


# One more try, and no more of them than are kept.
_ADDED = """(CASE WHEN jsonb_array_length(tries) < {kept} THEN tries ELSE tries - 0 END
  || jsonb_build_array(jsonb_build_object(
       'at', $5::timestamptz, 'reason', {reason})))"""
_TRIED = _ADDED.format(kept=TRIES_MAX, reason="tried.reason")
_RETURNED = _ADDED.format(kept=TRIES_MAX, reason="$3::text")


def day_of_message(message_id: UUID, today: date) -> date:
    """The partition that a message is in, or is written to."""
    day = born_on(message_id, today)
    oldest, newest = today - timedelta(days=_ID_DAYS_MAX), today + timedelta(days=1)
    return day if oldest <= day <= newest else today


async def queue_messages(tx: Tx, rows: Iterable[NewMessage]) -> set[UUID]:
    """Insert what is not there yet; returns the ids that are new."""
    today = tx.now.date()
    unique = {row.message_id: row for row in rows}
    known = await _known_by_key(tx, unique, today)
    new = sorted(
        (row for row in unique.values() if row.message_id not in known),
        key=lambda row: row.message_id,
    )
    if not new:
        return set()
    inserted = await tx.fetch(
        """INSERT INTO messages (message_id, day, slot, channel, template, recipient,
             user_id, locale, security, data, status, attempts, created_at, updated_at)
           SELECT *, 'QUEUED', 0, $11, $11 FROM unnest($1::uuid[], $2::date[],
             $3::smallint[], $4::text[], $5::text[], $6::text[], $7::uuid[],
             $8::text[], $9::bool[], $10::text[])
           ON CONFLICT DO NOTHING RETURNING message_id""",
        [row.message_id for row in new],
        [day_of_message(row.message_id, today) for row in new],
        [row.slot for row in new],
        [row.channel for row in new],
        [row.template for row in new],
        [row.recipient for row in new],
        [row.user_id for row in new],
        [row.locale for row in new],
        [row.security for row in new],
        [row.data for row in new],
        tx.now,
    )
    return {row["message_id"] for row in inserted}


async def _known_by_key(tx: Tx, ids: Iterable[UUID], today: date) -> set[UUID]:
    """Those ids without a day of their own that were queued yesterday or later."""
    timeless = sorted(message_id for message_id in ids if _timeless(message_id, today))
    if not timeless:
        return set()
    rows = await tx.fetch(
        "SELECT message_id FROM messages WHERE message_id = ANY($1) AND day >= $2",
        timeless,
        today - timedelta(days=1),
    )
    return {row["message_id"] for row in rows}


async def take_queued(tx: Tx, shard: int, ids: Sequence[UUID]) -> list[Queued]:
    """Those of `ids` that are queued in the shard's slots, in this order."""
    rows = await tx.fetch(
        """SELECT message_id, channel, template, recipient, locale, security, attempts,
             data, EXISTS (SELECT FROM suppressions
                           WHERE address = lower(recipient) AND suppressed)
               AND NOT security AS suppressed FROM messages
           WHERE message_id = ANY($1) AND day = ANY($2) AND status = 'QUEUED'
             AND slot IN (SELECT slot FROM slots WHERE shard = $3)""",
        ids,
        _days(ids, tx.now),
        shard,
    )
    found = {
        row["message_id"]: Queued(
            message_id=row["message_id"],
            channel=row["channel"],
            template=row["template"],
            recipient=row["recipient"],
            locale=row["locale"],
            security=row["security"],
            attempts=row["attempts"],
            data=_DATA.decode(row["data"]) if row["data"] else {},
            suppressed=row["suppressed"],
        )
        for row in rows
    }
    return [found[message_id] for message_id in ids if message_id in found]


async def queued_of_shard(
    db: Db, shard: int, channel: str, *, security: bool, limit: int
) -> list[UUID]:
    """Ids of what waits now in the shard's slots for one line, the oldest first.

    What waits for its next attempt comes by its due message.
    """
    rows = await db.fetch(
        """SELECT message_id FROM messages
           WHERE status = 'QUEUED' AND next_attempt_at IS NULL
             AND channel = $2 AND security = $3
             AND slot IN (SELECT slot FROM slots WHERE shard = $1)
           ORDER BY message_id LIMIT $4""",
        shard,
        channel,
        security,
        limit,
    )
    return [row["message_id"] for row in rows]


async def wake(tx: Tx, ids: Sequence[UUID]) -> list[Waiting]:
    """The next attempt of these may begin; returns those that wait for it."""
    ordered = sorted(ids)
    rows = await tx.fetch(
        """UPDATE messages SET next_attempt_at = NULL
           WHERE message_id = ANY($1) AND day = ANY($2) AND status = 'QUEUED'
           RETURNING message_id, channel, security""",
        ordered,
        _days(ordered, tx.now),
    )
    return [Waiting(*row) for row in rows]


async def mark_sent(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """Queued messages become sent; returns those that did."""
    ordered = sorted(ids)
    rows = await tx.fetch(
        """UPDATE messages SET status = 'SENT', sent_at = $3, updated_at = $3,
             attempts = attempts + 1, reason = NULL, next_attempt_at = NULL, data = NULL
           WHERE message_id = ANY($1) AND day = ANY($2) AND status = 'QUEUED'
           RETURNING message_id, channel, template""",
        ordered,
        _days(ordered, tx.now),
        tx.now,
    )
    return {row["message_id"]: Subject(*row) for row in rows}


async def mark_attempts(tx: Tx, attempts: Iterable[Attempt]) -> dict[UUID, Subject]:
    """Write down tries that failed; returns the messages that were still queued."""
    ordered = sorted(attempts, key=lambda attempt: attempt.message_id)
    ids = [attempt.message_id for attempt in ordered]
    rows = await tx.fetch(
        f"""UPDATE messages SET reason = tried.reason, updated_at = $5,
             attempts = attempts + 1, next_attempt_at = tried.at,
             tries = {_TRIED},
             status = CASE WHEN tried.at IS NULL THEN 'FAILED' ELSE 'QUEUED' END
           FROM unnest($1::uuid[], $3::text[], $4::timestamptz[])
             AS tried (id, reason, at)
           WHERE message_id = tried.id AND day = ANY($2) AND status = 'QUEUED'
           RETURNING message_id, channel, template""",
        ids,
        _days(ids, tx.now),
        [attempt.reason for attempt in ordered],
        [attempt.next_attempt_at for attempt in ordered],
        tx.now,
    )
    return {row["message_id"]: Subject(*row) for row in rows}


async def mark_returned(
    tx: Tx, message_id: UUID, status: str, reason: str | None, before: Sequence[str]
) -> Subject | None:
    """What became of a message that is now in one of `before`; None: it is in none.

    A report can come before the mark that the message was sent.
    """
    row = await tx.fetchrow(
        f"""UPDATE messages SET status = $4, updated_at = $5, next_attempt_at = NULL,
             sent_at = coalesce(sent_at, $5), data = NULL, reason = $3,
             tries = CASE WHEN $3::text IS NULL THEN tries ELSE {_RETURNED} END
           WHERE message_id = $1 AND day = ANY($2) AND status = ANY($6)
           RETURNING message_id, channel, template""",
        message_id,
        _days([message_id], tx.now),
        reason,
        status,
        tx.now,
        before,
    )
    return Subject(*row) if row else None


async def requeue(tx: Tx, message_id: UUID) -> bool:
    """A failed message waits again, as if it had never been tried."""
    tag = await tx.execute(
        """UPDATE messages SET status = 'QUEUED', attempts = 0, reason = NULL,
             updated_at = $2
           WHERE message_id = $1 AND day = $3 AND status = 'FAILED'""",
        message_id,
        tx.now,
        await find_day(tx, message_id),
    )
    return tag == "UPDATE 1"


async def find_day(db: Db, message_id: UUID) -> date | None:
    """The partition that a message is in, None: there is no such message.

    Nearly all are in that of their id's day; only for what is not, all are opened.
    """
    born = born_on(message_id, date.max)
    own = "SELECT day FROM messages WHERE message_id = $1 AND day = $2"
    found: date | None = await db.fetchval(own, message_id, born)
    if found is None:
        anywhere = "SELECT day FROM messages WHERE message_id = $1 LIMIT 1"
        found = await db.fetchval(anywhere, message_id)
    return found


async def find_message(db: Db, message_id: UUID) -> MessageView | None:
    """One message of the log."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM messages WHERE message_id = $1 AND day = $2",
        message_id,
        await find_day(db, message_id),
    )
    return _view(row) if row else None


async def list_messages(
    db: Db,
    *,
    recipient: str | None,
    status: str | None,
    user_id: UUID | None,
    before: UUID | None,
    limit: int,
) -> Page[MessageView]:
    """The log, newest id first."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM messages
           WHERE ($1::text IS NULL OR recipient = $1)
             AND ($2::text IS NULL OR status = $2)
             AND ($3::uuid IS NULL OR user_id = $3)
             AND ($4::uuid IS NULL OR message_id < $4)
           ORDER BY message_id DESC LIMIT $5""",
        recipient,
        status,
        user_id,
        before,
        limit + 1,
    )
    items = tuple(_view(row) for row in rows[:limit])
    more = len(rows) > limit
    return Page(items, str(items[-1].id) if more else None)


_COLUMNS = """message_id, channel, template, recipient, user_id, status, attempts,
  reason, created_at, updated_at, sent_at, next_attempt_at, locale, tries::text"""


def _view(row: Any) -> MessageView:
    values = dict(row)
    tries = _TRIES.decode(values.pop("tries"))
    return MessageView(id=values.pop("message_id"), tries=tries, **values)


def _days(ids: Sequence[UUID], now: datetime) -> list[date]:
    """The partitions that these messages can be in."""
    today = now.date()
    days = {day_of_message(message_id, today) for message_id in ids}
    if any(_timeless(message_id, today) for message_id in ids):
        days |= {today - timedelta(days=back) for back in range(MESSAGES_DAYS_MAX)}
    return sorted(days)


def _timeless(message_id: UUID, today: date) -> bool:
    """Whether the id does not say which partition its message is in."""
    return day_of_message(message_id, today) != born_on(message_id, date.min)
