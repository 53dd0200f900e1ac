"""The state machine: every state, every move, everybody who might try it."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from msgspec.structs import replace

from actors.orders.moving import (
    advance,
    may_see,
    refunded,
    refuse_advance,
    refuse_cancel,
    shown,
)
from actors.orders.trying import refuse_pay
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.orders import AdvanceOrder, OrderLine, OrderStatus, Viewer
from bus.orders.steps import BeginCancel
from persistence.orders import Link, Order, Stage
from tests.orders.fakes import ADDRESS

S = OrderStatus
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CUSTOMER, SAM, TOM, SUE = new_id(), new_id(), new_id(), new_id()

VIEWERS = {
    "customer": Viewer(user_id=CUSTOMER),
    "token": Viewer(token_hash=b"1" * 32),
    "mailed": Viewer(token_hash=b"2" * 32),
    "seller": Viewer(user_id=SAM, role="SELLER"),
    "other seller": Viewer(user_id=SUE, role="SELLER"),
    "stranger": Viewer(user_id=new_id()),
    "nobody": Viewer(token_hash=b"3" * 32),
    "admin": Viewer(user_id=new_id(), role="ADMIN"),
}
OWNERS = ("customer", "token", "mailed")
NOT_THERE = ("other seller", "stranger", "nobody")


def line(sku: str, seller_id, status: S, **more) -> OrderLine:
    """Two pieces of a SKU, 10.00 each."""
    return OrderLine(
        sku=sku,
        product_id=new_id(),
        name=sku,
        options={},
        quantity=2,
        unit_price=Money(1000, "USD"),
        total=Money(2000, "USD"),
        status=status,
        seller_id=seller_id,
        **more,
    )


def order(status: S, stage: Stage = Stage.SETTLED, **more) -> Order:
    """An order of a line of Sam's and one of Tom's, both in this status."""
    lines = more.pop("lines", (line("A", SAM, status), line("B", TOM, status)))
    values = {
        "id": new_id(CUSTOMER),
        "number": "123-456-789",
        "buyer": str(CUSTOMER),
        "user_id": CUSTOMER,
        "method": "CREDIT_CARD",
        "token": None,
        "payment_method_id": None,
        "currency": "USD",
        "items_amount": 4000,
        "discount_amount": 0,
        "shipping_amount": 0,
        "tax_amount": 0,
        "grand_amount": 4000,
        "shipping": ADDRESS,
        "email": None,
        "token_hash": b"1" * 32,
        "links": (Link(token_hash=b"2" * 32, at=NOW),),
        "from_cart": False,
        "created_at": NOW,
        "updated_at": NOW,
        "payment_status": "SUCCEEDED",
    }
    return Order(status=status, stage=stage, lines=lines, **{**values, **more})


def goods(status: S) -> dict[str, int]:
    """How many pieces have left, and arrived, in a line of this status."""
    left = 2 if status in (S.SHIPPED, S.DELIVERED) else 0
    return {"shipped": left, "delivered": 2 if status is S.DELIVERED else 0}


def gone(status: S) -> Order:
    """An order whose pieces have left."""
    both = (line(sku, who, status, **goods(status)) for sku, who in LINES)
    return order(status, lines=tuple(both))


LINES = (("A", SAM), ("B", TOM))
PARTLY = (line("A", SAM, S.PROCESSING, shipped=1), line("B", TOM, S.PROCESSING))
WAITS = Stage.AWAITING

STATES = {
    "being placed": order(S.PENDING, Stage.RESERVING, payment_status="NEW"),
    "pending": order(S.PENDING, WAITS, payment_status="PENDING"),
    "unknown": order(S.PENDING, WAITS, payment_status="UNKNOWN"),
    "declined": order(S.PENDING, WAITS, payment_status="DECLINED"),
    "confirmed": order(S.CONFIRMED),
    "processing": order(S.PROCESSING),
    "partly shipped": order(S.PROCESSING, lines=PARTLY),
    "shipped": gone(S.SHIPPED),
    "delivered": gone(S.DELIVERED),
    "cancelled": order(S.CANCELLED),
    "partly refunded": refunded(order(S.CONFIRMED), 1, NOW),
    "refunded": refunded(order(S.PROCESSING), 4000, NOW),
}

# What each move ends in, by state: the status of Sam's line, or the refusal's code.
NO = "invalid-transition"
MOVES = {
    "being placed": ("order-in-progress", "payment-in-progress", NO, NO, NO),
    "pending": ("CANCELLED", "payment-in-progress", NO, NO, NO),
    "unknown": ("CANCELLED", "payment-in-progress", NO, NO, NO),
    "declined": ("CANCELLED", "paid", NO, NO, NO),
    "confirmed": ("CANCELLED", "not-payable", "PROCESSING", "SHIPPED", NO),
    "processing": ("CANCELLED", "not-payable", NO, "SHIPPED", NO),
    "partly shipped": ("not-cancellable", "not-payable", NO, "SHIPPED", "PROCESSING"),
    "shipped": ("not-cancellable", "not-payable", NO, NO, "DELIVERED"),
    "delivered": ("not-cancellable", "not-payable", NO, NO, NO),
    "cancelled": ("not-cancellable", "not-payable", NO, NO, NO),
    "partly refunded": ("CANCELLED", "not-payable", "PROCESSING", "SHIPPED", NO),
    "refunded": ("CANCELLED", "not-payable", NO, "SHIPPED", NO),
}
NAMES = ("cancel", "pay", "pack", "ship", "deliver")
STEPS = {"pack": S.PROCESSING, "ship": S.SHIPPED, "deliver": S.DELIVERED}


def who_may(move: str, who: str) -> str | None:
    """The refusal of somebody whom a move is no business of, in whatever state."""
    if who in NOT_THERE:
        return "not-found"
    if move == "cancel":
        return "not-found" if who == "seller" else None
    if move == "pay":
        return None if who in OWNERS else "forbidden"
    return "forbidden" if who in OWNERS else None


def tried(move: str, before: Order, viewer: Viewer) -> str:
    """What comes of a move: a refusal's code, or how far Sam's line is."""
    if move == "cancel":
        m = BeginCancel(order_id=before.id, reason="requested", viewer=viewer)
        refusal = refuse_cancel(before, m)
        return refusal.code if refusal else "CANCELLED"
    if move == "pay":
        refusal = refuse_pay(before, viewer, NOW)
        return refusal.code if refusal else "paid"
    m = AdvanceOrder(
        order_id=before.id,
        viewer=viewer,
        status=STEPS[move],
        carrier="DHL",
        tracking_number="1",
    )
    if refusal := refuse_advance(before, m):
        return refusal.code
    try:
        return advance(before, m, new_id(), NOW).lines[0].status.value
    except Refusal as refusal:
        return refusal.code


@pytest.mark.parametrize("state", STATES)
def test_each_state_lets_each_person_do_exactly_what_the_table_says(state) -> None:
    for who, (number, move) in product(VIEWERS, enumerate(NAMES)):
        wanted = who_may(move, who) or MOVES[state][number]
        assert tried(move, STATES[state], VIEWERS[who]) == wanted, (who, move)


def test_an_order_is_there_for_those_whom_it_concerns() -> None:
    seen = {who for who in VIEWERS if may_see(STATES["confirmed"], VIEWERS[who])}
    assert seen == {*OWNERS, "seller", "admin"}


def test_a_refund_is_shown_and_stops_nothing() -> None:
    admin = VIEWERS["admin"]
    before = refunded(order(S.CONFIRMED), 1000, NOW)
    assert (before.status, before.payment_status) == (
        S.PARTIALLY_REFUNDED,
        "PARTIALLY_REFUNDED",
    )
    for status in (S.PROCESSING, S.SHIPPED, S.DELIVERED):
        m = AdvanceOrder(
            order_id=before.id,
            viewer=admin,
            status=status,
            carrier="DHL",
            tracking_number="1",
        )
        before = advance(before, m, new_id(), NOW)
        assert before.status is S.PARTIALLY_REFUNDED
        assert {one.status for one in before.lines} == {status}
    assert refunded(before, 3000, NOW).status is S.REFUNDED


def test_money_of_a_cancelled_order_goes_back_and_it_stays_cancelled() -> None:
    after = refunded(order(S.CANCELLED), 4000, NOW)
    assert (after.status, after.payment_status) == (S.CANCELLED, "REFUNDED")


def test_an_order_is_as_far_as_its_least_advanced_line() -> None:
    sam, admin = VIEWERS["seller"], VIEWERS["admin"]
    before = order(S.CONFIRMED)
    for viewer, items, lines, whole in (
        (sam, {"A": 1}, (S.PROCESSING, S.CONFIRMED), S.CONFIRMED),
        (admin, {"B": 2}, (S.PROCESSING, S.SHIPPED), S.PROCESSING),
        (sam, None, (S.SHIPPED, S.SHIPPED), S.SHIPPED),
    ):
        m = AdvanceOrder(
            order_id=before.id,
            viewer=viewer,
            status=S.SHIPPED,
            items=items,
            carrier="DHL",
            tracking_number="1",
        )
        before = advance(before, m, new_id(), NOW)
        assert tuple(one.status for one in before.lines) == lines
        assert before.status is whole
    assert [one.items for one in before.shipments] == [{"A": 1}, {"B": 2}, {"A": 1}]


def test_a_seller_sees_own_lines_their_sum_and_where_to_send_them() -> None:
    view = shown(STATES["partly refunded"], VIEWERS["seller"])
    assert [one.sku for one in view.items] == ["A"]
    assert view.totals.grand == view.totals.items == Money(2000, "USD")
    assert view.shipping_address == ADDRESS
    assert view.payment is None and view.user_id is None
    whole = shown(STATES["partly refunded"], VIEWERS["mailed"])
    assert whole.totals.grand == Money(4000, "USD")
    assert whole.payment is not None and whole.user_id == CUSTOMER


@pytest.mark.parametrize(
    ("method", "minutes", "code"),
    [
        ("CREDIT_CARD", 9, "payment-in-progress"),
        ("CREDIT_CARD", 10, None),
        ("BANK_TRANSFER", 59, "payment-in-progress"),
        ("BANK_TRANSFER", 60, None),
    ],
)
def test_a_pending_attempt_counts_as_left_after_a_while(method, minutes, code) -> None:
    waits = replace(STATES["pending"], method=method)
    later = NOW + timedelta(minutes=minutes)
    refusal = refuse_pay(waits, VIEWERS["customer"], later)
    assert (refusal.code if refusal else None) == code
    unknown = replace(waits, payment_status="UNKNOWN")
    refusal = refuse_pay(unknown, VIEWERS["customer"], NOW + timedelta(days=9))
    assert refusal is not None and refusal.code == "payment-in-progress"
