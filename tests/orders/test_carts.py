"""Carts: nothing that was put in is lost, nothing is bought twice, all ends."""

import asyncio
from datetime import timedelta
from functools import partial
from hashlib import sha256

import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    AddToCart,
    ClearCart,
    GetCart,
    MergeCart,
    OrderLine,
    OrderStatus,
    PlaceOrder,
    RemoveFromCart,
    SetCartLine,
)
from bus.orders.steps import Accept
from tests.kit.local import local_shop
from tests.orders.fakes import ADDRESS, FakePayments, FakeProducts
from tests.orders.support import (
    cart_of,
    come_due,
    eventually,
    forget,
    refused,
    selling,
)

WRITERS = 50


@pytest.fixture(scope="module", params=[1, 3])
async def s(databases, request):
    """A shop of one shard a domain, and one of three."""
    stock = dict.fromkeys("ABCD", 5000)
    make = partial(local_shop, databases)
    async with selling(make, shards=request.param, **stock) as shop:
        yield shop


def guest() -> str:
    """The id of a guest's cart that is new."""
    return sha256(new_id().bytes).hexdigest()


async def put(s, buyer, sku, quantity=1):
    return await s.ask(AddToCart(buyer=str(buyer), sku=sku, quantity=quantity))


async def test_a_cart_keeps_both_lines_when_two_tabs_write(s) -> None:
    for buyer in (new_id(), guest()):
        await asyncio.gather(put(s, buyer, "A", 2), put(s, buyer, "B", 3))
        assert await cart_of(s, buyer) == {"A": 2, "B": 3}


async def test_fifty_writers_leave_exactly_their_effects(s) -> None:
    buyer = new_id()
    await put(s, buyer, "D", 7)
    ends = await asyncio.gather(
        *(put(s, buyer, "ABC"[n % 3], 1 + n % 2) for n in range(WRITERS)),
        s.ask(RemoveFromCart(buyer=str(buyer), sku="D")),
    )
    wanted = {"A": 0, "B": 0, "C": 0}
    for n in range(WRITERS):
        wanted["ABC"[n % 3]] += 1 + n % 2
    assert await cart_of(s, buyer) == wanted
    assert sorted(end.version for end in ends) == list(range(2, WRITERS + 3))


async def test_a_line_is_set_removed_and_bounded(s) -> None:
    buyer = str(new_id())
    set_line = partial(SetCartLine, buyer=buyer, sku="A")
    assert await refused(s.ask(set_line(quantity=0))) == "quantity-out-of-range"
    assert await refused(s.ask(set_line(quantity=1000))) == "quantity-out-of-range"
    assert await refused(put(s, buyer, "X1")) == "not-found"
    assert await cart_of(s, buyer) == {}
    await s.ask(set_line(quantity=QUANTITY_MAX))
    assert await refused(put(s, buyer, "A")) == "quantity-out-of-range"
    view = await s.ask(set_line(quantity=2))
    assert (view.items[0].total.amount, view.total.amount) == (2000, 2000)
    await s.ask(ClearCart(buyer=buyer))
    assert await cart_of(s, buyer) == {}


async def test_a_line_says_what_changed_since_it_was_shown(s) -> None:
    buyer = new_id()
    await s.ask(AdjustStock(sku="FEW", on_hand=2, reason="count"))
    await put(s, buyer, "FEW", 3)
    await put(s, buyer, "NONE", 1)
    await put(s, buyer, "P", 1)
    FakeProducts.prices["P"] = 900
    FakeProducts.gone.add("NONE")
    try:
        view = await s.ask(GetCart(buyer=str(buyer)))
    finally:
        FakeProducts.prices.clear()
        FakeProducts.gone.clear()
    few, none, p = view.items
    assert (few.warnings, few.available, few.current_price) == (
        ("short-stock",),
        2,
        None,
    )
    assert (none.warnings, none.available) == (("unavailable",), None)
    assert p.warnings == ("price-changed", "out-of-stock")
    assert (p.unit_price.amount, p.current_price.amount) == (1000, 900)
    assert view.total.amount == 5000


# --- merge -------------------------------------------------------------------


def merging(person, token) -> MergeCart:
    return MergeCart(buyer=str(person), guest=token)


async def test_a_guests_lines_are_added_once_under_twenty_logins(s) -> None:
    person, token = new_id(), guest()
    await put(s, token, "A", 2)
    await put(s, token, "B", 1)
    await put(s, person, "A", 3)
    await asyncio.gather(*(s.ask(merging(person, token)) for _ in range(20)))
    assert await cart_of(s, person) == {"A": 5, "B": 1}
    assert await cart_of(s, token) == {}
    rows = await s.rows(
        "orders", "SELECT state, given FROM carts WHERE buyer = $1", token
    )
    assert rows == [{"state": "MERGED", "given": None}]


async def test_of_twenty_persons_one_gets_a_guests_lines(s) -> None:
    people, token = [new_id() for _ in range(20)], guest()
    await put(s, token, "A", 2)
    ends = await asyncio.gather(
        *(s.ask(merging(person, token)) for person in people), return_exceptions=True
    )
    assert sum(not isinstance(end, Exception) for end in ends) == 1
    assert {end.code for end in ends if isinstance(end, Refusal)} == {"not-found"}
    carts = [await cart_of(s, person) for person in people]
    assert sorted(carts, key=len) == [*[{}] * 19, {"A": 2}]


async def test_what_a_merge_cannot_take_is_named(s) -> None:
    person, token = new_id(), guest()
    await s.ask(AdjustStock(sku="FIVE", on_hand=5, reason="count"))
    await put(s, token, "FIVE", 4)
    await put(s, token, "GONE", 1)
    await put(s, person, "FIVE", 3)
    view = await s.ask(merging(person, token))
    assert [(line.sku, line.quantity, line.warnings) for line in view.items] == [
        ("FIVE", 5, ("quantity-capped",))
    ]
    assert [(one.sku, one.code, one.quantity) for one in view.warnings] == [
        ("FIVE", "quantity-capped", 2),
        ("GONE", "out-of-stock", 1),
    ]


async def test_a_full_cart_says_which_lines_it_has_no_room_for(s) -> None:
    person, token = new_id(), guest()
    for n in range(LINES_MAX):
        await put(s, person, f"L{n}")
    await put(s, token, "A")
    assert await refused(put(s, person, "A")) == "too-many-lines"
    view = await s.ask(merging(person, token))
    assert len(view.items) == LINES_MAX
    assert [(one.sku, one.code, one.quantity) for one in view.warnings] == [
        ("A", "too-many-lines", 1)
    ]


async def test_what_is_put_in_after_a_merge_is_a_cart_of_its_own(s) -> None:
    ada, bob, token = new_id(), new_id(), guest()
    await put(s, token, "A", 2)
    await s.ask(merging(ada, token))
    assert await refused(s.ask(merging(bob, token))) == "not-found"
    await put(s, token, "B", 1)
    assert await cart_of(s, token) == {"B": 1}
    await s.ask(merging(ada, token))
    assert await cart_of(s, ada) == {"A": 2, "B": 1}
    await put(s, token, "C", 1)
    await s.ask(merging(bob, token))
    assert await cart_of(s, bob) == {"C": 1}
    assert await refused(s.ask(merging(ada, token))) == "not-found"


async def test_a_cart_that_is_being_ordered_is_not_merged_away(s) -> None:
    person, token = new_id(), guest()
    await put(s, token, "A", 2)
    await forget(s, "UPDATE carts SET ordering = $2 WHERE buyer = $1", token, new_id())
    assert await refused(s.ask(merging(person, token))) == "checkout-in-progress"
    assert await cart_of(s, token) == {"A": 2}


# --- checkout ----------------------------------------------------------------


def wish(buyer) -> PlaceOrder:
    """To buy the cart."""
    return PlaceOrder(
        buyer=str(buyer),
        user_id=buyer,
        shipping_address=ADDRESS,
        method="CREDIT_CARD",
        token="tok_visa",
    )


async def test_what_is_put_in_while_the_cart_is_bought_stays_in_it(s) -> None:
    buyer = new_id()
    await put(s, buyer, "A", 2)
    FakePayments.delay_seconds = 0.2
    buying = asyncio.create_task(s.ask(wish(buyer)))
    await asyncio.sleep(0.1)
    await put(s, buyer, "A", 1)
    await put(s, buyer, "B", 1)
    assert await refused(s.ask(wish(buyer))) == "checkout-in-progress"
    FakePayments.delay_seconds = 0.0
    assert (await buying).status is OrderStatus.CONFIRMED
    assert await cart_of(s, buyer) == {"A": 1, "B": 1}


async def test_a_cart_that_changed_since_it_was_priced_is_not_bought(s) -> None:
    buyer = new_id()
    await put(s, buyer, "A", 2)
    view = await s.ask(GetCart(buyer=str(buyer)))
    line = view.items[0]
    bought = OrderLine(
        sku="A",
        product_id=new_id(),
        name=line.name,
        options={},
        quantity=2,
        unit_price=line.unit_price,
        total=line.total,
        status=OrderStatus.PENDING,
    )
    await put(s, buyer, "A", 1)
    order_id = new_id(buyer)
    accept = Accept(
        order_id=order_id, request=wish(buyer), lines=(bought,), from_cart=True
    )
    assert await refused(s.ask(accept)) == "cart-changed"
    made = await s.rows("orders", "SELECT id FROM orders WHERE id = $1", order_id)
    assert made == []
    assert await cart_of(s, buyer) == {"A": 3}


# --- expiry ------------------------------------------------------------------

AGED = "UPDATE carts SET updated_at = updated_at - $2::interval WHERE buyer = $1"


async def days_left(s, buyer) -> list[int]:
    """In how many days a cart is looked at again; empty: never."""
    sql = """SELECT round(extract(epoch FROM at - now()) / 86400)::int AS days
             FROM due WHERE name = $1"""
    return [row["days"] for row in await s.rows("orders", sql, f"cart:{buyer}")]


@pytest.mark.parametrize(("of_a_guest", "days"), [(True, 30), (False, 180)])
async def test_a_cart_that_nobody_touches_goes(s, of_a_guest, days) -> None:
    buyer = guest() if of_a_guest else str(new_id())
    await put(s, buyer, "A")
    await put(s, buyer, "B")
    assert await days_left(s, buyer) == [days]
    await forget(s, AGED, buyer, timedelta(days=days - 1))
    await come_due(s, f"cart:{buyer}")

    async def put_off() -> bool:
        return await days_left(s, buyer) == [1]

    await eventually(put_off)
    assert await cart_of(s, buyer) == {"A": 1, "B": 1}
    await forget(s, AGED, buyer, timedelta(days=1))
    await come_due(s, f"cart:{buyer}")

    async def gone() -> bool:
        return await days_left(s, buyer) == []

    await eventually(gone)
    assert await cart_of(s, buyer) == {}
    assert (await put(s, buyer, "C")).version == 1
