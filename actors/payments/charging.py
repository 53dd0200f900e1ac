"""What becomes of a payment's attempts: pure decisions."""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from actors.payments.ledger import capture_lines
from bus.kit.messages import Event
from bus.kit.values import Money
from bus.payments import (
    AMOUNT_MAX,
    ATTEMPTS_MAX,
    TOKEN_CHARACTERS_MAX,
    AttemptStatus,
    Charge,
    ChargeResult,
    Outcome,
    PaymentAuthorized,
    PaymentFailed,
    PaymentMethod,
    PaymentSucceeded,
    already_paid,
    attempt_mismatch,
    attempt_superseded,
    card_number_refused,
    currency_mismatch,
    holds_card_number,
    invalid_amount,
    payment_id_of,
    payment_in_progress,
    token_required,
    too_many_attempts,
    unknown_kind,
)
from persistence.payments import Attempt, LedgerLine, Payment, attempt_key

UNKNOWN_SECONDS = 1
PENDING_SECONDS = 5
ASK_AGAIN_SECONDS_MAX = 60


class Closed(NamedTuple):
    """A payment after one of its attempts was closed, and what has to be written."""

    payment: Payment
    attempt: Attempt
    lines: tuple[LedgerLine, ...] = ()
    event: Event | None = None


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
        if not 0 < len(charge.token) <= TOKEN_CHARACTERS_MAX:
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
    """Refuse an attempt while another is open, after a success, or out of order."""
    if not 1 <= charge.attempt <= ATTEMPTS_MAX:
        raise too_many_attempts()
    if payment is None:
        return
    if payment.captured_minor:
        raise already_paid()
    if any(not attempt.final for attempt in payment.attempts):
        raise payment_in_progress()
    if any(attempt.number > charge.attempt for attempt in payment.attempts):
        raise attempt_superseded()


def begin_attempt(
    payment: Payment | None, charge: Charge, provider: str, sealed: str, now: datetime
) -> tuple[Payment, Attempt]:
    """The payment with a new attempt, that is open from now on."""
    attempt = Attempt(
        number=charge.attempt,
        status=AttemptStatus.OPEN,
        provider=provider,
        key=attempt_key(charge.order_id, charge.attempt),
        amount_minor=charge.amount.amount,
        method=charge.method,
        sealed=sealed,
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


def close_attempt(
    payment: Payment, attempt: Attempt, outcome: Outcome, now: datetime
) -> Closed:
    """The payment after a provider's answer; a final attempt stays as it is."""
    if attempt.final:
        return Closed(payment, attempt)
    status = outcome.status
    if status is AttemptStatus.UNKNOWN and attempt.status is AttemptStatus.PENDING:
        status = AttemptStatus.PENDING  # that it was accepted is known for good
    final = status in (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED)
    after = replace(
        attempt,
        status=status,
        decline_code=_decline_code(status, outcome),
        reference=outcome.reference or attempt.reference,
        asks=attempt.asks + (not final),
        sealed=None if final else attempt.sealed,
        closed_at=now if final else None,
    )
    taken = after.amount_minor if status is AttemptStatus.SUCCEEDED else 0
    moved = replace(
        payment,
        captured_minor=payment.captured_minor + taken,
        attempts=tuple(after if a is attempt else a for a in payment.attempts),
    )
    lines = capture_lines(moved, after) if taken else ()
    return Closed(moved, after, lines, _event(moved, attempt, after))


def ask_again_at(attempt: Attempt, now: datetime) -> datetime:
    """When the provider is asked again about an attempt that is not settled."""
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


def _decline_code(status: AttemptStatus, outcome: Outcome) -> str | None:
    if status is AttemptStatus.DECLINED:
        return outcome.decline_code or "declined"
    return None


def _event(payment: Payment, before: Attempt, after: Attempt) -> Event | None:
    """What to tell of an attempt's move; nothing while its outcome is unknown."""
    if after.status is before.status:
        return None
    amount = Money(after.amount_minor, payment.currency)
    match after.status:
        case AttemptStatus.SUCCEEDED:
            kind: type[PaymentSucceeded | PaymentAuthorized] = PaymentSucceeded
        case AttemptStatus.PENDING:
            kind = PaymentAuthorized
        case AttemptStatus.DECLINED:
            return PaymentFailed(
                payment_id=payment.id,
                order_id=payment.order_id,
                user_id=payment.user_id,
                attempt=after.number,
                amount=amount,
                decline_code=after.decline_code or "declined",
            )
        case _:
            return None
    return kind(
        payment_id=payment.id,
        order_id=payment.order_id,
        user_id=payment.user_id,
        attempt=after.number,
        amount=amount,
    )
