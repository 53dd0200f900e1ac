"""What becomes of a payment's refunds: pure decisions."""

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from actors.payments.ledger import refund_lines
from bus.kit.messages import Event
from bus.kit.refusals import not_found
from bus.kit.values import Money
from bus.payments import (
    REFUNDS_MAX,
    AttemptStatus,
    LatePaymentReturned,
    RefundCompleted,
    RefundOrder,
    RefundOutcome,
    RefundRejected,
    RefundStatus,
    currency_mismatch,
    invalid_amount,
    refund_exceeds_capture,
    refund_mismatch,
    too_many_attempts,
)
from persistence.payments import Attempt, LedgerLine, Payment, Refund


class ClosedRefund(NamedTuple):
    """A payment after one of its refunds was closed, and what has to be written."""

    payment: Payment
    refund: Refund
    lines: tuple[LedgerLine, ...] = ()
    events: tuple[Event, ...] = ()


def known_refund(
    payment: Payment | None, asked: RefundOrder
) -> tuple[Payment, Refund] | None:
    """The payment and the refund that is asked for, if it was begun before."""
    refund = payment.refund(asked.refund_id) if payment else None
    if payment is None or refund is None:
        return None
    other = asked.amount is not None and asked.amount.amount != refund.amount_minor
    if other or asked.reason != refund.reason:
        raise refund_mismatch()
    return payment, refund


def begin_refund(
    payment: Payment | None, asked: RefundOrder, now: datetime
) -> tuple[Payment, Refund]:
    """The payment with a new refund, its amount set aside.

    What is set aside, given back and left is together what was captured.
    """
    if payment is None:
        raise not_found("payment")
    if len(payment.refunds) >= REFUNDS_MAX:
        raise too_many_attempts()
    if asked.amount is not None:
        if asked.amount.currency != payment.currency:
            raise currency_mismatch()
        if asked.amount.amount <= 0:
            raise invalid_amount()
    attempt = _source(payment, None if asked.amount is None else asked.amount.amount)
    left = payment.left_minor(attempt) if attempt else 0
    amount = left if asked.amount is None else asked.amount.amount
    if attempt is None or not 0 < amount <= left:
        raise refund_exceeds_capture(left, payment.currency)
    refund = Refund(
        id=asked.refund_id,
        attempt=attempt.number,
        status=RefundStatus.PENDING,
        amount_minor=amount,
        reason=asked.reason,
        actor_id=asked.actor_id,
        created_at=now,
    )
    return (
        replace(
            payment,
            refunding_minor=payment.refunding_minor + amount,
            refunds=(*payment.refunds, refund),
        ),
        refund,
    )


def close_refund(
    payment: Payment, refund: Refund, outcome: RefundOutcome, now: datetime
) -> ClosedRefund:
    """The payment after a provider's answer; a final refund stays as it is."""
    if refund.final:
        return ClosedRefund(payment, refund)
    final = outcome.status is not RefundStatus.PENDING
    after = replace(
        refund,
        status=outcome.status,
        reason_code=outcome.reason_code,
        reference=outcome.reference or refund.reference,
        asks=refund.asks + (not final),
        closed_at=now if final else None,
    )
    back = after.amount_minor if outcome.status is RefundStatus.COMPLETED else 0
    moved = replace(
        payment,
        refunded_minor=payment.refunded_minor + back,
        refunding_minor=payment.refunding_minor - (after.amount_minor if final else 0),
        refunds=tuple(after if r is refund else r for r in payment.refunds),
    )
    lines = refund_lines(moved, after) if back else ()
    return ClosedRefund(moved, after, lines, _events(moved, after))


def captured_attempt(payment: Payment, refund: Refund) -> Attempt:
    """The attempt whose money a refund gives back."""
    return next(a for a in payment.attempts if a.number == refund.attempt)


def _source(payment: Payment, amount: int | None) -> Attempt | None:
    """Whose money is given back: what was kept for the order, before any late money.

    One refund is of one attempt, for the provider gives back by charge.
    """
    taken = sorted(
        (attempt for attempt in payment.attempts if attempt.taken_minor),
        key=lambda attempt: attempt.status is AttemptStatus.LATE,
    )
    for attempt in taken:
        if payment.left_minor(attempt) >= (amount or 1):
            return attempt
    return max(taken, key=payment.left_minor, default=None)


def _events(payment: Payment, refund: Refund) -> tuple[Event, ...]:
    if not refund.final:
        return ()
    amount = Money(refund.amount_minor, payment.currency)
    refunded = Money(payment.returned_minor, payment.currency)
    late = captured_attempt(payment, refund).status is AttemptStatus.LATE
    if refund.status is RefundStatus.COMPLETED and late:
        event: Event = LatePaymentReturned(
            refund_id=refund.id,
            payment_id=payment.id,
            order_id=payment.order_id,
            user_id=payment.user_id,
            attempt=refund.attempt,
            amount=amount,
        )
    elif refund.status is RefundStatus.COMPLETED:
        event = RefundCompleted(
            refund_id=refund.id,
            payment_id=payment.id,
            order_id=payment.order_id,
            user_id=payment.user_id,
            amount=amount,
            refunded=refunded,
        )
    else:
        event = RefundRejected(
            refund_id=refund.id,
            payment_id=payment.id,
            order_id=payment.order_id,
            user_id=payment.user_id,
            amount=amount,
            refunded=refunded,
            reason_code=refund.reason_code or "rejected",
        )
    return (event,)
