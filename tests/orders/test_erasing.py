"""A buyer who is gone leaves orders without a person, whatever was under way."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from actors.orders.erasing import LOOKS_MAX
from bus.kit.addressing import new_id
from bus.orders import AdvanceOrder, GetCart, OrderStatus, Viewer
from bus.orders.erasing import EraseBuyer
from bus.users import UserErased
from tests.orders.fakes import ADDRESS, FakePayments, order_of
from tests.orders.support import (
    available,
    come_due,
    eventually,
    reasons,
    refused,
    seen,
    selling,
)
from tests.orders.test_carts import put
from tests.orders.test_kills import COMMITS_MAX, Doom, kill_when_reached

S = OrderStatus


async def erase(s: Any, user_id: UUID, event_id: UUID | None = None) -> None:
    """The fact that a person is gone, as the bridge hands it over."""
    await s.ask(
        UserErased(user_id=user_id), id=event_id or new_id(), domain="orders", join=True
    )


async def look_again(s: Any, user_id: UUID) -> None:
    """Let the next look come now, and wait until it has begun."""
    (before,) = await due(s, user_id)
    await come_due(s, f"erase:{user_id}")

    async def over() -> bool:
        return await due(s, user_id) != [before]

    await eventually(over)


async def due(s: Any, user_id: UUID) -> list[UUID]:
    sql = "SELECT id FROM due WHERE name = $1"
    return [row["id"] for row in await s.rows("orders", sql, f"erase:{user_id}")]


async def advance(s: Any, order_id: UUID, status: OrderStatus, **items: int) -> None:
    await s.ask(
        AdvanceOrder(
            order_id=order_id,
            viewer=Viewer(user_id=new_id(), role="ADMIN"),
            status=status,
            items=items or None,
            carrier="DHL",
            tracking_number="1Z",
        )
    )


async def test_open_orders_are_cancelled_and_no_new_one_is_taken(shop: Any) -> None:
    async with selling(shop, A=5) as s:
        user_id, event_id = new_id(), new_id()
        other = (await s.ask(order_of(user_id, ("A", 1)))).order
        made = (await s.ask(order_of(user_id, ("A", 2)))).order
        await put(s, str(user_id), "A")
        await erase(s, user_id, event_id)
        await erase(s, user_id, event_id)
        after = await seen(s, made.id)
        assert after.status is S.CANCELLED
        assert after.totals == made.totals
        assert [line.quantity for line in after.items] == [2]
        assert after.shipping_address.name == "[erased]"
        assert after.shipping_address.line1 == after.shipping_address.city == ""
        assert after.shipping_address.country == ADDRESS.country
        assert await available(s, "A") == 5
        assert (await seen(s, other.id)).status is S.CANCELLED
        assert sorted(FakePayments.refunded.values()) == [other.id, made.id]
        assert (await reasons(s, made.id))[-2:] == ["paid", "account-erased"]
        assert (await s.ask(GetCart(buyer=str(user_id)))).items == ()
        assert await refused(s.ask(order_of(user_id, ("A", 1)))) == "not-found"
        assert await available(s, "A") == 5
        await put(s, str(user_id), "A")
        await look_again(s, user_id)
        assert (await s.ask(GetCart(buyer=str(user_id)))).items == ()
        assert await due(s, user_id) == []


async def test_what_has_shipped_in_part_keeps_its_address_until_the_rest_has(
    shop: Any,
) -> None:
    async with selling(shop, A=5, B=5) as s:
        user_id = new_id()
        made = (await s.ask(order_of(user_id, ("A", 1), ("B", 1)))).order
        await advance(s, made.id, S.PROCESSING)
        await advance(s, made.id, S.SHIPPED, A=1)
        await erase(s, user_id)
        assert (await seen(s, made.id)).shipping_address == ADDRESS
        await look_again(s, user_id)
        assert (await seen(s, made.id)).shipping_address == ADDRESS
        await advance(s, made.id, S.SHIPPED, B=1)
        await look_again(s, user_id)
        after = await seen(s, made.id)
        assert (after.status, after.shipping_address.name) == (S.SHIPPED, "[erased]")
        assert await due(s, user_id) == []
        await advance(s, made.id, S.DELIVERED)
        assert (await seen(s, made.id)).status is S.DELIVERED


async def test_nothing_waits_past_the_last_look(shop: Any) -> None:
    async with selling(shop, A=5, B=5) as s:
        user_id = new_id()
        made = (await s.ask(order_of(user_id, ("A", 1), ("B", 1)))).order
        await advance(s, made.id, S.PROCESSING)
        await advance(s, made.id, S.SHIPPED, A=1)
        await s.ask(EraseBuyer(user_id=user_id, look=LOOKS_MAX))
        after = await seen(s, made.id)
        assert after.shipping_address.name == "[erased]"
        assert after.status is S.PROCESSING
        assert await due(s, user_id) == []


async def test_an_order_that_is_being_placed_is_cancelled_when_it_stands(
    shop: Any,
) -> None:
    async with selling(shop, A=5) as s:
        FakePayments.delay_seconds = 1.0
        user_id = new_id()
        placing = asyncio.create_task(s.ask(order_of(user_id, ("A", 2))))

        async def accepted() -> bool:
            return bool(await s.rows("orders", "SELECT id FROM orders"))

        await eventually(accepted)
        await erase(s, user_id)
        placed = await placing
        assert placed.order.shipping_address.name == "[erased]"
        await look_again(s, user_id)

        async def cancelled() -> bool:
            return (await seen(s, placed.order_id)).status is S.CANCELLED

        await eventually(cancelled)
        assert await available(s, "A") == 5


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_kill_at_any_commit_leaves_nobody_half_erased(
    shop: Any, after: bool
) -> None:
    async with selling(shop, A=500) as s:
        for at in range(1, COMMITS_MAX):
            user_id, event_id = new_id(), new_id()
            made = (await s.ask(order_of(user_id, ("A", 1)))).order
            doom = Doom(at, after)
            doom.watch(s.shard("orders"))
            killing = asyncio.create_task(kill_when_reached(s, doom))
            await erase(s, user_id, event_id)

            async def gone(order_id: UUID = made.id) -> bool:
                order = await seen(s, order_id)
                return (order.status, order.shipping_address.name) == (
                    S.CANCELLED,
                    "[erased]",
                )

            await eventually(gone, 20)
            assert (await seen(s, made.id)).totals == made.totals
            if not killing.done() and not doom.reached.is_set():
                killing.cancel()
                assert at > 3
                return
            await killing
        raise AssertionError("the walk has no end")
