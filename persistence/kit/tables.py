"""The kit's tables, which stand in every domain's database beside its own."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from persistence.kit.removals import removals_table

BY_DAY = "RANGE (day)"
"""A table by its `day` column; `kept N days` in its comment says for how long."""


def domain_metadata(domain: str, *, noted: bool = False) -> sa.MetaData:
    """The metadata of a domain's database, with the kit's tables in it.

    `noted`: what is removed by hand is noted in it.
    """
    metadata = sa.MetaData(info={"domain": domain})
    _slots(metadata)
    _outbox(metadata)
    _handled(metadata)
    _claims_and_due(metadata)
    _erased(metadata)
    _audit(metadata)
    if noted:
        removals_table(metadata)
    return metadata


def _slots(metadata: sa.MetaData) -> None:
    sa.Table(
        "slots",
        metadata,
        sa.Column("slot", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("published", sa.BigInteger, nullable=False, server_default="0"),
        comment="Who owns each slot, and how far its events are published.",
    )
    sa.Table(
        "incarnations",
        metadata,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("shard", sa.Integer, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Index("incarnations_by_shard", "shard", "number"),
        comment="Copies of each shard, numbered when they began to start; "
        "the last one wins.",
    )
    sa.Table(
        "stream",
        metadata,
        sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        comment="The event stream as each shard last saw it.",
    )


def _outbox(metadata: sa.MetaData) -> None:
    sa.Table(
        "outbox",
        metadata,
        sa.Column("slot", sa.SmallInteger, primary_key=True),
        sa.Column("n", sa.BigInteger, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("id", pg.UUID, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        comment="Events, by slot in commit order, on their way; kept 7 days.",
        postgresql_partition_by=BY_DAY,
    )
    sa.Table(
        "sequences",
        metadata,
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        comment="The number of each entity's last event.",
    )


def _handled(metadata: sa.MetaData) -> None:
    sa.Table(
        "handled",
        metadata,
        sa.Column("command_id", pg.UUID, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("slot", sa.SmallInteger, nullable=False),
        sa.Column("state", sa.SmallInteger, nullable=False),
        sa.Column("body_hash", sa.LargeBinary),
        sa.Column("resume_kind", sa.Text),
        sa.Column("resume", sa.LargeBinary),
        sa.Column("answer_kind", sa.SmallInteger),
        sa.Column("answer", sa.LargeBinary),
        sa.Index("handled_unfinished", "slot", postgresql_where=sa.text("state < 2")),
        comment="Commands that have acted, with their answers, ids only; kept 8 days.",
        postgresql_partition_by=BY_DAY,
    )


def _claims_and_due(metadata: sa.MetaData) -> None:
    sa.Table(
        "claims",
        metadata,
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, primary_key=True),
        sa.Column("owner_id", pg.UUID, nullable=False),
        comment="Values that are unique over all keys.",
    )
    sa.Table(
        "due",
        metadata,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("id", pg.UUID, nullable=False),
        sa.Column("slot", sa.SmallInteger, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
        sa.Index("due_by_time", "slot", "at"),
        comment="Messages that the slot's owner sends itself when their time comes.",
    )


def _erased(metadata: sa.MetaData) -> None:
    sa.Table(
        "erased",
        metadata,
        sa.Column("user_id", pg.UUID, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Index("erased_by_time", "at"),
        comment="People who are gone: their ids alone, for good.",
    )


def _audit(metadata: sa.MetaData) -> None:
    sa.Table(
        "audit",
        metadata,
        sa.Column("id", pg.UUID, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("before", pg.JSONB),
        sa.Column("after", pg.JSONB),
        sa.Column("request_id", sa.Text),
        sa.Index("audit_by_entity", "entity", "id"),
        sa.Index("audit_by_actor", "actor", "id"),
        comment="Who did what to which entity, ids and facts only; kept 400 days.",
        postgresql_partition_by=BY_DAY,
    )
    sa.Table(
        "audit_days",
        metadata,
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Index("audit_days_by_day", "day"),
        comment="Days of the audit log with entries of an entity or an actor, "
        "or with any.",
    )
