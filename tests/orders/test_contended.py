"""What others get wrong when two buy at once: the last piece, and crossed lines."""

import asyncio

import pytest

from bus.kit.addressing import new_id
from bus.orders import OrderStatus
from tests.orders.fakes import FakePayments, order_of
from tests.orders.support import available, selling

SKUS = "ABCDEF"
DEADLOCKS = """SELECT deadlocks FROM pg_stat_database
               WHERE datname = current_database()"""


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.full), 3])
async def test_the_last_piece_is_sold_once(shop, shards) -> None:
    async with selling(shop, shards=shards, A=1) as s:
        ends = await asyncio.gather(
            *(s.ask(order_of(new_id(), ("A", 1))) for _ in range(20))
        )
        sold = [end for end in ends if end.status is OrderStatus.CONFIRMED]
        assert len(sold) == 1
        refusals = {end.refusal.code for end in ends if end.refusal}
        assert refusals == {"out-of-stock"}
        assert FakePayments.taken == {(sold[0].order_id, 1): 1000}
        assert await available(s, "A") == 0


@pytest.mark.full
async def test_two_orders_with_lines_in_opposite_order_do_not_deadlock(shop) -> None:
    stock = dict.fromkeys(SKUS, 40)
    async with selling(shop, shards=3, **stock) as s:
        there = tuple((sku, 1) for sku in SKUS)
        back = there[::-1]
        ends = await asyncio.gather(
            *(s.ask(order_of(new_id(), *(there, back)[n % 2])) for n in range(40))
        )
        assert {end.status for end in ends} == {OrderStatus.CONFIRMED}
        assert [await available(s, sku) for sku in SKUS] == [0] * 6
        for domain in ("orders", "inventory"):
            assert await s.rows(domain, DEADLOCKS) == [{"deadlocks": 0}]


async def test_of_two_crossed_orders_for_the_last_pieces_one_gets_both(shop) -> None:
    async with selling(shop, shards=3, A=1, B=1, C=1) as s:
        ends = await asyncio.gather(
            s.ask(order_of(new_id(), ("A", 1), ("B", 1), ("C", 1))),
            s.ask(order_of(new_id(), ("C", 1), ("B", 1), ("A", 1))),
        )
        statuses = sorted(end.status for end in ends)
        assert statuses == [OrderStatus.CANCELLED, OrderStatus.CONFIRMED]
        assert [await available(s, sku) for sku in "ABC"] == [0, 0, 0]
