"""What notifications remember: what people were told, and the channels they chose."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from bus.kit.values import Page, Value
from bus.notifications import Channel, NotificationType, NotificationView
from persistence.kit.books import Books, Shown
from persistence.kit.database import Db
from persistence.kit.tables import domain_metadata
from persistence.kit.transaction import Tx

NOTIFICATIONS_DAYS_MAX = 180
SWEEP_MAX = 2_000

metadata = domain_metadata("notifications", noted=True)

_TIME = sa.DateTime(timezone=True)


class Table(SQLModel):
    """The domain's tables stand in a metadata of their own."""

    metadata = metadata


class NotificationRow(Table, table=True):
    """One thing that a person was told; without `in_app` only its mail was wanted."""

    __tablename__ = "notifications"
    __table_args__ = (
        sa.Index(
            "notifications_of_user", "user_id", "id", postgresql_where=sa.text("in_app")
        ),
        sa.Index(
            "notifications_unread",
            "user_id",
            "id",
            postgresql_where=sa.text("in_app AND read_at IS NULL"),
        ),
        sa.Index(
            "notifications_by_position",
            "user_id",
            "position",
            unique=True,
            postgresql_where=sa.text("in_app"),
        ),
        sa.Index(
            "notifications_mailed",
            "user_id",
            "id",
            postgresql_where=sa.text("NOT in_app"),
        ),
        sa.Index("notifications_by_age", "created_at", postgresql_using="brin"),
        {"comment": "What people were told, once by event."},
    )

    id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    user_id: UUID = Field(sa_column=sa.Column(pg.UUID, nullable=False))
    type: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    title: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    body: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    data: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    in_app: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    email: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    sms: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    read_at: datetime | None = Field(sa_column=sa.Column(_TIME))
    created_at: datetime = Field(sa_column=sa.Column(_TIME, nullable=False))
    updated_at: datetime = Field(sa_column=sa.Column(_TIME, nullable=False))
    version: int = Field(sa_column=sa.Column(sa.Integer, nullable=False))
    position: int = Field(sa_column=sa.Column(sa.BigInteger, nullable=False))


class PreferencesRow(Table, table=True):
    """The channels that a person chose, by type; what is absent is the default."""

    __tablename__ = "preferences"
    __table_args__ = ({"comment": "Channels by type, where a person has chosen."},)

    user_id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    choices: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    version: int = Field(sa_column=sa.Column(sa.Integer, nullable=False))
    updated_at: datetime = Field(sa_column=sa.Column(_TIME, nullable=False))


Choices = dict[NotificationType, dict[Channel, bool]]


class Preferences(Value, frozen=True, kw_only=True):
    """A person's choices; version 0: none yet."""

    choices: Choices = {}
    version: int = 0
    updated_at: datetime | None = None


class Notification(Value, frozen=True, kw_only=True):
    """A notification to be written, with the channels that were decided for it."""

    id: UUID
    user_id: UUID
    type: NotificationType
    title: str
    body: str
    data: dict[str, Any]
    in_app: bool
    email: bool
    sms: bool


class Carried(Value, frozen=True):
    """The channels that were decided when the notification was written."""

    email: bool
    sms: bool


# A person's last position. That it is never below the clock's microseconds keeps it
# rising also when the highest rows have gone: they are too old by then. Only the
# person's owner writes, one batch after another, so no lower one is committed later.
_NEXT = """greatest((extract(epoch FROM {now}::timestamptz) * 1000000)::bigint,
  (SELECT max(before.position) FROM notifications AS before
   WHERE before.user_id = {user} AND before.in_app))"""

_CHOICES = msgspec.json.Decoder(Choices)
_DATA = msgspec.json.Decoder(dict[str, Any])


async def load_preferences(db: Db, user_ids: Sequence[UUID]) -> dict[UUID, Preferences]:
    """The choices of these people; one who has none is there with version 0."""
    rows = await db.fetch(
        """SELECT user_id, choices, version, updated_at FROM preferences
           WHERE user_id = ANY($1)""",
        sorted(user_ids),
    )
    found = {
        row["user_id"]: Preferences(
            choices=_CHOICES.decode(row["choices"]),
            version=row["version"],
            updated_at=row["updated_at"],
        )
        for row in rows
    }
    return {user_id: found.get(user_id, Preferences()) for user_id in user_ids}


async def save_preferences(tx: Tx, user_id: UUID, preferences: Preferences) -> bool:
    """Compare-and-set on the version; False when another one was there."""
    version = await tx.fetchval(
        """INSERT INTO preferences (user_id, choices, version, updated_at)
           VALUES ($1, $2, $3, $4)
           ON CONFLICT (user_id) DO UPDATE SET choices = excluded.choices,
             version = excluded.version, updated_at = excluded.updated_at
             WHERE preferences.version = excluded.version - 1
           RETURNING version""",
        user_id,
        msgspec.json.encode(preferences.choices).decode(),
        preferences.version,
        preferences.updated_at,
    )
    return version is not None


async def add_notifications(tx: Tx, rows: Iterable[Notification]) -> set[UUID]:
    """Insert what is not there yet; returns the ids that are new."""
    new = sorted(rows, key=lambda row: row.id)
    inserted = await tx.fetch(
        f"""INSERT INTO notifications (id, user_id, type, title, body, data, in_app,
             email, sms, created_at, updated_at, version, position)
           SELECT new.*, $10, $10, 1, {_NEXT.format(user="new.user_id", now="$10")}
             + row_number() OVER (PARTITION BY new.user_id ORDER BY new.id)
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
             $6::text[], $7::bool[], $8::bool[], $9::bool[]) AS new
             (id, user_id, type, title, body, data, in_app, email, sms)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        [row.id for row in new],
        [row.user_id for row in new],
        [row.type.value for row in new],
        [row.title for row in new],
        [row.body for row in new],
        [msgspec.json.encode(row.data).decode() for row in new],
        [row.in_app for row in new],
        [row.email for row in new],
        [row.sms for row in new],
        tx.now,
    )
    return {row["id"] for row in inserted}


async def carried(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Carried]:
    """The channels of notifications that were written before."""
    rows = await tx.fetch(
        "SELECT id, email, sms FROM notifications WHERE id = ANY($1)", sorted(ids)
    )
    return {row["id"]: Carried(row["email"], row["sms"]) for row in rows}


async def find_written(db: Db, notification_id: UUID) -> Notification | None:
    """A notification as it was written."""
    row = await db.fetchrow(
        """SELECT id, user_id, type, title, body, data, in_app, email, sms
           FROM notifications WHERE id = $1""",
        notification_id,
    )
    if row is None:
        return None
    values = {**row, "type": NotificationType(row["type"])}
    return Notification(**{**values, "data": _DATA.decode(row["data"])})


async def list_notifications(
    db: Db,
    user_id: UUID,
    *,
    unread: bool | None,
    before: UUID | None,
    limit: int,
    also_mailed: bool = False,
) -> Page[NotificationView]:
    """A person's notifications, newest id first; those that were only mailed, too."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM notifications
           WHERE user_id = $1 AND {"true" if also_mailed else "in_app"}
             AND ($2::bool IS NULL OR (read_at IS NULL) = $2)
             AND ($3::uuid IS NULL OR id < $3)
           ORDER BY id DESC LIMIT $4""",
        user_id,
        unread,
        before,
        limit + 1,
    )
    items = tuple(_view(row) for row in rows[:limit])
    return Page(items, str(items[-1].id) if len(rows) > limit else None)


async def find_notification(
    db: Db, user_id: UUID, notification_id: UUID
) -> NotificationView | None:
    """One of the person's notifications."""
    row = await db.fetchrow(
        f"""SELECT {_COLUMNS} FROM notifications
            WHERE id = $1 AND user_id = $2 AND in_app""",
        notification_id,
        user_id,
    )
    return _view(row) if row else None


async def mark_read(tx: Tx, user_id: UUID, notification_id: UUID) -> bool:
    """Unread becomes read; False when it was not unread."""
    tag = await tx.execute(
        f"""UPDATE notifications SET read_at = $3, updated_at = $3,
             version = version + 1, position = {_NEXT.format(user="$2", now="$3")} + 1
           WHERE id = $1 AND user_id = $2 AND in_app AND read_at IS NULL""",
        notification_id,
        user_id,
        tx.now,
    )
    return tag == "UPDATE 1"


async def mark_some_read(tx: Tx, user_id: UUID, limit: int) -> list[UUID]:
    """The person's oldest unread ones become read; returns their ids."""
    rows = await tx.fetch(
        f"""UPDATE notifications SET read_at = $2, updated_at = $2,
             version = version + 1, position = read.position
           FROM (SELECT id, {_NEXT.format(user="$1", now="$2")}
                   + row_number() OVER (ORDER BY id) AS position
                 FROM notifications
                 WHERE user_id = $1 AND in_app AND read_at IS NULL
                 ORDER BY id LIMIT $3) AS read
           WHERE notifications.id = read.id
           RETURNING notifications.id""",
        user_id,
        tx.now,
        limit,
    )
    return sorted(row["id"] for row in rows)


async def read_after(
    db: Db, user_id: UUID, after: int | None, limit: int
) -> tuple[NotificationView, ...]:
    """The person's notifications above a position; None: the last `limit` ones."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM notifications
            WHERE user_id = $1 AND in_app AND position > $2
            ORDER BY position {"DESC" if after is None else ""} LIMIT $3""",
        user_id,
        after or 0,
        limit,
    )
    return tuple(_view(row) for row in (reversed(rows) if after is None else rows))


async def forget_person(tx: Tx, user_id: UUID) -> None:
    """Delete all that a person was told, and their choices."""
    await tx.execute("DELETE FROM notifications WHERE user_id = $1", user_id)
    await tx.execute("DELETE FROM preferences WHERE user_id = $1", user_id)


async def sweep(tx: Tx) -> None:
    """Delete some of what is older than `NOTIFICATIONS_DAYS_MAX`."""
    await tx.execute(
        """DELETE FROM notifications WHERE id IN
             (SELECT id FROM notifications WHERE created_at < $1
              ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)""",
        tx.now - timedelta(days=NOTIFICATIONS_DAYS_MAX),
        SWEEP_MAX,
    )


_COLUMNS = """id, type, title, body, data, read_at, created_at, updated_at, version,
  position"""


def _view(row: Any) -> NotificationView:
    return NotificationView(
        id=row["id"],
        type=NotificationType(row["type"]),
        title=row["title"],
        body=row["body"],
        data=_DATA.decode(row["data"]),
        read_at=row["read_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        version=row["version"],
        position=row["position"],
    )


BOOKS = Books(
    shown=(
        Shown(
            "notifications",
            "id, user_id, type, md5(title),"
            " jsonb_build_object('order_id', data::jsonb ->> 'order_id')::text,"
            " email, created_at",
            "id",
            walk="id",
        ),
        Shown(
            "erased_lately",
            "user_id, at",
            "user_id",
            by="(at > now() - interval '2 days')::text",
            kind="text",
            source="erased",
            watched=False,
        ),
    ),
    noted=True,
)
"""What is shown to who compares: no title, for somebody else may have written it."""
