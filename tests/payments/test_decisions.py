"""Decisions about payments: pure, exact, each move allowed once."""

import datetime as dt
from uuid import uuid4

import pytest

from actors.payments.charging import (
    back_off,
    begin_attempt,
    check_charge,
    check_next_attempt,
    known_attempt,
)
from actors.payments.closing import close_attempt
from actors.payments.refunding import begin_refund, close_refund
from bus.kit.addressing import new_id, slot_of
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.payments import (
    AttemptStatus,
    Outcome,
    PaymentAuthorized,
    PaymentFailed,
    PaymentSucceeded,
    RefundOrder,
    RefundOutcome,
    RefundStatus,
    holds_card_number,
    payment_id_of,
)
from persistence.payments import Payment
from tests.payments.support import charge

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
SUCCEEDED = Outcome(status=AttemptStatus.SUCCEEDED, reference="ch_1")
DECLINED = Outcome(status=AttemptStatus.DECLINED, decline_code="card-declined")
UNKNOWN = Outcome(status=AttemptStatus.UNKNOWN)
PENDING = Outcome(status=AttemptStatus.PENDING)
BACK = RefundOutcome(status=RefundStatus.COMPLETED)
NOT_BACK = RefundOutcome(status=RefundStatus.REJECTED, reason_code="closed")


def begun(asked=None, payment=None):
    return begin_attempt(payment, asked or charge(), "sandbox", "sealed", NOW)


def paid(amount: int = 1999) -> Payment:
    payment, attempt = begun(charge(amount=Money(amount, "USD")))
    return close_attempt(payment, attempt, SUCCEEDED, NOW).payment


def refund(payment: Payment, amount: int | None) -> RefundOrder:
    money = None if amount is None else Money(amount, payment.currency)
    return RefundOrder(
        order_id=payment.order_id, refund_id=new_id(), amount=money, reason="r"
    )


def refused(code: str, call, *values) -> None:
    with pytest.raises(Refusal) as refusal:
        call(*values)
    assert refusal.value.code == code


def test_a_payment_lives_in_its_orders_slot() -> None:
    order_id = new_id("buyer")
    assert slot_of(payment_id_of(order_id)) == slot_of(order_id)


def test_a_capture_is_booked_in_two_lines_that_sum_to_zero() -> None:
    payment, attempt = begun()
    closed = close_attempt(payment, attempt, SUCCEEDED, NOW)
    assert [(line.account, line.amount_minor) for line in closed.lines] == [
        ("provider_receivable", 1999),
        ("sales", -1999),
    ]
    assert closed.payment.captured_minor == 1999
    assert closed.attempt.sealed is None
    assert isinstance(closed.events[0], PaymentSucceeded)


def test_a_decline_books_nothing_and_says_why() -> None:
    payment, attempt = begun()
    closed = close_attempt(payment, attempt, DECLINED, NOW)
    assert (closed.lines, closed.payment.captured_minor) == ((), 0)
    assert isinstance(closed.events[0], PaymentFailed)
    assert closed.events[0].decline_code == "card-declined"


def test_an_unknown_outcome_tells_nothing_and_keeps_the_token() -> None:
    payment, attempt = begun()
    closed = close_attempt(payment, attempt, UNKNOWN, NOW)
    assert (closed.events, closed.lines) == ((), ())
    assert (closed.attempt.sealed, closed.attempt.asks) == ("sealed", 1)


def test_a_pending_attempt_is_authorised_once_and_never_unknown_again() -> None:
    payment, attempt = begun()
    first = close_attempt(payment, attempt, PENDING, NOW)
    assert isinstance(first.events[0], PaymentAuthorized)
    second = close_attempt(first.payment, first.attempt, UNKNOWN, NOW)
    assert second.attempt.status is AttemptStatus.PENDING
    assert second.events == ()


@pytest.mark.parametrize(
    ("first", "late"),
    [
        (SUCCEEDED, SUCCEEDED),
        (SUCCEEDED, DECLINED),
        (SUCCEEDED, UNKNOWN),
        (SUCCEEDED, PENDING),
        (DECLINED, DECLINED),
        (DECLINED, UNKNOWN),
        (DECLINED, PENDING),
    ],
)
def test_a_final_attempt_stays_as_it_is(first, late) -> None:
    payment, attempt = begun()
    one = close_attempt(payment, attempt, first, NOW)
    two = close_attempt(one.payment, one.attempt, late, NOW)
    assert two.payment is one.payment
    assert (two.lines, two.events) == ((), ())


def test_one_attempt_at_most_is_open() -> None:
    asked = charge()
    payment, _ = begun(asked)
    second = charge(order_id=asked.order_id, attempt=2)
    refused("payment-in-progress", check_next_attempt, payment, second)


def test_a_paid_order_is_not_charged_again() -> None:
    payment = paid()
    second = charge(order_id=payment.order_id, attempt=2)
    refused("already-paid", check_next_attempt, payment, second)


def test_an_attempt_that_comes_after_a_later_one_is_not_made() -> None:
    asked = charge(attempt=2)
    payment, attempt = begun(asked)
    payment = close_attempt(payment, attempt, DECLINED, NOW).payment
    late = charge(order_id=asked.order_id, attempt=1)
    refused("attempt-superseded", check_next_attempt, payment, late)


def test_an_attempt_with_another_amount_is_another() -> None:
    asked = charge()
    payment, _ = begun(asked)
    other = charge(order_id=asked.order_id, amount=Money(1, "USD"))
    refused("attempt-mismatch", known_attempt, payment, other)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"amount": Money(5, "EUR")}, "currency-mismatch"),
        ({"amount": Money(0, "USD")}, "invalid-amount"),
        ({"amount": Money(-5, "USD")}, "invalid-amount"),
        ({"amount": Money(10**13, "USD")}, "invalid-amount"),
        ({"method": "SHELLS"}, "unknown-payment-method"),
        ({"token": None}, "payment-token-required"),
        ({"payment_method_id": uuid4()}, "payment-token-required"),
        ({"token": "4111 1111 1111 1111"}, "card-number-refused"),
    ],
)
def test_what_could_never_be_charged_is_refused(fields, code) -> None:
    refused(code, check_charge, charge(**fields), "USD")


def test_refunds_together_never_pass_what_was_captured() -> None:
    payment = paid(1000)
    payment, first = begin_refund(payment, refund(payment, 600), NOW)
    refused("refund-exceeds-capture", begin_refund, payment, refund(payment, 401), NOW)
    payment, _ = begin_refund(payment, refund(payment, 400), NOW)
    refused("refund-exceeds-capture", begin_refund, payment, refund(payment, 1), NOW)
    closed = close_refund(payment, first, NOT_BACK, NOW)
    assert closed.payment.refundable_minor == 600
    assert closed.lines == ()


def test_a_refund_is_booked_against_its_capture() -> None:
    payment = paid(1000)
    payment, one = begin_refund(payment, refund(payment, None), NOW)
    closed = close_refund(payment, one, BACK, NOW)
    assert [(line.account, line.amount_minor) for line in closed.lines] == [
        ("sales", 1000),
        ("provider_receivable", -1000),
    ]
    assert closed.payment.refunded_minor == 1000
    assert closed.payment.refunding_minor == 0
    again = close_refund(closed.payment, closed.refund, NOT_BACK, NOW)
    assert again.payment is closed.payment


def test_nothing_is_given_back_that_was_not_taken() -> None:
    payment, attempt = begun()
    payment = close_attempt(payment, attempt, DECLINED, NOW).payment
    refused("refund-exceeds-capture", begin_refund, payment, refund(payment, None), NOW)
    refused("not-found", begin_refund, None, refund(payment, None), NOW)


@pytest.mark.parametrize("amount", [0, -1])
def test_a_refund_is_more_than_nothing(amount) -> None:
    payment = paid()
    refused("invalid-amount", begin_refund, payment, refund(payment, amount), NOW)


def test_asking_again_backs_off_up_to_a_minute() -> None:
    seconds = [back_off(1, asks).total_seconds() for asks in range(1, 9)]
    assert seconds == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("4111111111111111", True),
        ("my card is 4111-1111-1111-1111, thanks", True),
        ("378282246310005", True),
        ("4242424242424242", False),
        ("4242 4242 4242 4242", False),
        ("4111111111111112", False),
        ("tok_visa", False),
        ("123456789012", False),
    ],
)
def test_a_card_number_is_recognised_outside_the_test_range(text, holds) -> None:
    assert holds_card_number(text) is holds
