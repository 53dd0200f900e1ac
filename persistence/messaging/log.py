"""What messaging remembers: the delivery log with its queue, and the mailbox."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from bus.kit.values import Page, Value
from bus.messaging import MessageView
from persistence.kit.database import Db
from persistence.kit.handled import day_of
from persistence.kit.tables import BY_DAY, domain_metadata
from persistence.kit.transaction import Tx

MESSAGES_DAYS_MAX = 90
MAILBOX_MAX = 20_000

# A message's day is read off its id while that is younger than any event that may
# come again; other ids (of idempotency keys) are looked for under today's.
_ID_DAYS_MAX = 14

metadata = domain_metadata("messaging")


class Table(SQLModel):
    """The domain's tables stand in a metadata of their own."""

    metadata = metadata


class Message(Table, table=True):
    """One mail or SMS; `data` is dropped once it is sent: codes rest no longer."""

    __tablename__ = "messages"
    __table_args__ = (
        sa.Index(
            "messages_queued", "slot", postgresql_where=sa.text("status='QUEUED'")
        ),
        sa.Index("messages_recipient", "recipient", "message_id"),
        sa.Index(
            "messages_by_user",
            "user_id",
            postgresql_where=sa.text("user_id IS NOT NULL"),
        ),
        sa.CheckConstraint("channel IN ('email', 'sms')", name="messages_channel"),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'SENT', 'FAILED')", name="messages_status"
        ),
        {
            "comment": f"Delivery log and queue, kept {MESSAGES_DAYS_MAX} days.",
            "postgresql_partition_by": BY_DAY,
        },
    )

    message_id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    day: date = Field(sa_column=sa.Column(sa.Date, primary_key=True))
    slot: int = Field(sa_column=sa.Column(sa.SmallInteger, nullable=False))
    channel: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    template: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    recipient: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    user_id: UUID | None = Field(sa_column=sa.Column(pg.UUID))
    locale: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    security: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    data: str | None = Field(sa_column=sa.Column(sa.Text))
    status: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    attempts: int = Field(sa_column=sa.Column(sa.SmallInteger, nullable=False))
    reason: str | None = Field(sa_column=sa.Column(sa.Text))
    created_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
    updated_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
    sent_at: datetime | None = Field(sa_column=sa.Column(sa.DateTime(timezone=True)))
    next_attempt_at: datetime | None = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True))
    )


class Mail(Table, table=True):
    """What the embedded SMTP server and the SMS log caught; never a real delivery."""

    __tablename__ = "mailbox"
    __table_args__ = ({"comment": "Mails and SMS that the embedded default caught."},)

    id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    channel: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    recipient: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    content: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )


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


_DATA = msgspec.json.Decoder(dict[str, Any])


def day_of_message(message_id: UUID, today: date) -> date:
    """The partition that a message is in, or is written to."""
    day = day_of(message_id, today)
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
             data FROM messages
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
        )
        for row in rows
    }
    return [found[message_id] for message_id in ids if message_id in found]


async def queued_of_shard(db: Db, shard: int, limit: int) -> list[tuple[UUID, bool]]:
    """Ids (and whether it is security mail) of what waits in the shard's slots now.

    What waits for its next attempt comes by its due message.
    """
    rows = await db.fetch(
        """SELECT message_id, security FROM messages
           WHERE status = 'QUEUED' AND next_attempt_at IS NULL
             AND slot IN (SELECT slot FROM slots WHERE shard = $1)
           ORDER BY security DESC, message_id LIMIT $2""",
        shard,
        limit,
    )
    return [(row["message_id"], row["security"]) for row in rows]


async def wake(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, bool]:
    """The next attempt of these may begin; returns who is security mail by id."""
    ordered = sorted(ids)
    rows = await tx.fetch(
        """UPDATE messages SET next_attempt_at = NULL
           WHERE message_id = ANY($1) AND day = ANY($2) AND status = 'QUEUED'
           RETURNING message_id, security""",
        ordered,
        _days(ordered, tx.now),
    )
    return {row["message_id"]: row["security"] for row in rows}


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
        """UPDATE messages SET reason = tried.reason, updated_at = $5,
             attempts = attempts + 1, next_attempt_at = tried.at,
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


async def requeue(tx: Tx, message_id: UUID) -> bool:
    """A failed message waits again, as if it had never been tried."""
    tag = await tx.execute(
        """UPDATE messages SET status = 'QUEUED', attempts = 0, reason = NULL,
             updated_at = $2 WHERE message_id = $1 AND status = 'FAILED'""",
        message_id,
        tx.now,
    )
    return tag == "UPDATE 1"


async def find_message(db: Db, message_id: UUID) -> MessageView | None:
    """One message of the log."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM messages WHERE message_id = $1",
        message_id,
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


async def keep_caught(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert (id, channel, recipient, content, at) rows of the mailbox, each once."""
    columns = [list(column) for column in zip(*sorted(rows), strict=True)]
    await tx.execute(
        """INSERT INTO mailbox (id, channel, recipient, content, at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[],
             $5::timestamptz[]) ON CONFLICT DO NOTHING""",
        *columns,
    )


async def trim_mailbox(tx: Tx) -> None:
    """Keep the newest `MAILBOX_MAX`."""
    await tx.execute(
        """DELETE FROM mailbox WHERE id <
             (SELECT id FROM mailbox ORDER BY id DESC OFFSET $1 LIMIT 1)""",
        MAILBOX_MAX - 1,
    )


async def list_mailbox(db: Db, *, to: str | None, limit: int) -> list[Any]:
    """(id, channel, recipient, content, at) rows, newest first."""
    return await db.fetch(
        """SELECT id, channel, recipient, content, at FROM mailbox
           WHERE ($1::text IS NULL OR recipient = $1) ORDER BY id DESC LIMIT $2""",
        to,
        limit,
    )


_COLUMNS = """message_id, channel, template, recipient, user_id, status, attempts,
  reason, created_at, updated_at, sent_at, next_attempt_at"""


def _view(row: Any) -> MessageView:
    values = dict(row)
    return MessageView(id=values.pop("message_id"), **values)


def _days(ids: Sequence[UUID], now: datetime) -> list[date]:
    """The partitions that these messages can be in."""
    today = now.date()
    days = {day_of_message(message_id, today) for message_id in ids}
    if any(_timeless(message_id, today) for message_id in ids):
        days |= {today - timedelta(days=back) for back in range(MESSAGES_DAYS_MAX)}
    return sorted(days)


def _timeless(message_id: UUID, today: date) -> bool:
    """Whether the id does not say which partition its message is in."""
    return day_of_message(message_id, today) != day_of(message_id, date.min)
