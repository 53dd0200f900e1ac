"""The tables of payments."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from persistence.kit.tables import domain_metadata

metadata = domain_metadata("payments", noted=True)

_due = metadata.tables["due"]
STANDING_IN = sa.Index(
    "due_standing_in",
    *(_due.c.slot, _due.c.at),
    postgresql_where=sa.text(
        "kind IN ('payments.rescue_attempt', 'payments.rescue_refund')"
    ),
)
"""What a start looks for; the other messages of this table may be very many."""


def _moment(*, nullable: bool = False) -> Any:
    """A point in time, always with its zone."""
    return Field(sa_type=sa.DateTime(timezone=True), nullable=nullable)


def _text(*, nullable: bool = False, **options: Any) -> Any:
    return Field(sa_type=sa.Text, nullable=nullable, **options)


def _minor() -> Any:
    """An amount in minor units."""
    return Field(sa_type=sa.BigInteger)


class Table(SQLModel):
    """A table of this domain's own database."""

    metadata = metadata


class Payments(Table, table=True):
    """One row an order; its id follows from the order's."""

    __tablename__ = "payments"
    __table_args__ = (
        sa.Index(
            "payments_by_user",
            "user_id",
            postgresql_where=sa.text("user_id IS NOT NULL"),
        ),
        sa.CheckConstraint(
            "0 <= refunded_minor AND 0 <= refunding_minor"
            " AND refunded_minor + refunding_minor <= captured_minor",
            name="payments_refunds",
        ),
    )
    id: UUID = Field(primary_key=True)
    order_id: UUID
    user_id: UUID | None
    currency: str = _text()
    method: str = _text()
    amount_minor: int = _minor()
    captured_minor: int = _minor()
    refunded_minor: int = _minor()
    refunding_minor: int = _minor()
    version: int
    created_at: datetime = _moment()
    updated_at: datetime = _moment()


class Attempts(Table, table=True):
    """One row an attempt; `key` is the provider's idempotency key."""

    __tablename__ = "attempts"
    __table_args__ = (
        sa.CheckConstraint(
            "status IN ('OPEN', 'UNKNOWN', 'PENDING', 'AUTHORIZED', 'CAPTURING',"
            " 'VOIDING', 'SUCCEEDED', 'DECLINED', 'VOIDED', 'EXPIRED', 'LATE')",
            name="attempts_status",
        ),
    )
    payment_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    status: str = _text()
    provider: str = _text()
    key: UUID
    amount_minor: int = _minor()
    method: str = _text()
    sealed: str | None = _text(nullable=True)
    decline_code: str | None = _text(nullable=True)
    reference: str | None = _text(nullable=True)
    asks: int
    hold: bool
    given_up: bool
    created_at: datetime = _moment()
    closed_at: datetime | None = _moment(nullable=True)
    expires_at: datetime | None = _moment(nullable=True)


class Refunds(Table, table=True):
    """One row a refund, of what an attempt took; its id is the provider's key."""

    __tablename__ = "refunds"
    __table_args__ = (
        sa.Index("refunds_by_payment", "payment_id"),
        sa.CheckConstraint("amount_minor > 0", name="refunds_amount"),
        sa.CheckConstraint(
            "status IN ('PENDING', 'COMPLETED', 'REJECTED')", name="refunds_status"
        ),
    )
    id: UUID = Field(primary_key=True)
    payment_id: UUID
    attempt: int
    status: str = _text()
    amount_minor: int = _minor()
    reason: str = _text()
    reason_code: str | None = _text(nullable=True)
    reference: str | None = _text(nullable=True)
    asks: int
    actor_id: UUID | None
    created_at: datetime = _moment()
    closed_at: datetime | None = _moment(nullable=True)


class LedgerLines(Table, table=True):
    """Double entry: inserted only, and a transaction's lines sum to zero (triggers)."""

    __tablename__ = "ledger_lines"
    __table_args__ = (
        sa.Index("ledger_lines_by_time", "created_at", postgresql_using="brin"),
        sa.Index("ledger_lines_by_payment", "payment_id"),
    )
    transaction_id: UUID = Field(primary_key=True)
    line: int = Field(sa_type=sa.SmallInteger, primary_key=True)
    payment_id: UUID
    account: str = _text()
    amount_minor: int = _minor()
    currency: str = _text()
    created_at: datetime = _moment()


class PaymentMethods(Table, table=True):
    """A person's stored methods; `sealed` is a Fernet token of the key `sealed_by`."""

    __tablename__ = "payment_methods"
    __table_args__ = (
        sa.Index("payment_methods_by_user", "user_id", "id"),
        sa.Index("payment_methods_by_key", "sealed_by", "id"),
    )
    id: UUID = Field(primary_key=True)
    user_id: UUID
    method: str = _text()
    provider: str = _text()
    sealed: str = _text()
    sealed_by: str = _text()
    is_default: bool
    version: int
    created_at: datetime = _moment()
    updated_at: datetime = _moment()


class Providers(Table, table=True):
    """One row a provider: how it does, and how far it was reconciled."""

    __tablename__ = "providers"
    name: str = _text(primary_key=True)
    failing_since: datetime | None = _moment(nullable=True)
    reconciled_until: datetime | None = _moment(nullable=True)
    reconcile_at: datetime | None = _moment(nullable=True)


class Reconciliations(Table, table=True):
    """One row a comparison of the ledger with a provider's own list."""

    __tablename__ = "reconciliations"
    id: UUID = Field(primary_key=True)
    provider: str = _text()
    since: datetime = _moment()
    until: datetime = _moment()
    transactions: int
    matched: int
    found: int
    created_at: datetime = _moment()


class Discrepancies(Table, table=True):
    """What a reconciliation found, once by transaction and kind; ids only."""

    __tablename__ = "discrepancies"
    __table_args__ = (
        sa.Index("discrepancies_by_reconciliation", "reconciliation_id"),
        sa.CheckConstraint(
            "kind IN ('MISSING_HERE', 'MISSING_THERE', 'AMOUNT_DIFFERS',"
            " 'STATUS_DIFFERS')",
            name="discrepancies_kind",
        ),
    )
    provider: str = _text(primary_key=True)
    transaction: str = _text(primary_key=True)
    kind: str = _text(primary_key=True)
    reconciliation_id: UUID
    payment_id: UUID | None
    here_minor: int | None = Field(sa_type=sa.BigInteger, nullable=True)
    there_minor: int | None = Field(sa_type=sa.BigInteger, nullable=True)
    currency: str = _text()
    found_at: datetime = _moment()
    resolved_at: datetime | None = _moment(nullable=True)
