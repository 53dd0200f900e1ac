"""The tables of messaging: the delivery log, the mailbox, templates, suppressions."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from persistence.kit.tables import BY_DAY, domain_metadata

MESSAGES_DAYS_MAX = 90

# Within the head of a letter (actors/messaging/letter.py); a UUID has 36 characters.
_AT = r"position('\012Message-ID: <'::bytea IN substring(content FROM 1 FOR 4096))"
MAILED_ID = f"""CASE WHEN channel = 'email' AND {_AT} > 0
  THEN substring(content FROM {_AT} + 14 FOR 36) END"""

metadata = domain_metadata("messaging", noted=True)


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
        sa.Index(
            "messages_given_up",
            "message_id",
            postgresql_where=sa.text("status IN ('FAILED', 'BOUNCED')"),
        ),
        sa.CheckConstraint("channel IN ('email', 'sms')", name="messages_channel"),
        sa.CheckConstraint(
            "status IN ('QUEUED', 'SENT', 'DELIVERED', 'FAILED', 'BOUNCED')",
            name="messages_status",
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
    tries: list[Any] = Field(
        sa_column=sa.Column(pg.JSONB, nullable=False, server_default="[]")
    )


class Mail(Table, table=True):
    """What the embedded SMTP server and the SMS log caught; never a real delivery."""

    __tablename__ = "mailbox"
    __table_args__ = (
        sa.Index("mailbox_message_id", "message_id"),
        {"comment": "Mails and SMS that the embedded default caught."},
    )

    id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    channel: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    recipient: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    content: bytes = Field(sa_column=sa.Column(sa.LargeBinary, nullable=False))
    at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
    message_id: bytes | None = Field(
        sa_column=sa.Column(
            sa.LargeBinary,
            sa.Computed(MAILED_ID, persisted=True),
            comment="Of a mail: the id of the message, from its Message-ID.",
        )
    )


class EmailTemplate(Table, table=True):
    """The shop's own version of a template.

    A removed one stays, so that a version never means two things.
    """

    __tablename__ = "email_templates"
    __table_args__ = (
        {"comment": "The shop's own mail templates, versions only ever grow."},
    )

    name: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    locale: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    subject: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    mjml: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    text: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    description: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    sample: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    actor_id: UUID = Field(sa_column=sa.Column(pg.UUID, nullable=False))
    removed: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    version: int = Field(sa_column=sa.Column(sa.Integer, nullable=False))
    created_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
    updated_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )


class SuppressedAddress(Table, table=True):
    """An address that mail bounced from; `suppressed` stops all but security mail."""

    __tablename__ = "suppressions"
    __table_args__ = (
        sa.Index(
            "suppressions_by_user",
            "user_id",
            postgresql_where=sa.text("user_id IS NOT NULL"),
        ),
        {"comment": "Addresses that mail bounced from, in lower case."},
    )

    address: str = Field(sa_column=sa.Column(sa.Text, primary_key=True))
    user_id: UUID | None = Field(sa_column=sa.Column(pg.UUID))
    reason: str = Field(sa_column=sa.Column(sa.Text, nullable=False))
    bounces: int = Field(sa_column=sa.Column(sa.Integer, nullable=False))
    suppressed: bool = Field(sa_column=sa.Column(sa.Boolean, nullable=False))
    created_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
    updated_at: datetime = Field(
        sa_column=sa.Column(sa.DateTime(timezone=True), nullable=False)
    )
