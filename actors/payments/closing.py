"""What becomes of an attempt by a provider's answer: pure decisions.

An answer may come twice, late, and in any order. Money that was given up, or that comes
after the attempt had ended without any, is LATE: it is booked and goes back in full.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from actors.payments.ledger import capture_lines, void_lines
from bus.kit.addressing import derived_id
from bus.kit.messages import Event
from bus.kit.values import Money
from bus.payments import (
    AUTHORIZATION_EXPIRED,
    AttemptStatus,
    Outcome,
    PaymentAuthorized,
    PaymentFailed,
    PaymentSettled,
    PaymentSucceeded,
    PaymentVoided,
    RefundStatus,
)
from persistence.payments import HELD, Attempt, LedgerLine, Payment, Refund

LATE_REASON = "came after the attempt was given up"
HOLD_DAYS_DEFAULT = 7
VOIDED_CODE = "voided"

S = AttemptStatus


class Closed(NamedTuple):
    """A payment after an answer about one of its attempts, and what has to be written.

    `refund` is one that the answer has begun: the provider is to be asked for it.
    """

    payment: Payment
    attempt: Attempt
    lines: tuple[LedgerLine, ...] = ()
    events: tuple[Event, ...] = ()
    refund: Refund | None = None


def close_attempt(
    payment: Payment,
    attempt: Attempt,
    outcome: Outcome,
    now: datetime,
    hold: timedelta = timedelta(days=HOLD_DAYS_DEFAULT),
) -> Closed:
    """The payment after a provider's answer; what was taken stays taken."""
    status = next_status(attempt, outcome)
    at_rest = attempt.final or attempt.status is S.AUTHORIZED
    if at_rest and status is attempt.status:
        return Closed(payment, attempt)
    after = _moved(attempt, status, outcome, now, hold)
    moved = replace(
        payment,
        captured_minor=payment.captured_minor + after.taken_minor,
        attempts=tuple(after if a is attempt else a for a in payment.attempts),
    )
    lines: tuple[LedgerLine, ...] = ()
    if after.taken_minor:
        lines = capture_lines(moved, after)
    elif attempt.status in HELD and after.final:
        lines = void_lines(moved, after)
    refund = None
    if status is S.LATE:
        moved, refund = _give_back(moved, after, now)
    return Closed(moved, after, lines, _events(moved, attempt, after), refund)


def next_status(attempt: Attempt, outcome: Outcome) -> AttemptStatus:
    """Where an answer takes an attempt: the whole state machine."""
    before, said = attempt.status, outcome.status
    if before in (S.SUCCEEDED, S.LATE):
        return before
    if attempt.final:
        return {S.SUCCEEDED: S.LATE, S.AUTHORIZED: S.VOIDING}.get(said, before)
    if said is S.SUCCEEDED:
        return S.LATE if attempt.given_up else S.SUCCEEDED
    if said is S.DECLINED:
        return _gone(attempt, outcome)
    if before in HELD:
        return before  # that it is held is known; the move is asked for again
    if said in (S.AUTHORIZED, S.PENDING) and attempt.given_up:
        return S.VOIDING
    if said is S.AUTHORIZED:
        return S.AUTHORIZED
    if before is S.PENDING:
        return S.PENDING  # that it was accepted is known for good
    return said if said is S.PENDING else S.UNKNOWN


def _gone(attempt: Attempt, outcome: Outcome) -> AttemptStatus:
    """What it is called that a provider has no money for an attempt, and never will."""
    code = outcome.decline_code or ""
    if attempt.given_up and attempt.status in HELD:
        expired = attempt.decline_code == AUTHORIZATION_EXPIRED
        return S.EXPIRED if expired else S.VOIDED
    if attempt.status in HELD and "expired" in code:
        return S.EXPIRED
    held = attempt.status is S.AUTHORIZED
    return S.VOIDED if held or code == VOIDED_CODE else S.DECLINED


def _moved(
    attempt: Attempt,
    status: AttemptStatus,
    outcome: Outcome,
    now: datetime,
    hold: timedelta,
) -> Attempt:
    after = replace(
        attempt,
        status=status,
        reference=outcome.reference or attempt.reference,
        given_up=attempt.given_up or attempt.final,
    )
    if not after.final:
        known = status in HELD
        expires_at = attempt.expires_at
        if status is S.AUTHORIZED and expires_at is None:
            expires_at = now + hold
        return replace(
            after,
            asks=0 if known and status is not attempt.status else attempt.asks + 1,
            sealed=None if known else attempt.sealed,
            expires_at=expires_at,
        )
    return replace(
        after,
        decline_code=_decline_code(attempt, status, outcome),
        sealed=None,
        closed_at=now,
    )


def _decline_code(
    attempt: Attempt, status: AttemptStatus, outcome: Outcome
) -> str | None:
    match status:
        case S.DECLINED:
            return outcome.decline_code or "declined"
        case S.EXPIRED:
            return AUTHORIZATION_EXPIRED
        case S.LATE:
            return attempt.decline_code
        case _:
            return None


def _give_back(
    payment: Payment, attempt: Attempt, now: datetime
) -> tuple[Payment, Refund]:
    """All of an attempt's money, set aside to go back."""
    refund = Refund(
        id=derived_id(payment.order_id, f"late:{attempt.number}"),
        attempt=attempt.number,
        status=RefundStatus.PENDING,
        amount_minor=attempt.amount_minor,
        reason=LATE_REASON,
        created_at=now,
    )
    return (
        replace(
            payment,
            refunding_minor=payment.refunding_minor + refund.amount_minor,
            refunds=(*payment.refunds, refund),
        ),
        refund,
    )


def _events(payment: Payment, before: Attempt, after: Attempt) -> tuple[Event, ...]:
    """What to tell of an attempt's move; nothing while its outcome is unknown.

    Late money is told of when it is back: to the order it was never there.
    """
    if after.status is before.status:
        return ()
    facts: dict[str, Any] = {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "user_id": payment.user_id,
        "attempt": after.number,
        "amount": Money(after.amount_minor, payment.currency),
    }
    outcome = _outcome(before, after, facts)
    at_rest = after.final or after.status is S.AUTHORIZED
    if at_rest and _waited_for(before):
        return (*outcome, PaymentSettled(**facts, status=after.status.value))
    return outcome


def _waited_for(before: Attempt) -> bool:
    """Whether somebody was answered before it was settled; held money is known of."""
    left = before.given_up and not before.final and before.expires_at is None
    return left or before.status in (S.PENDING, S.UNKNOWN)


def _outcome(
    before: Attempt, after: Attempt, facts: dict[str, Any]
) -> tuple[Event, ...]:
    match after.status:
        case S.SUCCEEDED:
            return (PaymentSucceeded(**facts),)
        case S.PENDING:
            return (PaymentAuthorized(**facts),)
        case S.AUTHORIZED if before.status is not S.PENDING:
            return (PaymentAuthorized(**facts),)
        case S.DECLINED:
            code = after.decline_code or "declined"
            return (PaymentFailed(**facts, decline_code=code),)
        case S.VOIDED:
            return (PaymentVoided(**facts, reason_code=VOIDED_CODE),)
        case S.EXPIRED:
            return (
                PaymentVoided(**facts, reason_code=AUTHORIZATION_EXPIRED),
                PaymentFailed(**facts, decline_code=AUTHORIZATION_EXPIRED),
            )
        case _:
            return ()
