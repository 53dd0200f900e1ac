"""The table of money, row by row, against the functions that alone add it up."""

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import structlog
import yaml
from msgspec.structs import replace

from actors.messaging.templates import Templates
from actors.orders.carts import put_line
from actors.orders.decisions import merge_lines, price_lines, totals
from actors.orders.moving import refunded
from actors.payments.charging import begin_attempt, check_charge
from actors.payments.closing import close_attempt
from actors.payments.refunding import begin_refund, close_refund
from actors.payments.views import payment_status
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.orders import OrderLine, OrderStatus, WantedLine
from bus.orders.carts import LineOffer, PutLine
from bus.payments import (
    AttemptStatus,
    Outcome,
    RefundOrder,
    RefundOutcome,
    RefundStatus,
)
from bus.products import Offer
from persistence.orders import Cart, Order, Stage
from persistence.payments import LedgerLine, Payment
from tests.orders.fakes import ADDRESS
from tests.payments.support import charge

TABLE = yaml.safe_load((Path(__file__).parent / "money.yaml").read_text("utf-8"))
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PAID = Outcome(status=AttemptStatus.SUCCEEDED, reference="ch_1")
BACK = RefundOutcome(status=RefundStatus.COMPLETED)
REJECTED = RefundOutcome(status=RefundStatus.REJECTED, reason_code="closed")
CASES_MIN = 40


def rows(group: str) -> Any:
    """The rows of a group, each under its name."""
    cases = TABLE[group]
    return pytest.mark.parametrize("row", cases, ids=[case["name"] for case in cases])


def test_there_are_forty_golden_cases_and_each_has_a_name_of_its_own() -> None:
    names = [(group, case["name"]) for group in TABLE for case in TABLE[group]]
    assert len(names) == len(set(names)) >= CASES_MIN


@rows("totals")
def test_an_order_is_added_up(row: dict[str, Any]) -> None:
    lines = bought(row)
    sums = totals(lines)
    assert sums == {
        "items_amount": row["items"],
        "discount_amount": 0,
        "shipping_amount": 0,
        "tax_amount": 0,
        "grand_amount": row["grand"],
    }
    assert all(type(amount) is int for amount in sums.values())
    view = order(lines, row["currency"], OrderStatus.CONFIRMED).view()
    assert view.totals.grand == Money(row["grand"], row["currency"])


@rows("totals")
def test_a_cart_comes_to_the_same(row: dict[str, Any]) -> None:
    cart: Any = Cart(buyer="b")
    for offer, (pieces, _) in zip(offers(row), row["lines"], strict=True):
        seen = LineOffer(
            sku=offer.sku,
            product_id=str(offer.product_id),
            name="",
            options={},
            price=offer.price,
            available=pieces,
        )
        put = PutLine(
            buyer="b", sku=offer.sku, quantity=pieces, add=True, offers=(seen,)
        )
        cart = put_line(cart, put, put.offers)
    assert cart.view(row["currency"]).total == Money(row["items"], row["currency"])


@rows("charges")
def test_a_charge_is_booked_or_refused(row: dict[str, Any]) -> None:
    asked = charge(amount=Money(row["amount"], row["currency"]))
    if "refused" in row:
        with pytest.raises(Refusal) as refused:
            check_charge(asked, row["shop"])
        assert refused.value.code == row["refused"]
        return
    check_charge(asked, row["shop"])
    payment, lines = paid(row["amount"], row["currency"])
    assert payment.captured_minor == payment.refundable_minor == row["amount"]
    assert booked(lines) == row["books"]
    assert {line.currency for line in lines} == {row["currency"]}


@rows("refunds")
def test_refunds_are_exact(row: dict[str, Any]) -> None:
    payment, lines = paid(row["captured"], row["currency"])
    given = 0
    for asked, expected in row["asked"]:
        if isinstance(expected, str):
            with pytest.raises(Refusal) as refused:
                begin_refund(payment, wish(payment, asked), NOW)
            assert refused.value.code == expected
            continue
        payment, refund = begin_refund(payment, wish(payment, asked), NOW)
        assert payment.refundable_minor == row["captured"] - given - refund.amount_minor
        outcome = BACK if expected else REJECTED
        closed = close_refund(payment, refund, outcome, NOW)
        payment, lines = closed.payment, (*lines, *closed.lines)
        given += expected
        if expected:
            assert refund.amount_minor == expected
    assert payment.refundable_minor == row["left"]
    assert payment.refunded_minor == given == row["captured"] - row["left"]
    kept = row["left"]
    assert booked(lines) == {"provider_receivable": kept, "sales": -kept}
    check_names(row, payment, given)


@rows("written")
def test_a_mail_writes_the_amount(row: dict[str, Any], templates: Templates) -> None:
    money = {"amount": row["amount"], "currency": row["currency"]}
    data = {"number": "1001", "total": money}
    mail = templates.render("order_confirmed", row["locale"], data)
    text = row["text"].replace("_", "\N{NO-BREAK SPACE}")
    german = row["locale"].startswith("de")
    said = f"Ihre Zahlung über {text} erhalten." if german else f"payment of {text}."
    assert said in mail.text
    assert said in mail.html


@pytest.fixture(scope="module")
def templates() -> Templates:
    """The mails as they are sent."""
    return Templates(structlog.get_logger())


def check_names(row: dict[str, Any], payment: Payment, given: int) -> None:
    """An order and its payment are called by what went back of them."""
    if "order" not in row:
        assert payment_status(payment) == "SUCCEEDED"
        return
    assert payment_status(payment) == row["order"]
    lines = bought({"currency": row["currency"], "lines": [[1, row["captured"]]]})
    for status, named in (
        (OrderStatus.DELIVERED, row["order"]),
        (OrderStatus.CANCELLED, "CANCELLED"),
    ):
        after = refunded(order(lines, row["currency"], status), given, NOW)
        assert (after.status, after.refunded_amount) == (named, given)


def offers(row: dict[str, Any]) -> list[Offer]:
    """What is for sale at the prices of a row."""
    return [
        Offer(
            sku=f"S-{number}",
            product_id=new_id(),
            name="Thing",
            options={},
            price=Money(unit, row["currency"]),
            seller_id=None,
            image=None,
            active=True,
        )
        for number, (_, unit) in enumerate(row["lines"])
    ]


def bought(row: dict[str, Any]) -> tuple[OrderLine, ...]:
    """The lines of an order for a row's pieces."""
    wanted = tuple(
        WantedLine(sku=f"S-{number}", quantity=pieces)
        for number, (pieces, _) in enumerate(row["lines"])
    )
    there = {offer.sku: offer for offer in offers(row)}
    return price_lines(merge_lines(wanted), there, row["currency"], accept_prices=False)


def order(lines: tuple[OrderLine, ...], currency: str, status: OrderStatus) -> Order:
    """An order of these lines."""
    return Order(
        id=new_id(),
        number="1001",
        buyer="b",
        user_id=None,
        status=status,
        stage=Stage.SETTLED,
        method="CREDIT_CARD",
        token=None,
        payment_method_id=None,
        currency=currency,
        lines=tuple(replace(line, status=status) for line in lines),
        shipping=ADDRESS,
        email=None,
        token_hash=None,
        from_cart=False,
        created_at=NOW,
        updated_at=NOW,
        **totals(lines),
    )


def paid(amount: int, currency: str) -> tuple[Payment, tuple[LedgerLine, ...]]:
    """A payment that took this, and how that was booked."""
    asked = charge(amount=Money(amount, currency))
    payment, attempt = begin_attempt(None, asked, "sandbox", "sealed", NOW)
    closed = close_attempt(payment, attempt, PAID, NOW)
    return closed.payment, closed.lines


def wish(payment: Payment, asked: int | str) -> RefundOrder:
    """The refund that a row asks for."""
    words = str(asked).removeprefix("!").split()
    currency = words[0] if len(words) > 1 else payment.currency
    amount = None if words[-1] == "rest" else Money(int(words[-1]), currency)
    return RefundOrder(
        order_id=payment.order_id, refund_id=new_id(), amount=amount, reason="r"
    )


def booked(lines: tuple[LedgerLine, ...]) -> dict[str, int]:
    """The sum of each account; those of a transaction sum to zero."""
    accounts: Counter[str] = Counter()
    for line in lines:
        accounts[line.account] += line.amount_minor
    assert sum(accounts.values()) == 0
    return dict(accounts)
