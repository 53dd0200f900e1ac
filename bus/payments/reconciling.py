"""Reconciliation: the ledger compared with what the providers say they have moved."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.values import Done, Money, Page, Value

DISCREPANCIES_SHOWN_MAX = 100


class DiscrepancyKind(enum.StrEnum):
    """How the ledger and a provider's list can differ.

    MISSING_HERE: the provider moved money that the ledger does not know. MISSING_THERE:
    the ledger has money that the provider never moved. AMOUNT_DIFFERS, STATUS_DIFFERS:
    both know it, and not as the same.
    """

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT_DIFFERS = "AMOUNT_DIFFERS"
    STATUS_DIFFERS = "STATUS_DIFFERS"


# --- views -------------------------------------------------------------------


class DiscrepancyView(Value, frozen=True, kw_only=True):
    """One difference; `transaction` is our key of it, or else the provider's id.

    Money that went to the customer is negative. `resolved_at`: since then both agree.
    """

    kind: DiscrepancyKind
    transaction: str
    payment_id: UUID | None = None
    here: Money | None = None
    there: Money | None = None
    found_at: datetime | None = None
    resolved_at: datetime | None = None


class ReconciliationView(Value, frozen=True, kw_only=True):
    """What a comparison found: of so many transactions so many agree.

    `found` counts the discrepancies; the first ones are shown.
    """

    id: UUID
    provider: str
    since: datetime
    until: datetime
    transactions: int
    matched: int
    found: int
    discrepancies: tuple[DiscrepancyView, ...]
    created_at: datetime


# --- commands ----------------------------------------------------------------


class Reconcile(Command[ReconciliationView], frozen=True, kw_only=True):
    """Compare the ledger with a provider's list, from where the last one ended.

    Comes by itself every `SOUK_RECONCILE_MINUTES`, and when it is asked for.
    """

    key = by("provider")
    provider: str


# --- queries -----------------------------------------------------------------


class ListProviders(Query[tuple[str, ...]], frozen=True, kw_only=True):
    """The names of the providers that the shop is set up with."""

    key = ANY


class ListReconciliations(Query[Page[ReconciliationView]], frozen=True, kw_only=True):
    """The comparisons, newest first."""

    key = ANY
    provider: str | None = None
    limit: int = 20
    cursor: str | None = None


# --- events ------------------------------------------------------------------


class ReconciliationMismatch(Event, frozen=True, kw_only=True):
    """The ledger and a provider disagree about a transaction; told once."""

    key = by("provider")
    subject = by("provider")
    provider: str
    reconciliation_id: UUID
    difference: DiscrepancyKind
    transaction: str
    payment_id: UUID | None


# --- steps -------------------------------------------------------------------


class Window(Value, frozen=True, kw_only=True):
    """The time to compare, and the transactions that differed before."""

    since: datetime
    until: datetime
    open: tuple[DiscrepancyView, ...] = ()


class ScheduleReconcile(Command[Done], frozen=True, kw_only=True):
    """See to it that a provider is reconciled again and again."""

    key = by("provider")
    remembered = False
    provider: str


class BeginReconcile(Command[Window], frozen=True, kw_only=True):
    """Set the next comparison, and say what this one is about."""

    key = by("provider")
    remembered = False
    provider: str


class CloseReconcile(Command[ReconciliationView], frozen=True, kw_only=True):
    """Write what a comparison found, and tell each difference once."""

    key = by("provider")
    remembered = False
    provider: str
    id: UUID
    since: datetime
    until: datetime
    transactions: int
    matched: int
    discrepancies: tuple[DiscrepancyView, ...]
    resolved: tuple[DiscrepancyView, ...] = ()
