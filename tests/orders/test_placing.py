"""The way of an order: paid and confirmed, or undone without a trace."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from bus.inventory import AdjustStock, GetStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.values import Money
from bus.orders import (
    AddToCart,
    CancelOrder,
    GetCart,
    GetOrder,
    OrderStatus,
    PlaceOrder,
    Viewer,
    WantedLine,
)
from bus.payments import AttemptStatus
from tests.orders.fakes import ADDRESS, FakePayments, FakeProducts, order_of, reset

DOMAINS = ("orders", "inventory", "products", "payments")
ADMIN = Viewer(role="ADMIN")


@pytest.fixture
def selling(shop):
    """A shop whose products and payments are fakes, with stock of some SKUs."""

    @asynccontextmanager
    async def make(*, shards=1, **stock):
        async with shop(*DOMAINS, shards=shards, fakes=reset()) as s:
            for sku, pieces in stock.items():
                await s.ask(AdjustStock(sku=sku, on_hand=pieces, reason="count"))
            yield s

    return make


async def available(s, sku):
    return (await s.ask(GetStock(sku=sku))).available


async def eventually(check, seconds=8.0):
    """Wait for a condition that comes by itself."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await check():
        assert loop.time() < end, "it did not come to pass"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("shards", [1, 2, 3])
async def test_an_order_is_paid_and_its_stock_committed(selling, shards) -> None:
    async with selling(shards=shards, A=5, B=5, C=5) as s:
        placed = await s.ask(order_of(new_id(), ("A", 2), ("B", 1), ("C", 1)))
        assert placed.status is OrderStatus.CONFIRMED and placed.refusal is None
        order = await s.ask(GetOrder(order_id=placed.order_id, viewer=ADMIN))
        assert order.totals.grand.amount == 4000
        assert [await available(s, sku) for sku in "ABC"] == [3, 4, 4]
        assert FakePayments.taken == {(placed.order_id, 1): 4000}

        async def committed():
            rows = await s.rows("inventory", "SELECT state FROM holds")
            return {row["state"] for row in rows} == {"COMMITTED"}

        await eventually(committed)


async def test_a_declined_card_leaves_the_stock_free_and_the_cart_as_it_was(
    selling,
) -> None:
    async with selling(A=5) as s:
        buyer = new_id()
        await s.ask(AddToCart(buyer=str(buyer), sku="A", quantity=2))
        wish = PlaceOrder(
            buyer=str(buyer),
            user_id=buyer,
            shipping_address=ADDRESS,
            method="CREDIT_CARD",
            token="tok_declined",
        )
        command_id = new_id()
        placed = await s.ask(wish, id=command_id, body_hash=b"1" * 32)
        assert placed.status is OrderStatus.CANCELLED
        assert placed.refusal.code == "payment-declined"
        assert await available(s, "A") == 5
        cart = await s.ask(GetCart(buyer=str(buyer)))
        assert [(line.sku, line.quantity) for line in cart.items] == [("A", 2)]
        again = await s.ask(wish, id=command_id, body_hash=b"1" * 32)
        assert again == placed.remembered() and FakePayments.taken == {}
        with pytest.raises(Refusal) as reused:
            await s.ask(wish, id=command_id, body_hash=b"2" * 32)
        assert reused.value.code == "idempotency-key-reused"


@pytest.mark.parametrize("shards", [1, 3])
async def test_short_stock_names_the_lines_and_gives_the_rest_back(
    selling, shards
) -> None:
    async with selling(shards=shards, A=5, B=1, C=0, D=5) as s:
        placed = await s.ask(order_of(new_id(), ("A", 1), ("B", 2), ("C", 1), ("D", 1)))
        assert placed.refusal.code == "out-of-stock"
        named = {error.field for error in placed.refusal.errors}
        assert named <= {"B", "C"} and named
        assert [await available(s, sku) for sku in "ABCD"] == [5, 1, 0, 5]
        assert FakePayments.taken == {}


async def test_a_cart_becomes_one_order_however_often_it_is_ordered_at_once(
    selling,
) -> None:
    async with selling(A=50) as s:
        FakePayments.delay_seconds = 0.2
        buyer = new_id()
        await s.ask(AddToCart(buyer=str(buyer), sku="A", quantity=2))
        wish = PlaceOrder(
            buyer=str(buyer),
            user_id=buyer,
            shipping_address=ADDRESS,
            method="CREDIT_CARD",
            token="tok_visa",
        )
        ends = await asyncio.gather(
            *(s.ask(wish) for _ in range(8)), return_exceptions=True
        )
        placed = [end for end in ends if not isinstance(end, Exception)]
        assert len(placed) == 1
        assert {e.code for e in ends if isinstance(e, Refusal)} <= {
            "checkout-in-progress",
            "cart-empty",
        }
        assert (await s.ask(GetCart(buyer=str(buyer)))).items == ()
        assert await available(s, "A") == 48


async def test_the_same_command_waits_for_itself_or_is_told_that_it_runs(
    selling,
) -> None:
    async with selling(A=5) as s:
        FakePayments.delay_seconds = 0.3
        wish, command_id = order_of(new_id(), ("A", 1)), new_id()
        first = asyncio.create_task(s.ask(wish, id=command_id))
        await asyncio.sleep(0.1)
        with pytest.raises(Refusal) as running:
            await s.ask(wish, id=command_id)
        assert running.value.code == "request-in-progress"
        joined = await s.ask(wish, id=command_id, join=True)
        assert joined == await first and len(FakePayments.taken) == 1


async def test_a_payment_that_settles_later_confirms_the_order(selling) -> None:
    async with selling(A=5) as s:
        placed = await s.ask(order_of(new_id(), ("A", 1), token="tok_pending"))
        assert placed.status is OrderStatus.PENDING
        assert await available(s, "A") == 4
        FakePayments.settles[placed.order_id] = AttemptStatus.SUCCEEDED

        async def confirmed():
            order = await s.ask(GetOrder(order_id=placed.order_id, viewer=ADMIN))
            return order.status is OrderStatus.CONFIRMED

        await eventually(confirmed)
        assert (await s.rows("orders", "SELECT count(*) AS n FROM due"))[0]["n"] == 0


async def test_a_cancelled_order_gives_stock_and_money_back_once(selling) -> None:
    async with selling(A=5) as s:
        buyer = new_id()
        placed = await s.ask(order_of(buyer, ("A", 2)))
        cancel = CancelOrder(order_id=placed.order_id, viewer=Viewer(user_id=buyer))
        stranger = CancelOrder(
            order_id=placed.order_id, viewer=Viewer(user_id=new_id())
        )
        with pytest.raises(Refusal) as foreign:
            await s.ask(stranger)
        assert foreign.value.code == "not-found"
        ends = await asyncio.gather(
            *(s.ask(cancel) for _ in range(5)), return_exceptions=True
        )
        assert sum(not isinstance(end, Exception) for end in ends) == 1
        assert {e.code for e in ends if isinstance(e, Refusal)} <= {"not-cancellable"}
        assert await available(s, "A") == 5
        assert list(FakePayments.refunded.values()) == [placed.order_id]


async def test_a_price_that_rose_since_the_cart_showed_it_is_refused(selling) -> None:
    async with selling(A=5) as s:
        buyer = new_id()
        await s.ask(AddToCart(buyer=str(buyer), sku="A", quantity=1))
        FakeProducts.prices["A"] = 1500
        wish = PlaceOrder(
            buyer=str(buyer),
            user_id=buyer,
            shipping_address=ADDRESS,
            method="CREDIT_CARD",
            token="tok_visa",
        )
        with pytest.raises(Refusal) as risen:
            await s.ask(wish)
        assert risen.value.code == "price-changed"
        cart = await s.ask(GetCart(buyer=str(buyer)))
        assert cart.items[0].warnings == ("price-changed",)
        placed = await s.ask(replace(wish, accept_prices=True))
        assert placed.status is OrderStatus.CONFIRMED
        assert FakePayments.taken == {(placed.order_id, 1): 1500}


async def test_bad_lines_are_refused_and_nothing_is_made(selling) -> None:
    async with selling(A=5) as s:
        for lines, code in (
            ((("X1", 1),), "unknown-sku"),
            ((("A", 0),), "quantity-out-of-range"),
            ((("A", 10**9),), "quantity-out-of-range"),
        ):
            with pytest.raises(Refusal) as refused:
                await s.ask(order_of(new_id(), *lines))
            assert refused.value.code == code
        assert (await s.rows("orders", "SELECT count(*) AS n FROM orders"))[0]["n"] == 0
        assert await available(s, "A") == 5


async def test_a_price_that_was_shown_in_other_money_is_refused(selling) -> None:
    async with selling(A=5) as s:
        wish = seen(new_id(), Money(1000, "EUR"))
        assert await code_of(s.ask(wish)) == "currency-mismatch"
        assert await code_of(s.ask(replace(wish, accept_prices=True))) == (
            "currency-mismatch"
        )
        assert await s.rows("orders", "SELECT id FROM orders") == []
        assert await available(s, "A") == 5


@pytest.mark.parametrize("prices", [(999, None), (None, 999), (1000, 999), (999, 1000)])
async def test_a_risen_price_is_told_though_its_sku_comes_twice(
    selling, prices
) -> None:
    async with selling(A=5) as s:
        shown = [None if one is None else Money(one, "USD") for one in prices]
        wish = seen(new_id(), *shown)
        assert await code_of(s.ask(wish)) == "price-changed"
        placed = await s.ask(replace(wish, accept_prices=True))
        assert placed.status is OrderStatus.CONFIRMED
        assert await available(s, "A") == 3


def seen(buyer, *shown):
    """A wish for one piece of A by each price that was shown."""
    lines = (WantedLine(sku="A", quantity=1, seen_price=price) for price in shown)
    return replace(order_of(buyer), items=tuple(lines))


async def code_of(ask):
    with pytest.raises(Refusal) as no:
        await ask
    return no.value.code
