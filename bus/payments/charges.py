"""Charges and refunds: the money of an order, taken and given back."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.addressing import derived_id
from bus.kit.messages import Command, Event, Query, by
from bus.kit.refusals import Refusal, conflict, forbidden, invalid
from bus.kit.values import Done, Money, Page, Value

AMOUNT_MAX = 1_000_000_000_000
ATTEMPTS_MAX = 20
REFUNDS_MAX = 100
REASON_CHARACTERS_MAX = 500


class PaymentMethod(enum.StrEnum):
    """What a customer pays with, as the contract names it."""

    CREDIT_CARD = "CREDIT_CARD"
    DEBIT_CARD = "DEBIT_CARD"
    PAYPAL = "PAYPAL"
    BANK_TRANSFER = "BANK_TRANSFER"
    DIGITAL_WALLET = "DIGITAL_WALLET"


class AttemptStatus(enum.StrEnum):
    """How far an attempt to charge is.

    OPEN: the provider is being asked. UNKNOWN: it did not answer and is asked again
    with the same key. PENDING: it accepted and will settle later. AUTHORIZED: it holds
    the money until that is captured or let go; CAPTURING and VOIDING: it is being asked
    for the one or the other, until its answer is known.

    The rest is final. SUCCEEDED: the money was taken. DECLINED: it was not. VOIDED: it
    was let go. EXPIRED: it was held for too long. LATE: it was taken after the attempt
    had been given up, and all of it goes back.
    """

    OPEN = "OPEN"
    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    AUTHORIZED = "AUTHORIZED"
    CAPTURING = "CAPTURING"
    VOIDING = "VOIDING"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    LATE = "LATE"


class RefundStatus(enum.StrEnum):
    """How far a refund is; the last two are final."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    REJECTED = "REJECTED"


# --- views -------------------------------------------------------------------


class ChargeResult(Value, frozen=True, kw_only=True):
    """How an attempt stands; while it is OPEN that is UNKNOWN."""

    payment_id: UUID
    status: AttemptStatus
    decline_code: str | None = None
    attempt: int = 1


class AttemptView(Value, frozen=True, kw_only=True):
    """One attempt to charge: what it holds until `expires_at`, and what it took."""

    number: int
    status: AttemptStatus
    method: str
    provider: str
    amount: Money
    authorized: Money
    captured: Money
    decline_code: str | None
    created_at: datetime
    closed_at: datetime | None
    expires_at: datetime | None = None


class RefundView(Value, frozen=True, kw_only=True):
    """Money on its way back, gone back (COMPLETED), or refused by the provider.

    `attempt` is the one that took it; `actor_id` who of the shop gave it back, which
    only administrators are shown.
    """

    id: UUID
    payment_id: UUID
    amount: Money
    status: RefundStatus
    attempt: int = 1
    reason: str = ""
    actor_id: UUID | None = None
    created_at: datetime
    closed_at: datetime | None = None


class PaymentView(Value, frozen=True, kw_only=True):
    """An order's payment: what is held, what was captured, and what went back."""

    id: UUID
    order_id: UUID
    user_id: UUID | None
    status: str
    method: str
    amount: Money
    authorized: Money
    captured: Money
    refunded: Money
    attempts: tuple[AttemptView, ...]
    refunds: tuple[RefundView, ...]
    version: int
    created_at: datetime
    updated_at: datetime


class Outcome(Value, frozen=True, kw_only=True):
    """What a provider answered; `reference` is its own id of the charge."""

    status: AttemptStatus
    decline_code: str | None = None
    reference: str | None = None


class RefundOutcome(Value, frozen=True, kw_only=True):
    """What a provider answered to a refund; PENDING: not known yet."""

    status: RefundStatus
    reason_code: str | None = None
    reference: str | None = None


class WebhookFacts(Value, frozen=True, kw_only=True):
    """What a verified webhook says: of an attempt its `outcome`, or of a refund.

    `amount` is given where anyone but the shop can begin a payment at the provider.
    """

    event_id: UUID
    order_id: UUID
    attempt: int = 0
    outcome: Outcome | None = None
    amount: Money | None = None
    refund_id: UUID | None = None
    refund: RefundOutcome | None = None


# --- commands ----------------------------------------------------------------


class Charge(Command[ChargeResult], frozen=True, kw_only=True):
    """Take the money for an order: authorise and capture at once.

    Where the shop captures at shipment the money is held only (AUTHORIZED), until
    `CapturePayment` takes it or `VoidPayment` lets it go; but not `at_once`, for
    whoever pays without an order that would ship. Acts once by (order_id,
    attempt): a late duplicate gets the recorded result. A person's own
    `payment_method_id` or a provider's `token` says from where. It may take as long as
    the provider does; refused as `payment-in-progress` while another attempt is open
    and as `already-paid` after one succeeded.
    """

    key = by("order_id")
    remembered = False
    order_id: UUID
    amount: Money
    method: str
    token: str | None = None
    payment_method_id: UUID | None = None
    user_id: UUID | None = None
    attempt: int = 1
    at_once: bool = False


class RefundOrder(Command[RefundView], frozen=True, kw_only=True):
    """Give captured money back; `amount` None: all that is left.

    Acts once by `refund_id`, too. The reply leaves the `reason` out: it is a person's
    words, and replies are remembered. `actor_id` is who wants it, if a person does.
    409 `refund-exceeds-capture`.
    """

    key = by("order_id")
    order_id: UUID
    refund_id: UUID
    amount: Money | None = None
    reason: str = ""
    actor_id: UUID | None = None


class RefundPayment(Command[RefundView], frozen=True, kw_only=True):
    """The same for whoever knows the payment and not its order."""

    key = by("payment_id")
    payment_id: UUID
    refund_id: UUID
    amount: Money | None = None
    reason: str = ""


class ApplyWebhook(Command[Done], frozen=True, kw_only=True):
    """Close an attempt with what the provider said of it later; once, in any order.

    Money that comes after its attempt was given up goes back at once. Another `amount`
    than the attempt's is not its payment, and changes nothing.
    """

    key = by("order_id")
    order_id: UUID
    attempt: int
    outcome: Outcome
    amount: Money | None = None


class VerifyWebhook(Command[WebhookFacts | None], frozen=True, kw_only=True):
    """What a provider's webhook says, once its signature is proven.

    `headers` are those that providers sign with, by their names in lower case. None
    when it is genuine but concerns nothing here. 403 for a forged or an old one. It
    changes nothing, but may have to ask the provider, which no query can wait for;
    `delivery_id` is only its key.
    """

    key = by("delivery_id")
    remembered = False
    delivery_id: UUID
    provider: str
    body: bytes
    headers: dict[str, str]


# --- queries -----------------------------------------------------------------


class GetPayment(Query[PaymentView], frozen=True, kw_only=True):
    """One payment; 404 for an unknown one."""

    key = by("payment_id")
    payment_id: UUID


class ListPayments(Query[Page[PaymentView]], frozen=True, kw_only=True):
    """The payments of an order: one, or none before its first charge."""

    key = by("order_id")
    order_id: UUID


def payment_id_of(order_id: UUID) -> UUID:
    """The id of an order's one payment."""
    return derived_id(order_id, "payment")


# --- refusals ----------------------------------------------------------------


def payment_in_progress() -> Refusal:
    """Another attempt of this payment is open."""
    return conflict("payment-in-progress", "Another attempt is still open.")


def already_paid() -> Refusal:
    """The order's money was taken before."""
    return conflict("already-paid", "The order is paid.")


def attempt_superseded() -> Refusal:
    """A later attempt was made; this one never began."""
    return conflict("attempt-superseded", "A later attempt has been made.")


def attempt_mismatch() -> Refusal:
    """The attempt was made before, with another amount or method."""
    return conflict("attempt-mismatch", "This attempt was made with other data.")


def refund_mismatch() -> Refusal:
    """The refund was asked for before, with another amount or reason."""
    return invalid("idempotency-key-reused", "This refund was made with other data.")


def refund_exceeds_capture(left: int, currency: str) -> Refusal:
    """The refunds together would pass what was captured."""
    return conflict(
        "refund-exceeds-capture", f"{left} {currency} (minor units) can be refunded."
    )


def invalid_amount() -> Refusal:
    """Nothing, less than nothing, or more than the shop ever charges."""
    return invalid("invalid-amount", f"An amount is 1 to {AMOUNT_MAX} minor units.")


def too_many_attempts() -> Refusal:
    """The payment has had as many attempts, or refunds, as it may have."""
    return conflict("too-many-attempts", "No further attempt is taken.")


def invalid_signature() -> Refusal:
    """A webhook that its provider did not sign, or long ago."""
    return forbidden("The signature does not prove the sender.")


def payment_method_unavailable(method: str) -> Refusal:
    """No provider of this shop takes that kind of payment."""
    return invalid(
        "payment-method-unavailable", f"The shop has no provider for {method[:20]}."
    )


def currency_mismatch() -> Refusal:
    """The shop has one currency (contract §2)."""
    return invalid("currency-mismatch", "The shop sells in another currency.")


# --- events ------------------------------------------------------------------


class PaymentEvent(Event, frozen=True, kw_only=True):
    """What every event of a payment says; `user_id` is None for a guest's."""

    payment_id: UUID
    order_id: UUID
    user_id: UUID | None
    attempt: int
    amount: Money


class PaymentAuthorized(PaymentEvent, frozen=True, kw_only=True):
    """The provider holds the money and settles later."""

    key = by("order_id")
    subject = by("payment_id")


class PaymentSucceeded(PaymentEvent, frozen=True, kw_only=True):
    """The money was taken."""

    key = by("order_id")
    subject = by("payment_id")


class PaymentFailed(PaymentEvent, frozen=True, kw_only=True):
    """The provider took nothing; `decline_code` is its reason, a code."""

    key = by("order_id")
    subject = by("payment_id")
    decline_code: str


class RefundEvent(Event, frozen=True, kw_only=True):
    """What every event of a refund says; `refunded` is the sum of all so far."""

    refund_id: UUID
    payment_id: UUID
    order_id: UUID
    user_id: UUID | None
    amount: Money
    refunded: Money


class RefundCompleted(RefundEvent, frozen=True, kw_only=True):
    """Money went back."""

    key = by("order_id")
    subject = by("payment_id")


class RefundRejected(RefundEvent, frozen=True, kw_only=True):
    """The provider refused to give the money back; a person has to look."""

    key = by("order_id")
    subject = by("payment_id")
    reason_code: str
