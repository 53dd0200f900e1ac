"""What meets an order half-way: money while it is undone, a parcel before its sale."""

import pytest

from bus.inventory import AdjustStock, GetStock
from bus.kit.addressing import derived_id, new_id
from bus.orders import AdvanceOrder, GetOrder, OrderStatus, Viewer
from bus.orders.steps import (
    BeginCancel,
    Confirm,
    Finish,
    LookAtPayment,
    SettleOrder,
)
from bus.payments import AttemptStatus
from persistence.orders import Stage
from tests.orders.fakes import FakePayments, order_of, reset

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
