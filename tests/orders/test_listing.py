"""Orders are listed to whom they concern, and each list is read by an index."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.orders import GetTimeline, GetTimelineAfter, ListOrders, OrderStatus, Viewer
from tests.orders.fakes import order_of
from tests.orders.support import ADMIN, forget, selling

CONFIRMED, CANCELLED = OrderStatus.CONFIRMED, OrderStatus.CANCELLED
SOLD_BY = "UPDATE order_lines SET seller_id = $1 WHERE order_id = ANY($2)"
ENDED = "UPDATE orders SET status = 'CANCELLED' WHERE id = $1"


async def _listed(s: Any, viewer: Viewer, **wish: Any) -> list[UUID]:
    """The ids of all pages, two orders a page."""
    found: list[UUID] = []
    cursor = None
    while True:
        page = await s.ask(ListOrders(viewer=viewer, limit=2, cursor=cursor, **wish))
        found += [one.id for one in page.items]
        if page.next_cursor is None:
            return found
        cursor = page.next_cursor


async def _bought(s: Any, buyer: UUID) -> UUID:
    placed = await s.ask(order_of(buyer, ("A", 1)))
    order_id: UUID = placed.order_id
    return order_id


async def test_a_list_has_what_concerns_its_reader_newest_first(shop: Any) -> None:
    person, seller = new_id(), new_id()
    buyer, merchant = (
        Viewer(user_id=person, role="CUSTOMER"),
        Viewer(user_id=seller, role="SELLER"),
    )
    async with selling(shop, A=50) as s:
        own = [await _bought(s, person) for _ in range(3)]
        sold = [await _bought(s, new_id()) for _ in range(3)]
        bought = await _bought(s, seller)
        await forget(s, SOLD_BY, seller, [*sold, own[0]])
        await forget(s, ENDED, sold[1])
        newest = [bought, *reversed(sold), *reversed(own)]
        assert await _listed(s, ADMIN) == newest
        assert await _listed(s, buyer) == own[::-1]
        assert await _listed(s, ADMIN, user_id=person) == own[::-1]
        assert await _listed(s, merchant) == [bought, *reversed(sold), own[0]]
        assert await _listed(s, merchant, status=CANCELLED) == [sold[1]]
        going = [bought, sold[2], sold[0], own[0]]
        assert await _listed(s, merchant, status=CONFIRMED) == going
        assert await _listed(s, ADMIN, status=CANCELLED) == [sold[1]]
        assert await _listed(s, buyer, status=CANCELLED) == []


@pytest.mark.parametrize("ago_days", [0, 40])
async def test_a_timeline_is_whole_on_whatever_days_it_was_written(
    shop: Any, ago_days: int
) -> None:
    ago = timedelta(days=ago_days)
    async with selling(shop, A=5) as s:
        placed = await _bought(s, new_id())
        change = "created_at = created_at - $2::interval WHERE id = $1"
        await forget(s, f"UPDATE orders SET {change}", placed, ago)
        change = "day = day - $2::int WHERE order_id = $1 AND version = 1"
        await forget(s, f"UPDATE timeline SET {change}", placed, ago_days)
        told = await s.ask(GetTimeline(order_id=placed, viewer=ADMIN))
        assert [entry.version for entry in told.items] == [1, 2]
        later = await s.ask(
            GetTimelineAfter(order_id=placed, viewer=ADMIN, after=0, limit=5)
        )
        assert later.items == told.items
