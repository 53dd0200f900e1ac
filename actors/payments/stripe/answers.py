"""What Stripe answers, and what that means here."""

from typing import Any, Protocol, TypeVar
from uuid import UUID

import msgspec
import stripe

from actors.payments.stripe.amounts import from_stripe
from bus.kit.values import Money, Value
from bus.payments import AttemptStatus, Outcome, RefundOutcome, RefundStatus

NOT_SUPPORTED = "amount-not-supported"
AUTHENTICATION = "authentication-required"
VOIDED = "voided"
CODE_CHARACTERS_MAX = 100
NO_ANSWER = (stripe.StripeError, ValueError, TypeError, AttributeError, KeyError)
"""What the library, or reading what it gives, raises where nothing is known; the last
three for JSON of a shape that no answer has."""


class Problem(Value, frozen=True, kw_only=True):
    """Why a payment failed: codes of Stripe's."""

    code: str | None = None
    decline_code: str | None = None


class Intent(Value, frozen=True, kw_only=True):
    """A PaymentIntent: one attempt's."""

    id: str
    status: str
    amount: int
    currency: str
    amount_received: int = 0
    metadata: dict[str, str] = {}
    last_payment_error: Problem | None = None
    cancellation_reason: str | None = None
    latest_charge: Any = None

    @property
    def money(self) -> Money | None:
        """What it is about."""
        return from_stripe(self.amount, self.currency)


class Returned(Value, frozen=True, kw_only=True):
    """A Refund."""

    id: str
    status: str | None
    amount: int
    currency: str
    metadata: dict[str, str] = {}
    failure_reason: str | None = None

    @property
    def money(self) -> Money | None:
        """What goes back."""
        return from_stripe(self.amount, self.currency)


class Card(Value, frozen=True, kw_only=True):
    """What is shown of a card."""

    brand: str = "card"
    last4: str = ""
    exp_month: int | None = None
    exp_year: int | None = None


class Kept(Value, frozen=True, kw_only=True):
    """A PaymentMethod."""

    id: str
    type: str
    customer: str | None = None
    card: Card | None = None


class Customer(Value, frozen=True, kw_only=True):
    """Whom a PaymentMethod is attached to."""

    id: str
    metadata: dict[str, str] = {}


class StripeDict(Protocol):
    """What Stripe's library gives for any object."""

    def to_dict(self) -> dict[str, Any]:
        """Its fields, all the way down."""
        ...


Read = TypeVar("Read")


def read(answer: StripeDict, kind: type[Read]) -> Read:
    """An answer's fields that count; raises ValueError when they are not there."""
    return msgspec.convert(answer.to_dict(), kind)


def outcome_of(intent: Intent) -> Outcome:
    """What a PaymentIntent's status means for its attempt.

    `requires_action`, `requires_confirmation`: nobody can act upon them through this
    API, so the caller cancels them; until it has, nothing is known.
    """
    match intent.status:
        case "succeeded":
            status = AttemptStatus.SUCCEEDED
        case "requires_capture":
            status = AttemptStatus.AUTHORIZED
        case "processing":
            status = AttemptStatus.PENDING
        case "requires_payment_method":
            return declined(intent.last_payment_error, intent.id)
        case "canceled":
            return Outcome(
                status=AttemptStatus.DECLINED,
                decline_code=_canceled(intent),
                reference=intent.id,
            )
        case _:
            status = AttemptStatus.UNKNOWN
    return Outcome(status=status, reference=intent.id)


def _canceled(intent: Intent) -> str:
    """Why it was cancelled: what never reached a card had waited for its buyer."""
    if intent.latest_charge is None:
        return AUTHENTICATION
    expired = intent.cancellation_reason == "automatic"
    return "authorization-expired" if expired else VOIDED


def declined(problem: Problem | None, reference: str | None = None) -> Outcome:
    """A payment that failed for good, with Stripe's most exact code."""
    code = (problem.decline_code or problem.code) if problem else None
    return Outcome(
        status=AttemptStatus.DECLINED,
        decline_code=kebab(code) or "card-declined",
        reference=reference,
    )


def refund_of(returned: Returned) -> RefundOutcome:
    """What a Refund's status means; what needs an action of the buyer is under way."""
    match returned.status:
        case "succeeded":
            status = RefundStatus.COMPLETED
        case "failed" | "canceled":
            status = RefundStatus.REJECTED
        case _:
            status = RefundStatus.PENDING
    rejected = status is RefundStatus.REJECTED
    reason = kebab(returned.failure_reason) or returned.status
    return RefundOutcome(
        status=status,
        reason_code=reason if rejected else None,
        reference=returned.id,
    )


def kebab(code: str | None) -> str | None:
    """A code of Stripe's as codes are written here."""
    return code.replace("_", "-")[:CODE_CHARACTERS_MAX] if code else None


def uuid_of(text: str | None) -> UUID | None:
    """An id of ours that Stripe has kept, if it is one."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
