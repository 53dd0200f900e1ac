"""Taking held money, and giving an attempt up: pure decisions."""

from datetime import datetime

from msgspec.structs import replace

from bus.kit.refusals import not_found
from bus.payments import (
    AUTHORIZATION_EXPIRED,
    AttemptStatus,
    authorization_expired,
    capture_declined,
    not_authorized,
    payment_in_progress,
    payment_voided,
)
from persistence.payments import Attempt, Payment

S = AttemptStatus


def begin_capture(
    payment: Payment | None, now: datetime
) -> tuple[Payment, Attempt, bool]:
    """The attempt whose money is to be taken, and whether the provider is to be asked.

    AUTHORIZED → CAPTURING; one that was taken before is only shown.
    """
    if payment is None:
        raise not_found("payment")
    for attempt in payment.attempts:
        if attempt.status is S.SUCCEEDED:
            return payment, attempt, False
    attempt = payment.attempts[-1]
    if attempt.status is S.AUTHORIZED:
        if attempt.expires_at is not None and attempt.expires_at <= now:
            raise authorization_expired()
        return (*with_attempt(payment, attempt, status=S.CAPTURING, asks=0), True)
    if attempt.status is S.CAPTURING and not attempt.given_up:
        return payment, attempt, True
    check_capture(attempt)
    raise payment_in_progress() if not attempt.final else not_authorized()


def check_capture(attempt: Attempt) -> None:
    """Refuse for an attempt whose held money is gone."""
    if attempt.status is S.EXPIRED or attempt.decline_code == AUTHORIZATION_EXPIRED:
        raise authorization_expired()
    if attempt.given_up or attempt.status in (S.VOIDED, S.VOIDING, S.LATE):
        raise payment_voided()
    if attempt.status is S.DECLINED and attempt.hold:
        raise capture_declined(attempt.decline_code)


def begin_void(
    payment: Payment | None, number: int | None, *, expired: bool
) -> tuple[Payment, Attempt, bool]:
    """The attempt that is given up, and whether the provider is to be asked.

    What is held or pending is being let go; what may still come goes back by itself.
    """
    if payment is None:
        raise not_found("payment")
    last = payment.attempts[-1]
    attempt = last if number is None else payment.attempt(number) or last
    if attempt.final:
        return payment, attempt, False
    if attempt.status is S.VOIDING:
        return payment, attempt, True
    if expired and attempt.status is not S.AUTHORIZED:
        return payment, attempt, False  # it was captured, or given up, in time
    if attempt.status in (S.AUTHORIZED, S.PENDING):
        code = AUTHORIZATION_EXPIRED if expired else None
        return (
            *with_attempt(
                payment,
                attempt,
                status=S.VOIDING,
                given_up=True,
                decline_code=code,
                asks=0,
            ),
            True,
        )
    return (*with_attempt(payment, attempt, given_up=True), False)


def with_attempt(
    payment: Payment, attempt: Attempt, **changes: object
) -> tuple[Payment, Attempt]:
    """The payment with one of its attempts changed, and that attempt."""
    after = replace(attempt, **changes)
    attempts = tuple(after if a is attempt else a for a in payment.attempts)
    return replace(payment, attempts=attempts), after
