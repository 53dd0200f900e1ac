"""How attempts begin, and when they are asked for again: pure decisions."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from bus.payments import (
    AMOUNT_MAX,
    ATTEMPTS_MAX,
    AttemptStatus,
    Charge,
    ChargeResult,
    PaymentMethod,
    already_paid,
    attempt_mismatch,
    attempt_superseded,
    card_number_refused,
    currency_mismatch,
    holds_card_number,
    invalid_amount,
    is_token,
    payment_id_of,
    payment_in_progress,
    token_required,
    too_many_attempts,
    unknown_kind,
)
from persistence.payments import Attempt, Payment, attempt_key

_PAID = (AttemptStatus.AUTHORIZED, AttemptStatus.CAPTURING, AttemptStatus.SUCCEEDED)

UNKNOWN_SECONDS = 1
PENDING_SECONDS = 5
ASK_AGAIN_SECONDS_MAX = 60


def check_charge(charge: Charge, currency: str) -> None:
    """Refuse what could never be charged."""
    if charge.amount.currency != currency:
        raise currency_mismatch()
    if not 0 < charge.amount.amount <= AMOUNT_MAX:
        raise invalid_amount()
    if charge.method not in PaymentMethod.__members__:
        raise unknown_kind(charge.method)
    if (charge.token is None) == (charge.payment_method_id is None):
        raise token_required()
    if charge.token is not None:
        if not is_token(charge.token):
            raise token_required()
        if holds_card_number(charge.token):
            raise card_number_refused()


def known_attempt(
    payment: Payment | None, charge: Charge
) -> tuple[Payment, Attempt] | None:
    """The payment and the attempt that `charge` asks for, if it was begun before."""
    attempt = payment.attempt(charge.attempt) if payment else None
    if payment is None or attempt is None:
        return None
    same = attempt.amount_minor == charge.amount.amount
    if not same or attempt.method != charge.method:
        raise attempt_mismatch()
    return payment, attempt


def check_next_attempt(payment: Payment | None, charge: Charge) -> None:
    """Refuse an attempt while another is open, after a success, or out of order.

    Late money is not the order's: it is on its way back, and another attempt may be
    made. So it may beside one that was over, and is now being let go once more.
    """
    if not 1 <= charge.attempt <= ATTEMPTS_MAX:
        raise too_many_attempts()
    if payment is None:
        return
    if any(attempt.status in _PAID for attempt in payment.attempts):
        raise already_paid()
    if any(not a.final and a.closed_at is None for a in payment.attempts):
        raise payment_in_progress()
    if any(attempt.number > charge.attempt for attempt in payment.attempts):
        raise attempt_superseded()


def begin_attempt(
    payment: Payment | None,
    charge: Charge,
    provider: str,
    sealed: str,
    now: datetime,
    *,
    hold: bool = False,
) -> tuple[Payment, Attempt]:
    """The payment with a new attempt, that is open from now on.

    `hold`: its money is to be held first, and captured later.
    """
    attempt = Attempt(
        number=charge.attempt,
        status=AttemptStatus.OPEN,
        provider=provider,
        key=attempt_key(charge.order_id, charge.attempt),
        amount_minor=charge.amount.amount,
        method=charge.method,
        sealed=sealed,
        hold=hold,
        created_at=now,
    )
    if payment is None:
        payment = Payment(
            id=payment_id_of(charge.order_id),
            order_id=charge.order_id,
            user_id=charge.user_id,
            currency=charge.amount.currency,
            method=charge.method,
            amount_minor=charge.amount.amount,
            created_at=now,
            updated_at=now,
        )
    return (
        replace(
            payment,
            method=charge.method,
            amount_minor=charge.amount.amount,
            attempts=(*payment.attempts, attempt),
        ),
        attempt,
    )


def ask_again_at(attempt: Attempt, now: datetime) -> datetime:
    """When the provider is asked again about an attempt that is not settled.

    Held money is left alone until it has been held for too long.
    """
    if attempt.status is AttemptStatus.AUTHORIZED and attempt.expires_at is not None:
        return attempt.expires_at
    pending = attempt.status is AttemptStatus.PENDING
    first = PENDING_SECONDS if pending else UNKNOWN_SECONDS
    return now + back_off(first, attempt.asks)


def back_off(first_seconds: int, asks: int) -> timedelta:
    """Twice as long after every ask, up to a minute."""
    seconds = first_seconds * 2 ** min(max(asks - 1, 0), 10)
    return timedelta(seconds=min(seconds, ASK_AGAIN_SECONDS_MAX))


def result_of(payment: Payment, attempt: Attempt) -> ChargeResult:
    """How an attempt stands, for whoever asked for it; OPEN is not known yet."""
    opened = attempt.status is AttemptStatus.OPEN
    return ChargeResult(
        payment_id=payment.id,
        status=AttemptStatus.UNKNOWN if opened else attempt.status,
        decline_code=attempt.decline_code,
        attempt=attempt.number,
    )
