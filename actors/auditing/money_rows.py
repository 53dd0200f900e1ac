"""The rows of payments, and those of the bank."""

from datetime import datetime
from uuid import UUID

from actors.auditing.row import Row


class Payment(Row, frozen=True):
    """An order's payment."""

    database = "payments"
    table = "payments"
    id: UUID
    order_id: UUID
    currency: str
    captured_minor: int
    refunded_minor: int
    refunding_minor: int


class Attempt(Row, frozen=True):
    """One try to charge; `key` is the bank's."""

    database = "payments"
    table = "attempts"
    payment_id: UUID
    number: int
    status: str
    provider: str
    key: UUID
    amount_minor: int


class Refund(Row, frozen=True):
    """One refund; its id is the bank's key."""

    database = "payments"
    table = "refunds"
    id: UUID
    payment_id: UUID
    attempt: int
    status: str
    amount_minor: int


class Discrepancy(Row, frozen=True):
    """What a reconciliation found, and whether both sides agree by now."""

    database = "payments"
    table = "discrepancies"
    provider: str
    transaction: str
    kind: str
    resolved_at: datetime | None


class LedgerLine(Row, frozen=True):
    """One side of a ledger's transaction."""

    database = "payments"
    table = "ledger_lines"
    transaction_id: UUID
    payment_id: UUID
    account: str
    amount_minor: int
    currency: str


class BankCharge(Row, frozen=True):
    """A charge in the bank's own books."""

    database = "bank"
    table = "charges"
    key: str
    order_id: str
    status: str
    amount: int
    currency: str
    captured: int
    refunded: int
    expires_at: datetime | None


class BankMove(Row, frozen=True):
    """A capture of held money, or its release, in the bank's own books."""

    database = "bank"
    table = "moves"
    key: str
    kind: str
    charge_key: str
    status: str
    amount: int


class BankRefund(Row, frozen=True):
    """A refund in the bank's own books."""

    database = "bank"
    table = "refunds"
    key: str
    charge_key: str
    status: str
    amount: int
