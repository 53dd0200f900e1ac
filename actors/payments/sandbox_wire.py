"""What is said to the sandbox bank, and what its answers mean here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from actors.payments.lines import AnswerLine
from actors.payments.provider import ChargeAsk, TransactionKind
from bus.kit.values import Value
from bus.payments import (
    AUTHORIZATION_EXPIRED,
    AttemptStatus,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)
from persistence.payments import attempt_key

UNKNOWN = Outcome(status=AttemptStatus.UNKNOWN)
NOT_KNOWN_YET = RefundOutcome(status=RefundStatus.PENDING)
STATUSES = {
    "succeeded": AttemptStatus.SUCCEEDED,
    "declined": AttemptStatus.DECLINED,
    "pending": AttemptStatus.PENDING,
    "authorized": AttemptStatus.AUTHORIZED,
    "voided": AttemptStatus.DECLINED,
    "expired": AttemptStatus.DECLINED,
}
_GONE_CODES = {"voided": "voided", "expired": AUTHORIZATION_EXPIRED}
# What a rejected capture or void says of the charge: it is taken, or it is gone.
REJECTED = {
    "already-captured": AttemptStatus.SUCCEEDED,
    "authorization-voided": AttemptStatus.DECLINED,
    "authorization-expired": AttemptStatus.DECLINED,
    "not-authorized": AttemptStatus.DECLINED,
    "currency-mismatch": AttemptStatus.DECLINED,
    "capture-exceeds-authorization": AttemptStatus.DECLINED,
}
REFUND_STATUSES = {
    "succeeded": RefundStatus.COMPLETED,
    "rejected": RefundStatus.REJECTED,
}


class ChargeAnswer(AnswerLine, frozen=True, kw_only=True):
    """What the bank says of a charge; also inside its webhooks."""

    amount: int = 0
    currency: str = ""
    decline_code: str | None = None
    reference: str | None = None
    order_id: str = ""
    attempt: int = 0


class RefundAnswer(AnswerLine, frozen=True, kw_only=True):
    """What the bank says of a refund."""

    amount: int = 0
    currency: str = ""
    reason_code: str | None = None
    reference: str | None = None


class MoveAnswer(AnswerLine, frozen=True, kw_only=True):
    """What the bank says of a capture or a void."""

    kind: str = ""
    amount: int = 0
    currency: str = ""
    charge_key: str = ""
    reason_code: str | None = None
    reference: str | None = None


class TransactionAnswer(Value, frozen=True, kw_only=True):
    """A line of the bank's list of what has moved."""

    kind: TransactionKind
    key: str
    reference: str
    amount: int
    currency: str
    status: str
    at: datetime


class TransactionsPage(Value, frozen=True, kw_only=True):
    """A page of that list; `next` is where it goes on."""

    items: tuple[TransactionAnswer, ...]
    next: str | None = None


class Webhook(Value, frozen=True, kw_only=True):
    """What the bank sends when it has settled a charge."""

    id: UUID
    type: str
    charge: ChargeAnswer


def charge_form(ask: ChargeAsk) -> dict[str, Any]:
    """What the bank is told of a charge, or of a hold."""
    return {
        "key": str(ask.key),
        "amount": ask.amount.amount,
        "currency": ask.amount.currency,
        "token": ask.token,
        "order_id": str(ask.order_id),
        "attempt": ask.attempt,
    }


def why_gone(reason: str | None) -> str | None:
    """A decline code for a rejected move: how the held money came to be gone."""
    return "voided" if reason == "authorization-voided" else reason


def own_key(text: str) -> UUID | None:
    """A key of ours; None for one that the bank has from somebody else."""
    try:
        return UUID(text)
    except ValueError:
        return None


def outcome_of(answer: ChargeAnswer) -> Outcome:
    """What an answer about a charge, or a webhook, means here."""
    return Outcome(
        status=STATUSES[answer.status],
        decline_code=_GONE_CODES.get(answer.status, answer.decline_code),
        reference=answer.reference,
    )


def facts_of(webhook: Webhook) -> WebhookFacts | None:
    """What a genuine webhook means here; None for a charge that is not the shop's."""
    charge = webhook.charge
    try:
        order_id = UUID(charge.order_id)
    except ValueError:
        return None
    if charge.key != str(attempt_key(order_id, charge.attempt)):
        return None
    if charge.status not in STATUSES:
        return None
    return WebhookFacts(
        event_id=webhook.id,
        order_id=order_id,
        attempt=charge.attempt,
        outcome=outcome_of(charge),
    )
