"""Stripe's webhooks: who sent one, and what it says."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
import stripe

from actors.payments.stripe.answers import (
    Intent,
    Returned,
    outcome_of,
    refund_of,
    uuid_of,
)
from bus.kit.values import Value
from bus.payments import (
    AttemptStatus,
    RefundStatus,
    WebhookFacts,
    invalid_signature,
)
from persistence.payments import attempt_key

AGE_SECONDS_MAX = 300
BYTES_MAX = 1 << 20
_TIME = re.compile(r"t=([0-9]{1,12})(?:,|$)")
_INTENTS = frozenset(
    {
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.processing",
        "payment_intent.amount_capturable_updated",
        "payment_intent.canceled",
    }
)
_REFUNDS = frozenset(
    {"refund.created", "refund.updated", "refund.failed", "charge.refund.updated"}
)


class Data(Value, frozen=True, kw_only=True):
    """What an event is about."""

    object: msgspec.Raw


class Event(Value, frozen=True, kw_only=True):
    """A webhook's body."""

    id: str
    type: str
    data: Data


def prove(body: bytes, headers: Mapping[str, str], secret: str, now: float) -> None:
    """Refuse what Stripe did not sign with our secret, or not within five minutes."""
    header = headers.get("stripe-signature", "")
    at = _TIME.match(header)
    if not secret or at is None or len(body) > BYTES_MAX:
        raise invalid_signature()
    try:
        # The age is judged here: the library reads its own clock, and the past only.
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, ValueError, TypeError):
        raise invalid_signature() from None
    if abs(now - int(at[1])) > AGE_SECONDS_MAX:
        raise invalid_signature()


def facts(body: bytes, log: Any) -> WebhookFacts | None:
    """What a genuine webhook means here; None when it concerns nothing here."""
    try:
        event = msgspec.json.decode(body, type=Event)
        if event.type in _INTENTS:
            intent = msgspec.json.decode(event.data.object, type=Intent)
            return _of_attempt(event, intent)
        if event.type in _REFUNDS:
            returned = msgspec.json.decode(event.data.object, type=Returned)
            return _of_refund(event, returned)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.error("provider-webhook-unreadable", provider="stripe")
        return None
    if event.type.startswith("charge.dispute."):
        log.warning("provider-dispute", provider="stripe", event_id=event.id)
    return None


def _of_attempt(event: Event, intent: Intent) -> WebhookFacts | None:
    order_id = uuid_of(intent.metadata.get("order_id"))
    number = intent.metadata.get("attempt", "")
    if order_id is None or not re.fullmatch(r"[0-9]{1,4}", number):
        return None
    if intent.metadata.get("key") != str(attempt_key(order_id, int(number))):
        return None
    outcome = outcome_of(intent)
    if outcome.status is AttemptStatus.UNKNOWN:
        return None
    return WebhookFacts(
        event_id=uuid5(NAMESPACE_URL, f"stripe:{event.id}"),
        order_id=order_id,
        attempt=int(number),
        outcome=outcome,
    )


def _of_refund(event: Event, returned: Returned) -> WebhookFacts | None:
    order_id = uuid_of(returned.metadata.get("order_id"))
    refund_id = uuid_of(returned.metadata.get("refund_id"))
    outcome = refund_of(returned)
    if order_id is None or refund_id is None or outcome.status is RefundStatus.PENDING:
        return None
    return WebhookFacts(
        event_id=uuid5(NAMESPACE_URL, f"stripe:{event.id}"),
        order_id=order_id,
        refund_id=refund_id,
        refund=outcome,
    )
