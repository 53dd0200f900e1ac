"""Payments as they are shown."""

from bus.kit.values import Money
from bus.payments import (
    AttemptStatus,
    AttemptView,
    MethodFacts,
    MethodView,
    PaymentView,
    RefundView,
)
from persistence.payments import Attempt, Payment, Refund, StoredMethod


def payment_view(payment: Payment) -> PaymentView:
    """A payment with its attempts and refunds."""
    return PaymentView(
        id=payment.id,
        order_id=payment.order_id,
        user_id=payment.user_id,
        status=payment_status(payment),
        method=payment.method,
        amount=Money(payment.amount_minor, payment.currency),
        authorized=Money(
            sum(attempt.held_minor for attempt in payment.attempts), payment.currency
        ),
        captured=Money(payment.captured_minor, payment.currency),
        refunded=Money(payment.refunded_minor, payment.currency),
        attempts=tuple(_attempt_view(payment, a) for a in payment.attempts),
        refunds=tuple(refund_view(payment, refund) for refund in payment.refunds),
        version=payment.version,
        created_at=payment.created_at,
        updated_at=payment.updated_at,
    )


def payment_status(payment: Payment) -> str:
    """What a payment is called: its last attempt's status until money was taken."""
    if not payment.kept_minor:
        last = payment.attempts[-1].status
        return "UNKNOWN" if last is AttemptStatus.OPEN else last.value
    if not payment.returned_minor:
        return "SUCCEEDED"
    whole = payment.returned_minor == payment.kept_minor
    return "REFUNDED" if whole else "PARTIALLY_REFUNDED"


def refund_view(
    payment: Payment, refund: Refund, *, with_reason: bool = True
) -> RefundView:
    """A refund; without its reason where the view will be remembered."""
    return RefundView(
        id=refund.id,
        payment_id=payment.id,
        amount=Money(refund.amount_minor, payment.currency),
        status=refund.status,
        attempt=refund.attempt,
        reason=refund.reason if with_reason else "",
        actor_id=refund.actor_id,
        created_at=refund.created_at,
        closed_at=refund.closed_at,
    )


def method_view(method: StoredMethod, facts: MethodFacts) -> MethodView:
    """A stored method, without its token."""
    return MethodView(
        id=method.id,
        method=method.method,
        provider=method.provider,
        brand=facts.brand,
        last4=facts.last4,
        exp_month=facts.exp_month,
        exp_year=facts.exp_year,
        is_default=method.is_default,
        version=method.version,
        created_at=method.created_at,
        updated_at=method.updated_at,
    )


def _attempt_view(payment: Payment, attempt: Attempt) -> AttemptView:
    opened = attempt.status is AttemptStatus.OPEN
    return AttemptView(
        number=attempt.number,
        status=AttemptStatus.UNKNOWN if opened else attempt.status,
        method=attempt.method,
        provider=attempt.provider,
        amount=Money(attempt.amount_minor, payment.currency),
        authorized=Money(attempt.held_minor, payment.currency),
        captured=Money(attempt.taken_minor, payment.currency),
        decline_code=attempt.decline_code,
        created_at=attempt.created_at,
        closed_at=attempt.closed_at,
        expires_at=attempt.expires_at if attempt.held_minor else None,
    )
