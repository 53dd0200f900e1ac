"""The steps of the charge and refund processes; only payments sends them."""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done, Money, Value
from bus.payments.charges import (
    AttemptStatus,
    Charge,
    ChargeResult,
    Outcome,
    RefundOrder,
    RefundOutcome,
    RefundView,
)


class Opened(Value, frozen=True, kw_only=True):
    """An attempt to ask the provider for, or its `result` when that is known.

    `key` is the provider's idempotency key: the same each time it is asked.
    `provider` is whom the attempt was begun with; it is never asked of another.
    `hold`: the money is to be held only; `given_up`: nobody wants it any more.
    `until` is when an ask that begins now is no more on its way to the provider.
    """

    result: ChargeResult | None
    key: UUID
    amount: Money
    token: str = ""
    provider: str = "sandbox"
    begun_at: datetime | None = None
    reference: str | None = None
    status: AttemptStatus = AttemptStatus.OPEN
    hold: bool = False
    given_up: bool = False
    until: datetime | None = None


class OpenAttempt(Command[Opened], frozen=True, kw_only=True):
    """Write that an attempt begins, before the provider hears of it."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    charge: Charge


class ResumeAttempt(Command[Opened], frozen=True, kw_only=True):
    """Read an attempt that is to be asked for again.

    `until` is when the time of whoever was asking for it is up, where that is ahead.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt: int
    until: datetime | None = None


class CloseAttempt(Command[ChargeResult], frozen=True, kw_only=True):
    """Write how an attempt ended; one that has ended keeps its first result.

    `until`: what was asked for may be on its way to the provider, if no answer came.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt: int
    outcome: Outcome
    until: datetime | None = None


class SettleAttempt(Command[Done], frozen=True, kw_only=True):
    """Ask the provider again about an attempt that is not settled (a timer's)."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt: int


class RescueAttempt(Command[Done], frozen=True, kw_only=True):
    """The same where whoever is asking for it may die: when its time is up, `until`.

    One that is given up is left alone until then: what was asked for it may still be
    on its way to the provider, and is not asked for again.
    """

    key = by("order_id")
    remembered = False
    stands_in = True
    order_id: UUID
    attempt: int
    until: datetime


class OpenedRefund(Value, frozen=True, kw_only=True):
    """A refund to ask the provider for; final ones are only shown."""

    refund: RefundView
    charge_key: UUID
    provider: str = "sandbox"
    reference: str | None = None


class OpenRefund(Command[OpenedRefund], frozen=True, kw_only=True):
    """Set the amount aside and write that a refund begins; once by its id."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    refund: RefundOrder


class ResumeRefund(Command[OpenedRefund], frozen=True, kw_only=True):
    """Read a refund that is to be asked for again."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    refund_id: UUID


class CloseRefund(Command[RefundView], frozen=True, kw_only=True):
    """Write how a refund ended; one that has ended keeps its first result."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    refund_id: UUID
    outcome: RefundOutcome


class SettleRefund(Command[Done], frozen=True, kw_only=True):
    """Ask the provider again about a refund that is not settled (a timer's)."""

    key = by("order_id")
    remembered = False
    order_id: UUID
    refund_id: UUID


class RescueRefund(Command[Done], frozen=True, kw_only=True):
    """The same where whoever is asking for it may die."""

    key = by("order_id")
    remembered = False
    stands_in = True
    order_id: UUID
    refund_id: UUID
