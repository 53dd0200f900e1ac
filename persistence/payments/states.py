"""Payments as they are remembered: immutable, changed only by making another."""

from datetime import datetime
from uuid import UUID, uuid5

from bus.kit.values import Value
from bus.payments import AttemptStatus, RefundStatus


class Attempt(Value, frozen=True, kw_only=True):
    """One attempt to charge; `sealed` is the encrypted token until it is settled.

    `asks` counts how often the provider left it unsettled.
    """

    number: int
    status: AttemptStatus
    provider: str
    key: UUID
    amount_minor: int
    method: str
    sealed: str | None
    decline_code: str | None = None
    reference: str | None = None
    asks: int = 0
    created_at: datetime
    closed_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether its result can change no more."""
        return self.status in (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED)


class Refund(Value, frozen=True, kw_only=True):
    """Money on its way back, or gone back, or refused by the provider."""

    id: UUID
    status: RefundStatus
    amount_minor: int
    reason: str
    reason_code: str | None = None
    reference: str | None = None
    asks: int = 0
    created_at: datetime
    closed_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether its result can change no more."""
        return self.status is not RefundStatus.PENDING


class Payment(Value, frozen=True, kw_only=True):
    """An order's payment; `refunding_minor` is set aside for refunds under way."""

    id: UUID
    order_id: UUID
    user_id: UUID | None
    currency: str
    method: str
    amount_minor: int
    captured_minor: int = 0
    refunded_minor: int = 0
    refunding_minor: int = 0
    attempts: tuple[Attempt, ...] = ()
    refunds: tuple[Refund, ...] = ()
    version: int = 0
    created_at: datetime
    updated_at: datetime

    @property
    def refundable_minor(self) -> int:
        """What may still be given back."""
        return self.captured_minor - self.refunded_minor - self.refunding_minor

    def attempt(self, number: int) -> Attempt | None:
        """The attempt of that number, if it was ever begun."""
        return next((a for a in self.attempts if a.number == number), None)

    def refund(self, refund_id: UUID) -> Refund | None:
        """The refund of that id, if it was ever begun."""
        return next((r for r in self.refunds if r.id == refund_id), None)


class LedgerLine(Value, frozen=True, kw_only=True):
    """One line of a double-entry transaction; its lines' amounts sum to zero.

    Positive is a debit, negative a credit.
    """

    transaction_id: UUID
    line: int
    payment_id: UUID
    account: str
    amount_minor: int
    currency: str


class StoredMethod(Value, frozen=True, kw_only=True):
    """A person's stored method; all that describes it is in `sealed`, encrypted."""

    id: UUID
    user_id: UUID
    method: str
    provider: str
    sealed: str
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime


def attempt_key(order_id: UUID, number: int) -> UUID:
    """The provider's idempotency key of an attempt: the same each time."""
    return uuid5(order_id, str(number))
