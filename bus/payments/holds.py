"""Held money, captured or let go; and money that was waited for."""

from uuid import UUID

from bus.kit.messages import Command, Event, by
from bus.kit.refusals import Refusal, RefusalKind, conflict
from bus.kit.values import Money, Value
from bus.payments.charges import ChargeResult, PaymentEvent

AUTHORIZATION_EXPIRED = "authorization-expired"


# --- commands ----------------------------------------------------------------


class CapturePayment(Command[ChargeResult], frozen=True, kw_only=True):
    """Take the money that is held for an order, all of it; once by its attempt.

    SUCCEEDED: it was taken, now or before. CAPTURING: the provider's answer is not
    known yet; it is asked until it is. 402 `authorization-expired` and
    `capture-declined`: the hold is gone, the order needs another payment. 409
    `payment-voided` when it was let go first, `not-authorized` when nothing is held.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID


class VoidPayment(Command[ChargeResult], frozen=True, kw_only=True):
    """Give up an order's last attempt: what is held, or still to come, is let go.

    SUCCEEDED: the money was taken before, and is for the caller to refund. After any
    other answer none is kept: what comes of the attempt all the same goes back by
    itself. 404 where there is no attempt.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID


# --- refusals ----------------------------------------------------------------


def authorization_expired() -> Refusal:
    """The provider holds the money no longer."""
    return Refusal(
        RefusalKind.PAYMENT_REQUIRED,
        AUTHORIZATION_EXPIRED,
        "The money was held for too long: the order needs another payment.",
    )


def capture_declined(code: str | None) -> Refusal:
    """The provider did not give the money that it held."""
    return Refusal(
        RefusalKind.PAYMENT_REQUIRED,
        "capture-declined",
        "The money that was held could not be taken.",
        decline_code=code or "declined",
    )


def payment_voided() -> Refusal:
    """The money was let go, or is being let go."""
    return conflict("payment-voided", "The money that was held was let go.")


def not_authorized() -> Refusal:
    """There is no held money to take."""
    return conflict("not-authorized", "No money is held for this order.")


# --- events ------------------------------------------------------------------


class PaymentVoided(PaymentEvent, frozen=True, kw_only=True):
    """Held money was let go; `reason_code` `voided` or `authorization-expired`."""

    key = by("order_id")
    subject = by("payment_id")
    reason_code: str


class PaymentSettled(PaymentEvent, frozen=True, kw_only=True):
    """An attempt that was waited for, pending or unknown, has come to `status`.

    It is told besides what has come of it, to whoever was answered too early; an
    attempt that is settled with its first answer tells nothing of the kind.
    """

    key = by("order_id")
    subject = by("payment_id")
    status: str


class LatePaymentReturned(Event, frozen=True, kw_only=True):
    """Money that came after its attempt had been given up went back in full."""

    key = by("order_id")
    subject = by("payment_id")
    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    user_id: UUID | None
    attempt: int
    amount: Money


# --- steps -------------------------------------------------------------------


class Moving(Value, frozen=True, kw_only=True):
    """Held money to ask the provider for, or the `result` when that is known.

    `key` is the move's own idempotency key: the same each time it is asked.
    """

    result: ChargeResult | None
    attempt: int
    key: UUID
    charge_key: UUID
    amount: Money
    provider: str
    reference: str | None = None


class BeginCapture(Command[Moving], frozen=True, kw_only=True):
    """AUTHORIZED → CAPTURING, before the provider hears of it."""

    key = by("order_id")
    remembered = False
    order_id: UUID


class BeginVoid(Command[Moving], frozen=True, kw_only=True):
    """Give an attempt up; AUTHORIZED or PENDING → VOIDING, `expired` says why.

    `attempt` None: the last one.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    attempt: int | None = None
    expired: bool = False
