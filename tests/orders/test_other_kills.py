"""The same for paying again, for a merge over two owners, and for a mailed link."""

import asyncio
import hashlib
import json
from base64 import b64encode

import pytest

from bus.kit.addressing import new_id
from bus.orders import AddToCart, MergeCart, OrderStatus, PayOrder, PlaceOrder, Viewer
from bus.orders.steps import SendOrderLink
from bus.payments import AttemptStatus
from tests.orders.fakes import ADDRESS, FakeMessaging, FakePayments, order_of, people
from tests.orders.support import (
    cart_of,
    come_due,
    eventually,
    forget,
    reasons,
    seen,
    selling,
)
from tests.orders.test_kills import COMMITS_MAX, Doom, kill_when_reached

pytestmark = pytest.mark.full
AGED = """UPDATE orders SET created_at = created_at - interval '11 minutes'
          WHERE id = $1"""
BOTH = [pytest.param(False, id="before"), pytest.param(True, id="after")]


LAST = {
    "tok_visa": "paid",
    "tok_declined": "payment-declined",
    "tok_pending": "payment-pending",
}


async def left_before(s, buyer):
    """An order whose payer has left the open attempt."""
    placed = await s.ask(order_of(buyer, ("A", 1), token="tok_pending"))
    look = "DELETE FROM due WHERE name = $1"
    await s.rows("orders", look, f"look:{placed.order_id}")
    await forget(s, AGED, placed.order_id)
    return placed.order_id


async def declined_before(s, buyer):
    """An order whose first attempt was declined later."""
    placed = await s.ask(order_of(buyer, ("A", 1), token="tok_pending"))
    FakePayments.settles[placed.order_id] = AttemptStatus.DECLINED
    await come_due(s, f"look:{placed.order_id}")

    async def told() -> bool:
        return (await seen(s, placed.order_id)).payment.status == "DECLINED"

    await eventually(told)
    del FakePayments.settles[placed.order_id]
    return placed.order_id


async def walk(s, after, make, act, check, shards=1) -> None:
    """Kill at the first commit of `act`, then at the second, until it ends alive."""
    for at in range(1, COMMITS_MAX):
        made = await make()
        doom = Doom(at, after)
        for number in range(shards):
            doom.watch(s.shard("orders", number))
        killer = asyncio.create_task(kill_when_reached(s, doom))
        await act(made)
        await check(made)
        if not doom.reached.is_set():
            killer.cancel()
            break
        await killer
    assert 3 <= at < COMMITS_MAX, "the walk ended too early, or never"


async def nothing_runs(s) -> None:
    async def ended() -> bool:
        sql = "SELECT command_id FROM handled WHERE state < 2"
        return await s.rows("orders", sql) == []

    await eventually(ended, 30.0)


@pytest.mark.parametrize("after", BOTH)
@pytest.mark.parametrize(
    ("token", "ends", "left"),
    [
        ("tok_visa", "CONFIRMED", False),
        ("tok_visa", "CONFIRMED", True),
        ("tok_declined", "PENDING", False),
        ("tok_pending", "PENDING", False),
    ],
)
async def test_a_second_payment_survives_a_kill_between_any_two_steps(
    shop, token, ends, left, after
) -> None:
    async with selling(shop, A=500) as s:
        buyer = new_id()

        async def make():
            return await (left_before if left else declined_before)(s, buyer)

        async def act(order_id) -> None:
            wish = PayOrder(
                order_id=order_id,
                viewer=Viewer(user_id=buyer),
                method="CREDIT_CARD",
                token=token,
            )
            command_id = new_id(order_id)
            paid = await s.ask(wish, id=command_id, timeout_seconds=25.0, join=True)
            assert paid.status == ends

        async def check(order_id) -> None:
            await nothing_runs(s)
            paid = ends == "CONFIRMED"
            sql = "SELECT state FROM holds WHERE order_id = $1"
            held = await s.rows("inventory", sql, order_id)
            assert held == [{"state": "COMMITTED" if paid else "HELD"}]
            taken = [n for order, n in FakePayments.taken if order == order_id]
            assert taken == ([2] if paid else [])
            tried = [n for order, n in FakePayments.attempts if order == order_id]
            assert tried == [1, 2]
            told = (await reasons(s, order_id))[2 if left else 3 :]
            assert told == ["payment-begun", LAST[token]]

        await walk(s, after, make, act, check)


@pytest.mark.parametrize("after", BOTH)
@pytest.mark.parametrize("ends", [AttemptStatus.DECLINED, AttemptStatus.SUCCEEDED])
async def test_an_order_that_expires_survives_a_kill_between_any_two_steps(
    shop, ends, after
) -> None:
    async with selling(shop, A=500) as s:

        async def make():
            placed = await s.ask(order_of(new_id(), ("A", 1), token="tok_pending"))
            look = "DELETE FROM due WHERE name = $1"
            await s.rows("orders", look, f"look:{placed.order_id}")
            FakePayments.settles[placed.order_id] = ends
            return placed.order_id

        async def act(order_id) -> None:
            await come_due(s, f"expire:{order_id}")

            async def ended() -> bool:
                return (await seen(s, order_id)).status is not OrderStatus.PENDING

            await eventually(ended, 30.0)

        async def check(order_id) -> None:
            await nothing_runs(s)
            paid = ends is AttemptStatus.SUCCEEDED
            sql = "SELECT state FROM holds WHERE order_id = $1"

            async def settled() -> bool:
                held = await s.rows("inventory", sql, order_id)
                return held == [{"state": "COMMITTED" if paid else "RELEASED"}]

            await eventually(settled, 30.0)
            assert (await reasons(s, order_id))[2:] == ["paid" if paid else "expired"]
            taken = [n for order, n in FakePayments.taken if order == order_id]
            assert taken == ([1] if paid else [])
            assert order_id not in FakePayments.refunded.values()

        await walk(s, after, make, act, check)


@pytest.mark.parametrize("after", BOTH)
async def test_a_merge_survives_a_kill_of_either_owner(shop, after) -> None:
    async with selling(shop, shards=3, A=500, B=500) as s:

        async def make():
            person = new_id()
            token = hashlib.sha256(person.bytes).hexdigest()
            for buyer, sku in ((token, "A"), (token, "B"), (person, "A")):
                await s.ask(AddToCart(buyer=str(buyer), sku=sku, quantity=2))
            return person, token

        async def act(made) -> None:
            person, token = made
            merge = MergeCart(buyer=str(person), guest=token)
            command_id = new_id(person)
            await s.ask(merge, id=command_id, timeout_seconds=25.0, join=True)

        async def check(made) -> None:
            person, token = made
            await nothing_runs(s)
            assert await cart_of(s, person) == {"A": 4, "B": 2}
            assert await cart_of(s, token) == {}
            sql = "SELECT given FROM carts WHERE buyer = $1"
            assert await s.rows("orders", sql, token) == [{"given": None}]

        await walk(s, after, make, act, check, shards=3)


@pytest.mark.parametrize("after", BOTH)
async def test_a_link_is_mailed_though_its_owner_dies(shop, after) -> None:
    async with selling(shop, known=people(), A=500) as s:

        async def make():
            buyer = new_id().hex
            placed = await s.ask(
                PlaceOrder(
                    buyer=buyer,
                    user_id=None,
                    shipping_address=ADDRESS,
                    method="CREDIT_CARD",
                    token="tok_visa",
                    items=order_of(new_id(), ("A", 1)).items,
                    email="gus@example.com",
                )
            )
            assert placed.status is OrderStatus.CONFIRMED
            await nothing_runs(s)
            return placed.order_id

        async def act(order_id) -> None:
            link = SendOrderLink(order_id=order_id)
            await s.ask(link, id=new_id(order_id), timeout_seconds=25.0, join=True)

        async def check(order_id) -> None:
            await nothing_runs(s)
            number = (await seen(s, order_id)).number
            mails = FakeMessaging.mails.values()
            tokens = {
                m.data["link"].partition("=")[2].encode()
                for m in mails
                if m.data["number"] == number
            }
            (row,) = await s.rows(
                "orders", "SELECT links FROM orders WHERE id = $1", order_id
            )
            hashes = {link["token_hash"] for link in json.loads(row["links"])}
            assert tokens
            made = (hashlib.sha256(token).digest() for token in tokens)
            assert {b64encode(one).decode() for one in made} <= hashes

        await walk(s, after, make, act, check)
