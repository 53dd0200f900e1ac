"""One cart, many writers: what each was answered is what the cart holds."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import (
    AddToCart,
    GetCart,
    MergeCart,
    OrderStatus,
    PlaceOrder,
    RemoveFromCart,
    SetCartLine,
)
from tests.contention.crowd import CLIENTS, Crowd, codes, done, each, seeds
from tests.contention.market import Market
from tests.orders.fakes import ADDRESS

SHARED = 5
LOGINS = 20


def guest_id() -> str:
    """The id of a new guest cart: the hash of a token that nobody needs."""
    return new_id().hex * 2


async def lines(market: Market, buyer: str) -> dict[str, int]:
    """The pieces in a cart by SKU."""
    cart = await market.ask(GetCart(buyer=buyer))
    return {line.sku: line.quantity for line in cart.items}


async def add(market: Market, buyer: str, sku: str, quantity: int) -> None:
    """Add pieces, by a client that sends everything twice."""
    message = AddToCart(buyer=buyer, sku=sku, quantity=quantity)
    command_id = new_id(buyer)
    await asyncio.gather(*(market.ask(message, id=command_id, join=True) for _ in "12"))


@seeds
async def test_fifty_writers_of_one_cart_leave_exactly_their_effects(
    market: Market, crowd: Crowd
) -> None:
    buyer = str(new_id())
    shared = [market.new_sku() for _ in range(SHARED)]
    own = [market.new_sku() for _ in range(CLIENTS // 5)]
    amounts = [crowd.rng.randint(1, 9) for _ in range(CLIENTS - len(own))]

    async def come_and_go(number: int) -> None:
        sku = own[number]
        await add(market, buyer, sku, 3)
        await crowd.pause()
        await market.ask(SetCartLine(buyer=buyer, sku=sku, quantity=number + 1))
        if number % 2:
            await crowd.pause()
            await market.ask(RemoveFromCart(buyer=buyer, sku=sku))

    clients: list[Any] = [
        lambda n=n, sku=shared[i % SHARED]: add(market, buyer, sku, n)
        for i, n in enumerate(amounts)
    ]
    clients += each(come_and_go, range(len(own)))
    assert codes(await crowd.at_once(clients)) == []
    expected = Counter({sku: n + 1 for n, sku in enumerate(own) if not n % 2})
    for i, n in enumerate(amounts):
        expected[shared[i % SHARED]] += n
    assert await lines(market, buyer) == dict(expected)
    cart = await market.ask(GetCart(buyer=buyer))
    removed = len(own) // 2
    assert cart.version == len(amounts) + 2 * len(own) + removed
    assert cart.total.amount == 1000 * sum(expected.values())
    await market.check()


@seeds
async def test_twenty_logins_of_one_person_merge_a_guest_cart_once(
    market: Market, crowd: Crowd
) -> None:
    a, b = await market.goods(500, 6)
    guest, person = guest_id(), str(new_id())
    await add(market, guest, a, 2)
    await add(market, guest, b, 5)
    await add(market, person, b, 4)
    merge = MergeCart(buyer=person, guest=guest)
    writers = CLIENTS - LOGINS
    clients: list[Any] = [lambda: market.ask(merge, id=new_id(person))] * LOGINS
    clients += [lambda: add(market, person, a, 1)] * writers
    assert codes(await crowd.at_once(clients)) == []
    assert await lines(market, person) == {a: 2 + writers, b: 6}  # capped by stock
    assert await lines(market, guest) == {}
    await market.check()


@seeds
async def test_of_twenty_persons_one_gets_a_guest_cart_and_the_whole_of_it(
    market: Market, crowd: Crowd
) -> None:
    skus = await market.goods(50, 50, 50)
    guest = guest_id()
    for sku in skus:
        await add(market, guest, sku, 2)
    persons = [str(new_id()) for _ in range(LOGINS)]
    answers = await crowd.at_once(
        each(lambda p: market.ask(MergeCart(buyer=p, guest=guest)), persons)
    )
    assert codes(answers) == ["not-found"] * (LOGINS - 1)
    for person, answer in zip(persons, answers, strict=True):
        got = {} if isinstance(answer, Refusal) else dict.fromkeys(skus, 2)
        assert await lines(market, person) == got
    await market.check()


@seeds
async def test_pieces_are_in_the_cart_or_in_an_order_and_never_lost(
    market: Market, crowd: Crowd
) -> None:
    skus = await market.goods(500, 500, 500, shards=(0, 1, 2))
    buyer = new_id()
    added = [(crowd.rng.choice(skus), crowd.rng.randint(1, 4)) for _ in range(40)]
    orders: list[UUID] = []

    async def check_out() -> None:
        wish = PlaceOrder(
            buyer=str(buyer),
            user_id=buyer,
            shipping_address=ADDRESS,
            method="CREDIT_CARD",
            token=crowd.rng.choice(["tok_visa", "tok_declined"]),
        )
        placed = await market.ask(wish, id=new_id(buyer))
        if placed.status is OrderStatus.CONFIRMED:
            orders.append(placed.order_id)

    clients: list[Any] = each(lambda a: add(market, str(buyer), *a), added)
    clients += [check_out] * (CLIENTS - len(added))
    answers = await crowd.at_once(clients)
    assert set(codes(answers)) <= {
        *("checkout-in-progress", "cart-changed", "cart-empty")
    }
    assert len(done(answers)) >= len(added)
    await market.check()
    there = Counter(await lines(market, str(buyer)))
    bought = await market.shop.rows(
        "orders",
        "SELECT sku, quantity FROM order_lines WHERE order_id = ANY($1)",
        orders,
    )
    for row in bought:
        there[row["sku"]] += row["quantity"]
    wanted: Counter[str] = Counter()
    for sku, quantity in added:
        wanted[sku] += quantity
    assert there == wanted
