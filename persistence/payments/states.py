"""Payments as they are remembered: immutable, changed only by making another."""

from datetime import datetime
from uuid import UUID, uuid5

from bus.kit.values import Money, Value
from bus.payments import AttemptStatus, RefundStatus

FINAL = frozenset(
    {
        AttemptStatus.SUCCEEDED,
        AttemptStatus.DECLINED,
        AttemptStatus.VOIDED,
        AttemptStatus.EXPIRED,
        AttemptStatus.LATE,
    }
)
HELD = frozenset(
    {AttemptStatus.AUTHORIZED, AttemptStatus.CAPTURING, AttemptStatus.VOIDING}
)
TAKEN = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.LATE})


class Attempt(Value, frozen=True, kw_only=True):
    """One attempt to charge; `sealed` is the encrypted token while that is needed.

    `asks` counts how often the provider left it unsettled. `hold`: the money is held
    first, until `expires_at`. `given_up`: nobody wants the money any more.
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
    hold: bool = False
    given_up: bool = False
    created_at: datetime
    closed_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether there is nothing left to ask about it."""
        return self.status in FINAL

    @property
    def held_minor(self) -> int:
        """What the provider holds for it, as far as is known."""
        return self.amount_minor if self.status in HELD else 0

    @property
    def taken_minor(self) -> int:
        """What it took, whatever went back since."""
        return self.amount_minor if self.status in TAKEN else 0


class Refund(Value, frozen=True, kw_only=True):
    """Money on its way back, or gone back, or refused; `actor_id`: who wanted it."""

    id: UUID
    attempt: int = 1
    status: RefundStatus
    amount_minor: int
    reason: str
    reason_code: str | None = None
    reference: str | None = None
    asks: int = 0
    actor_id: UUID | None = None
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

    @property
    def kept_minor(self) -> int:
        """What was captured for the order: late money is not its."""
        return self.captured_minor - self._late_minor

    @property
    def returned_minor(self) -> int:
        """What of the captured money went back; late money is not counted."""
        late = {a.number for a in self.attempts if a.status is AttemptStatus.LATE}
        return sum(
            refund.amount_minor
            for refund in self.refunds
            if refund.status is RefundStatus.COMPLETED and refund.attempt not in late
        )

    @property
    def _late_minor(self) -> int:
        late = (a for a in self.attempts if a.status is AttemptStatus.LATE)
        return sum(attempt.amount_minor for attempt in late)

    def left_minor(self, attempt: Attempt) -> int:
        """What of an attempt's money may still be given back."""
        gone = (
            refund.amount_minor
            for refund in self.refunds
            if refund.attempt == attempt.number
            and refund.status is not RefundStatus.REJECTED
        )
        return attempt.taken_minor - sum(gone)

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


class Booked(Value, frozen=True, kw_only=True):
    """A line of the provider's account, with what it takes to ask about it."""

    key: UUID
    payment_id: UUID
    amount_minor: int
    currency: str
    order_id: UUID
    attempt: int
    charge_key: UUID
    reference: str | None
    created_at: datetime
    refund: bool

    @property
    def money(self) -> Money:
        """What it brought; negative where it went back."""
        return Money(self.amount_minor, self.currency)


class KnownKey(Value, frozen=True, kw_only=True):
    """An attempt, or a refund (attempt 0), by the provider's key."""

    key: UUID
    payment_id: UUID
    order_id: UUID
    attempt: int
    status: str
    amount_minor: int


class StoredMethod(Value, frozen=True, kw_only=True):
    """A person's stored method; all that describes it is in `sealed`, encrypted.

    `sealed_by` tells the key that sealed it from others, and nothing of it.
    """

    id: UUID
    user_id: UUID
    method: str
    provider: str
    sealed: str
    sealed_by: str = ""
    is_default: bool
    version: int
    created_at: datetime
    updated_at: datetime


def attempt_key(order_id: UUID, number: int) -> UUID:
    """The provider's idempotency key of an attempt: the same each time."""
    return uuid5(order_id, str(number))


def capture_key(order_id: UUID, number: int) -> UUID:
    """The provider's idempotency key of an attempt's capture."""
    return uuid5(order_id, f"{number}:capture")


def void_key(order_id: UUID, number: int) -> UUID:
    """The provider's idempotency key of letting an attempt's money go."""
    return uuid5(order_id, f"{number}:void")
