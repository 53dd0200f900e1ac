"""What meets an order half-way: money while it is undone, a parcel before its sale."""

import asyncio

import pytest

from bus.inventory import AdjustStock, GetStock
from bus.kit.addressing import derived_id, new_id
from bus.kit.context import CURRENT, Context
from bus.kit.values import Money
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    GetOrder,
    OrderStatus,
    PayOrder,
    Viewer,
)
from bus.orders.steps import (
    BeginCancel,
    Confirm,
    Finish,
    LookAtPayment,
    SettleOrder,
)
from bus.payments import AttemptStatus, PaymentVoided
from persistence.orders import Stage
from tests.orders.fakes import FakePayments, order_of, reset
from tests.orders.support import eventually

DOMAINS = ("orders", "inventory", "products", "payments")
ADMIN = Viewer(role="ADMIN")


@pytest.fixture
async def s(shop):
    """A shop of fakes with five pieces of one SKU."""
    async with shop(*DOMAINS, fakes=reset()) as made:
        await made.ask(AdjustStock(sku="A", on_hand=5, reason="count"))
        yield made


async def stage(s, order_id):
    rows = await s.rows("orders", "SELECT stage FROM orders WHERE id = $1", order_id)
    return rows[0]["stage"]


async def test_money_that_comes_before_a_cancel_is_finished_goes_back(s) -> None:
    placed = await s.ask(order_of(new_id(), ("A", 2), token="tok_pending"))
    order_id = placed.order_id
    await s.ask(BeginCancel(order_id=order_id, reason="requested"))
    paid = Confirm(
        order_id=order_id, payment_id=derived_id(order_id, "payment"), attempt=1
    )
    await s.ask(paid)
    finish = Finish(
        order_id=order_id, stage=Stage.COMPENSATING, payment_status="PENDING"
    )
    for _ in "12":
        await s.ask(finish)
        assert await stage(s, order_id) == "COMPENSATING"
    assert FakePayments.refunded == {}
    await s.ask(SettleOrder(order_id=order_id))
    assert set(FakePayments.refunded.values()) == {order_id}
    assert await stage(s, order_id) == "SETTLED"
    assert (await s.ask(GetStock(sku="A"))).available == 5


async def test_a_look_at_an_order_that_is_being_undone_sees_its_money(s) -> None:
    placed = await s.ask(order_of(new_id(), ("A", 2), token="tok_pending"))
    order_id = placed.order_id
    await s.ask(BeginCancel(order_id=order_id, reason="requested"))
    FakePayments.settles[order_id] = AttemptStatus.SUCCEEDED
    await s.ask(LookAtPayment(order_id=order_id))
    assert set(FakePayments.refunded.values()) == {order_id}
    assert await stage(s, order_id) == "SETTLED"


async def test_what_ships_before_its_sale_is_written_leaves_the_warehouse(s) -> None:
    placed = await s.ask(order_of(new_id(), ("A", 2), token="tok_pending"))
    order_id = placed.order_id
    paid = Confirm(
        order_id=order_id, payment_id=derived_id(order_id, "payment"), attempt=1
    )
    await s.ask(paid)  # and whoever confirmed it is not there yet to sell the hold
    assert await stage(s, order_id) == "COMMITTING"
    parcel = AdvanceOrder(
        order_id=order_id,
        viewer=ADMIN,
        status=OrderStatus.SHIPPED,
        carrier="DHL",
        tracking_number="T-1",
    )
    await s.ask(parcel, id=new_id(order_id))
    order = await s.ask(GetOrder(order_id=order_id, viewer=ADMIN))
    assert order.status is OrderStatus.SHIPPED
    (row,) = (await s.ask(GetStock(sku="A"))).warehouses
    assert (row.on_hand, row.reserved) == (3, 0)
    await s.ask(SettleOrder(order_id=order_id))  # the one who confirmed, late
    (row,) = (await s.ask(GetStock(sku="A"))).warehouses
    assert (row.on_hand, row.reserved) == (3, 0)
    assert await stage(s, order_id) == "SETTLED"


@pytest.mark.parametrize("token", ["tok_visa", "tok_held"])
async def test_an_order_that_is_cancelled_while_it_is_paid_anew_comes_to_rest(
    s, token
) -> None:
    buyer = new_id()
    placed = await s.ask(order_of(buyer, ("A", 2), token="tok_pending"))
    order_id = placed.order_id
    FakePayments.settles[order_id] = AttemptStatus.DECLINED
    await s.ask(LookAtPayment(order_id=order_id))
    FakePayments.delay_seconds = 0.3
    pay = PayOrder(
        order_id=order_id,
        viewer=Viewer(user_id=buyer),
        method="CREDIT_CARD",
        token=token,
    )
    paying = asyncio.ensure_future(s.ask(pay))

    async def charged():
        return (order_id, 2) in FakePayments.attempts

    await eventually(charged)
    await s.ask(CancelOrder(order_id=order_id, viewer=ADMIN))
    assert (await paying).status is OrderStatus.CANCELLED

    async def at_rest():
        return await stage(s, order_id) == "SETTLED"

    await eventually(at_rest)
    held = token == "tok_held"
    assert set(FakePayments.refunded.values()) == (set() if held else {order_id})
    ended = AttemptStatus.VOIDED if held else AttemptStatus.SUCCEEDED
    assert FakePayments.attempts[order_id, 2] is ended
    assert (await s.ask(GetStock(sku="A"))).available == 5


async def test_a_hold_that_comes_before_a_cancel_is_finished_is_let_go(s) -> None:
    placed = await s.ask(order_of(new_id(), ("A", 2), token="tok_pending"))
    order_id = placed.order_id
    await s.ask(BeginCancel(order_id=order_id, reason="requested"))
    payment_id = derived_id(order_id, "payment")
    FakePayments.attempts[order_id, 1] = AttemptStatus.AUTHORIZED
    await s.ask(
        Confirm(
            order_id=order_id,
            payment_id=payment_id,
            attempt=1,
            payment_status="AUTHORIZED",
        )
    )
    finish = Finish(order_id=order_id, stage=Stage.COMPENSATING, payment_status="NEW")
    await s.ask(finish)
    assert await stage(s, order_id) == "COMPENSATING"
    await s.ask(SettleOrder(order_id=order_id))
    assert FakePayments.attempts[order_id, 1] is AttemptStatus.VOIDED
    assert await stage(s, order_id) == "SETTLED"


async def test_holds_that_go_together_are_told_each_with_its_trace(s) -> None:
    orders = [await s.ask(order_of(new_id(), ("A", 1), token="tok_held")) for _ in "12"]
    traces = {
        str(placed.order_id): f"00-{number:032x}-{number:016x}-01"
        for number, placed in enumerate(orders, 1)
    }

    async def gone(order_id) -> None:
        CURRENT.set(Context(traceparent=traces[str(order_id)]))
        event = PaymentVoided(
            payment_id=derived_id(order_id, "payment"),
            order_id=order_id,
            user_id=None,
            attempt=1,
            amount=Money(1000, "USD"),
            reason_code="voided",
        )
        await s.ask(event, id=new_id(order_id), sequence=1, domain="orders", join=True)

    await asyncio.gather(*(gone(placed.order_id) for placed in orders))
    told = {
        event["data"]["order_id"]: event.get("traceparent")
        for event in await s.events("orders")
        if event["type"] == "orders.order_updated.v1"
    }
    assert told == traces
