"""What sellers see of orders: sums and lines of one moment, shipments, deliveries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import derived_id, new_id
from bus.kit.values import Money
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    Dashboard,
    Deliveries,
    DeliverOldest,
    GetDashboard,
    ListShipments,
    OrderStatus,
    SellerShipment,
    ShipmentStatus,
)
from bus.payments import RefundCompleted, payment_id_of
from persistence.kit.migrations import migrate
from tests.kit.faults import Doom
from tests.orders.fakes import FakeProducts, order_of
from tests.orders.support import ADMIN, forget, seen, selling

S = OrderStatus
SAM, SUE, ANN = new_id(), new_id(), new_id()
SUMS = """SELECT coalesce(sum(orders), 0) AS orders, coalesce(sum(lines), 0) AS lines,
  coalesce(sum(amount), 0) AS amount FROM seller_totals WHERE seller_id = $1"""
COUNTED = """SELECT count(DISTINCT order_id) AS orders, count(*) AS lines,
  coalesce(sum(quantity * unit_amount), 0) AS amount
  FROM order_lines WHERE seller_id = $1 AND in_progress"""
UNDO = (
    "ALTER TABLE order_lines DROP COLUMN in_progress",
    "DROP TABLE seller_totals, shipments, product_replica, removals",
    "DROP FUNCTION note_removal CASCADE",
    "DROP INDEX orders_by_status",
    "DELETE FROM alembic_version WHERE version_num LIKE 'orders_%'",
    "INSERT INTO alembic_version VALUES ('orders_0005')",
)


@asynccontextmanager
async def stalls(shop: Any, *, shards: int = 1, **stock: int) -> AsyncIterator[Any]:
    """A shop with two sellers: Sam's SKUs begin with S, Sue's with T."""
    async with selling(shop, shards=shards, **stock) as s:
        for sku in stock:
            if sku[0] in "ST":
                FakeProducts.sellers[sku] = SAM if sku[0] == "S" else SUE
        yield s


async def bought(s: Any, **pieces: int) -> UUID:
    """An order of these pieces, confirmed."""
    placed = await s.ask(order_of(new_id(), *pieces.items()))
    assert placed.status is S.CONFIRMED
    order_id: UUID = placed.order_id
    return order_id


async def move(s: Any, order_id: UUID, status: S, **items: int) -> None:
    """Move pieces, or all that can, as an administrator."""
    await s.ask(
        AdvanceOrder(
            order_id=order_id,
            viewer=ADMIN,
            status=status,
            items=items or None,
            carrier="DHL",
            tracking_number="1Z",
        )
    )


async def dashboard(s: Any, seller_id: UUID = SAM, limit: int = 100) -> Dashboard:
    """A seller's; whatever is in memory, it agrees with the rows."""
    found: Dashboard = await s.ask(GetDashboard(seller_id=seller_id, limit=limit))
    if not found.more:
        assert found.totals.items == len(found.items)
        assert found.totals.orders == len({one.order_id for one in found.items})
        assert found.totals.amount.amount == sum(it.total.amount for it in found.items)
    assert await s.rows("orders", SUMS, seller_id) == await s.rows(
        "orders", COUNTED, seller_id
    )
    return found


def sums(found: Dashboard) -> tuple[int, int, int]:
    totals = found.totals
    return totals.orders, totals.items, totals.amount.amount


async def shipments(
    s: Any, seller_id: UUID = SAM, status: ShipmentStatus | None = None
) -> list[SellerShipment]:
    """All of a seller's shipments, read in pages of two."""
    found: list[SellerShipment] = []
    cursor = None
    while True:
        q = ListShipments(seller_id=seller_id, status=status, limit=2, cursor=cursor)
        page = await s.ask(q)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


async def deliver(s: Any, sellers_max: int = 10, id_: UUID | None = None) -> Deliveries:
    """Have the oldest shipments arrive."""
    id_ = id_ or new_id()
    command = DeliverOldest(request_id=id_, sellers_max=sellers_max, actor_id=ANN)
    done: Deliveries = await s.ask(command, id=id_, keyed=True)
    return done


async def test_a_dashboard_counts_lines_until_they_arrive(shop: Any) -> None:
    async with stalls(shop, shards=2, SA=9, SB=9, TA=9, MA=9) as s:
        assert sums(await dashboard(s)) == (0, 0, 0)
        first = await bought(s, SA=2, SB=1, TA=1, MA=1)
        second = await bought(s, SA=1)
        found = await dashboard(s)
        assert sums(found) == (2, 3, 4000)
        assert [one.order_id for one in found.items] == [second, first, first]
        order = await seen(s, second)
        line = found.items[0]
        assert (line.number, line.placed_at) == (order.number, order.created_at)
        assert (line.sku, line.quantity, line.total) == ("SA", 1, Money(1000, "USD"))
        assert (line.status, found.seller_id) == (S.CONFIRMED, SAM)
        assert sums(await dashboard(s, SUE)) == (1, 1, 1000)
        await move(s, first, S.SHIPPED, SA=2)
        assert sums(await dashboard(s)) == (2, 3, 4000)
        await move(s, first, S.DELIVERED, SA=1)
        assert sums(await dashboard(s)) == (2, 3, 4000)
        await move(s, first, S.DELIVERED, SA=1)
        assert sums(await dashboard(s)) == (2, 2, 2000)
        await s.ask(CancelOrder(order_id=second, viewer=ADMIN))
        assert sums(await dashboard(s)) == (1, 1, 1000)
        few = await dashboard(s, limit=1)
        assert (len(few.items), few.more) == (1, False)


async def test_what_does_not_fit_is_counted_and_said(shop: Any) -> None:
    async with stalls(shop, SA=9, SB=9) as s:
        await bought(s, SA=1, SB=1)
        newest = await bought(s, SA=1, SB=1)
        found = await dashboard(s, limit=2)
        assert ({one.order_id for one in found.items}, found.more) == ({newest}, True)
        assert sums(found) == (2, 4, 4000)


async def test_an_order_that_was_not_paid_is_nobodys_work(shop: Any) -> None:
    async with stalls(shop, SA=9) as s:
        placed = await s.ask(order_of(new_id(), ("SA", 1), token="tok_declined"))
        assert placed.status is S.CANCELLED
        assert sums(await dashboard(s)) == (0, 0, 0)


async def test_an_order_that_is_paid_back_whole_is_nobodys_work(shop: Any) -> None:
    async with stalls(shop, SA=9) as s:
        order_id = await bought(s, SA=2)
        for amount, left in ((500, (1, 1, 2000)), (1500, (0, 0, 0))):
            await s.ask(
                RefundCompleted(
                    refund_id=derived_id(order_id, "cancelled"),
                    payment_id=payment_id_of(order_id),
                    order_id=order_id,
                    user_id=None,
                    amount=Money(amount, "USD"),
                    refunded=Money(amount, "USD"),
                ),
                id=new_id(order_id),
                domain="orders",
            )
            assert sums(await dashboard(s)) == left
        await move(s, order_id, S.SHIPPED)
        await move(s, order_id, S.DELIVERED)
        assert sums(await dashboard(s)) == (0, 0, 0)


async def test_many_buyers_at_once_are_counted_exactly(shop: Any) -> None:
    async with stalls(shop, shards=2, SA=20, TA=20) as s:
        ids = await asyncio.gather(*(bought(s, SA=1, TA=1) for _ in range(12)))
        ends = [CancelOrder(order_id=one, viewer=ADMIN) for one in ids[:5]]
        await asyncio.gather(*(s.ask(end) for end in ends))
        assert sums(await dashboard(s)) == sums(await dashboard(s, SUE)) == (7, 7, 7000)


async def test_a_parcel_is_one_shipment_a_seller(shop: Any) -> None:
    async with stalls(shop, SA=9, SB=9, TA=9, MA=9) as s:
        order_id = await bought(s, SA=2, TA=1, SB=1, MA=1)
        await move(s, order_id, S.SHIPPED)
        order = await seen(s, order_id)
        assert [(one.seller_id, one.items) for one in order.shipments] == [
            (SAM, {"SA": 2, "SB": 1}),
            (SUE, {"TA": 1}),
            (None, {"MA": 1}),
        ]
        assert len({one.id for one in order.shipments}) == 3
        assert {one.parcel_id for one in order.shipments} == {order.shipments[0].id}
        (mine,) = await shipments(s)
        assert (mine.id, mine.order_id) == (order.shipments[0].id, order_id)
        assert (mine.number, mine.seller_id) == (order.number, SAM)
        assert (mine.carrier, mine.tracking_number) == ("DHL", "1Z")
        assert (mine.status, mine.delivered_at) == (ShipmentStatus.SHIPPED, None)
        assert mine.items == {"SA": 2, "SB": 1}
        told = [
            one["data"]
            for one in await s.events("orders")
            if one["type"] == "orders.order_shipped.v1"
        ]
        assert [one["shipment_id"] for one in told] == [
            str(one.id) for one in order.shipments
        ]
        assert [one["complete"] for one in told] == [False, False, True]
        left = await s.rows("inventory", "SELECT sku, on_hand FROM stock ORDER BY sku")
        assert [tuple(row.values()) for row in left] == [
            *(("MA", 8), ("SA", 7), ("SB", 8), ("TA", 8))
        ]


async def test_pieces_of_the_oldest_shipment_arrive_first(shop: Any) -> None:
    async with stalls(shop, SA=9, SB=9) as s:
        order_id = await bought(s, SA=3, SB=1)
        await move(s, order_id, S.SHIPPED, SA=1, SB=1)
        await move(s, order_id, S.SHIPPED, SA=2)
        await move(s, order_id, S.DELIVERED, SA=2)
        under_way = [one.items for one in await shipments(s, status=_SHIPPED)]
        assert under_way == [{"SA": 1, "SB": 1}, {"SA": 2}]
        await move(s, order_id, S.DELIVERED, SB=1)
        assert [one.items for one in await shipments(s, status=_DELIVERED)] == [
            {"SA": 1, "SB": 1}
        ]
        await move(s, order_id, S.DELIVERED)
        statuses = [one.status for one in await shipments(s)]
        assert statuses == [_DELIVERED, _DELIVERED]


async def test_the_oldest_of_each_seller_arrives_once_by_its_key(shop: Any) -> None:
    async with stalls(shop, shards=2, SA=9, TA=9) as s:
        orders = [await bought(s, **{sku: 1}) for sku in ("SA", "SA", "TA", "SA")]
        for order_id in orders:
            await move(s, order_id, S.SHIPPED)
        assert [one.order_id for one in await shipments(s)] == [
            *(orders[0], orders[1], orders[3])
        ]
        key = new_id()
        done = await deliver(s, id_=key)
        assert [(it.seller_id, it.order_id) for it in done.items] == [
            (SAM, orders[0]),
            (SUE, orders[2]),
        ]
        assert await deliver(s, id_=key) == done
        (only,) = (await deliver(s, sellers_max=1)).items
        assert only.order_id == orders[1]
        assert (await seen(s, orders[0])).status is S.DELIVERED
        arrived = await shipments(s, status=_DELIVERED)
        assert [one.order_id for one in arrived] == orders[:2]
        assert [one.delivered_at is not None for one in await shipments(s)] == [
            *(True, True, False)
        ]
        assert len((await deliver(s)).items) == 1
        assert (await deliver(s)).items == ()
        assert sums(await dashboard(s)) == (0, 0, 0)


async def test_two_at_once_deliver_no_shipment_twice(shop: Any) -> None:
    async with stalls(shop, shards=2, SA=9, TA=9) as s:
        for sku in ("SA", "TA"):
            await move(s, await bought(s, **{sku: 1}), S.SHIPPED)
        answers = await asyncio.gather(*(deliver(s) for _ in range(6)))
        taken = [one.shipment_id for answer in answers for one in answer.items]
        assert len(taken) == len(set(taken)) == 2
        told = [one["type"] for one in await s.events("orders")]
        assert told.count("orders.order_delivered.v1") == 2


async def test_the_rest_of_a_shipment_that_came_in_part_arrives(shop: Any) -> None:
    async with stalls(shop, SA=9, SB=9) as s:
        order_id = await bought(s, SA=2, SB=1)
        await move(s, order_id, S.SHIPPED)
        await move(s, order_id, S.DELIVERED, SA=1)
        assert len((await deliver(s)).items) == 1
        order = await seen(s, order_id)
        assert [(one.sku, one.delivered) for one in order.items] == [
            *(("SA", 2), ("SB", 1))
        ]
        assert order.status is S.DELIVERED


async def test_orders_from_before_are_counted_and_split(shop: Any) -> None:
    async with stalls(shop, SA=9, SB=9, TA=9) as s:
        shipped = await bought(s, SA=2, TA=1)
        await move(s, shipped, S.SHIPPED)
        await move(s, shipped, S.DELIVERED, SA=2)
        await bought(s, SB=1)
        gone = await bought(s, SA=1)
        await s.ask(CancelOrder(order_id=gone, viewer=ADMIN))
        wanted = [sums(await dashboard(s, who)) for who in (SAM, SUE)]
        parts = (await seen(s, shipped)).shipments
        await s.rows(
            "orders",
            """UPDATE orders SET shipments = jsonb_build_array(jsonb_build_object(
                 'id', shipments->0->'id', 'carrier', 'DHL', 'tracking_number', '1Z',
                 'items', '{"SA": 2, "TA": 1}'::jsonb,
                 'created_at', shipments->0->'created_at')) WHERE id = $1""",
            shipped,
        )
        for statement in UNDO:
            await s.rows("orders", statement)
        await migrate("orders", s.urls["orders"])
        await forget(s, "SELECT 1")
        assert [sums(await dashboard(s, who)) for who in (SAM, SUE)] == wanted
        after = (await seen(s, shipped)).shipments
        assert [(it.id, it.items, it.parcel_id) for it in after] == [
            (it.id, it.items, it.parcel_id) for it in parts
        ]
        assert [it.delivered_at is None for it in after] == [False, True]
        assert [one.id for one in (await shipments(s, SUE))] == [parts[1].id]
        assert [one.order_id for one in (await deliver(s)).items] == [shipped]


@pytest.mark.full
async def test_whoever_is_killed_while_delivering_delivers_each_once(shop: Any) -> None:
    async with stalls(shop, SA=9, TA=9) as s:
        for at, after in product((1, 2, 3), (False, True)):
            for sku in ("SA", "TA"):
                await move(s, await bought(s, **{sku: 1}), S.SHIPPED)
            key = new_id()
            doom = Doom(s.shard("orders"), at, after=after)
            asked = asyncio.create_task(deliver(s, id_=key))
            await doom.reached.wait()
            await s.kill("orders")
            await s.restart("orders")
            await asyncio.gather(asked, return_exceptions=True)
            done = await deliver(s, id_=key)
            assert {one.seller_id for one in done.items} == {SAM, SUE}, (at, after)
            assert await shipments(s, status=_SHIPPED) == []
        told = [one["type"] for one in await s.events("orders")]
        assert told.count("orders.order_delivered.v1") == 12


_SHIPPED, _DELIVERED = ShipmentStatus.SHIPPED, ShipmentStatus.DELIVERED
