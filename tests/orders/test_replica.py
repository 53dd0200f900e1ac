"""What carts know of products: without asking, never too old, never going back."""

import asyncio
import random
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.values import Money
from bus.orders import (
    AddToCart,
    CartView,
    GetCart,
    MergeCart,
    PlaceOrder,
    SetCartLine,
)
from bus.orders.carts import LineOffer, PutLine
from bus.orders.replica import Goods, KeepOffers, KnownOffer
from bus.products import ProductArchived, ProductCreated
from tests.kit.local import local_shop
from tests.orders.catalogue import (
    FakeCatalogue,
    catalogued,
    change,
    known,
    let_age,
    line_of,
    offer,
    repriced,
    tell,
    updated,
)
from tests.orders.fakes import ADDRESS
from tests.orders.support import cart_of, refused
from tests.orders.test_carts import guest

VERSIONS = 12
ROUNDS_MAX = 60


@pytest.fixture(scope="module", params=[1, 2])
async def s(databases: Any, request: Any) -> Any:
    """A shop of one shard a domain, and one of two."""
    make = partial(local_shop, databases)
    async with catalogued(make, shards=request.param) as shop:
        yield shop


@pytest.fixture
async def sku(s: Any) -> str:
    """A SKU of the test's own, at 10.00, of which there are a thousand."""
    name = f"T-{new_id().hex[-10:]}"
    FakeCatalogue.offers[name] = offer(name, 1000)
    FakeCatalogue.asked.clear()
    await s.ask(AdjustStock(sku=name, on_hand=1000, reason="count"))
    return name


async def put(s: Any, buyer: str, sku: str) -> CartView:
    """One piece more."""
    view: CartView = await s.ask(AddToCart(buyer=buyer, sku=sku, quantity=1))
    return view


async def keep(s: Any, one: KnownOffer, as_of: Any) -> tuple[KnownOffer, ...]:
    """Have the replica take an offer; what it knows then."""
    message = KeepOffers(product_id=one.product_id, offers=(one,), as_of=as_of)
    goods: Goods = await s.ask(message)
    return goods.offers


def in_version(sku: str, version: int, amount: int) -> KnownOffer:
    """The SKU's offer as it was, or will be, in a version."""
    now = FakeCatalogue.offers[sku]
    return KnownOffer(
        sku=sku,
        product_id=now.product_id,
        version=version,
        name=now.name,
        options=now.options,
        price=Money(amount, "USD"),
        image=None,
        seller_id=None,
        on_sale=True,
    )


def buy(buyer: str, *, accept_prices: bool) -> PlaceOrder:
    """All that is in the cart."""
    return PlaceOrder(
        buyer=buyer,
        user_id=None,
        email="ada@example.com",
        shipping_address=ADDRESS,
        method="CREDIT_CARD",
        token="tok_visa",
        accept_prices=accept_prices,
    )


# --- what carts show -----------------------------------------------------------


async def test_only_the_first_cart_asks_and_events_bring_what_changes(s, sku) -> None:
    ada, bob = str(new_id()), guest()
    await put(s, ada, sku)
    assert FakeCatalogue.asked == [(sku,)]
    await put(s, bob, sku)
    assert await line_of(s, ada, sku) == (1000, None, ())
    assert FakeCatalogue.asked == [(sku,)]
    after = change(sku, amount=1500, name="Lamp")
    await tell(s, repriced(after, 1000))
    await tell(s, updated(after))  # known by now: nobody is asked
    assert FakeCatalogue.asked == [(sku,)] * 2
    assert await known(s, sku) == (2, 1500, True)
    for buyer in (ada, bob):
        assert await line_of(s, buyer, sku) == (1000, 1500, ("price-changed",))
    view = await s.ask(SetCartLine(buyer=ada, sku=sku, quantity=2))
    assert [(it.name, it.total.amount, it.warnings) for it in view.items] == [
        ("Lamp", 3000, ())
    ]
    assert FakeCatalogue.asked == [(sku,)] * 2


async def test_withdrawn_goods_are_unavailable_and_cannot_be_added(s, sku) -> None:
    ada, bob = str(new_id()), guest()
    await put(s, ada, sku)
    gone = change(sku, active=False)
    await tell(s, ProductArchived(product_id=gone.product_id, skus=(sku,)))
    assert await line_of(s, ada, sku) == (1000, None, ("unavailable",))
    assert await refused(put(s, bob, sku)) == "not-found"
    assert await refused(put(s, ada, sku)) == "not-found"
    assert (await cart_of(s, ada), await cart_of(s, bob)) == ({sku: 1}, {})
    await tell(s, updated(change(sku, active=True)))
    assert await line_of(s, ada, sku) == (1000, None, ())


async def test_a_variant_that_its_product_names_no_longer_is_withdrawn(s, sku) -> None:
    ada = str(new_id())
    await put(s, ada, sku)
    await tell(s, updated(change(sku, active=False)))
    assert await known(s, sku) == (2, 1000, False)
    assert await line_of(s, ada, sku) == (1000, None, ("unavailable",))


async def test_a_new_product_is_known_before_its_first_cart(s, sku) -> None:
    new = FakeCatalogue.offers[sku]
    created = ProductCreated(
        product_id=new.product_id,
        seller_id=None,
        category_id=None,
        status="ACTIVE",
        skus=(sku,),
    )
    await tell(s, created)
    assert await known(s, sku) == (1, 1000, True)
    FakeCatalogue.away = True
    try:
        await put(s, guest(), sku)
    finally:
        FakeCatalogue.away = False


async def test_a_row_that_was_confirmed_too_long_ago_is_confirmed_first(s, sku) -> None:
    ada = str(new_id())
    await put(s, ada, sku)
    change(sku, amount=900)  # no event of it ever comes
    await let_age(s, sku)
    assert await line_of(s, ada, sku) == (1000, 900, ("price-changed",))
    assert await known(s, sku) == (2, 900, True)
    await let_age(s, sku)  # the same version again renews the row
    assert await line_of(s, ada, sku) == (1000, 900, ("price-changed",))
    assert await line_of(s, ada, sku) == (1000, 900, ("price-changed",))
    assert FakeCatalogue.asked == [(sku,)] * 3


async def test_while_products_is_away_carts_live_on_what_is_fresh(s, sku) -> None:
    ada = str(new_id())
    await put(s, ada, sku)
    FakeCatalogue.away = True
    try:
        await put(s, ada, sku)
        assert await line_of(s, ada, sku) == (1000, None, ())
        await let_age(s, sku)
        with pytest.raises(Unavailable):
            await s.ask(GetCart(buyer=ada))
        with pytest.raises(Unavailable):
            await put(s, ada, sku)
    finally:
        FakeCatalogue.away = False
    assert await cart_of(s, ada) == {sku: 2}


async def test_what_has_no_version_is_shown_and_not_kept(s, sku) -> None:
    FakeCatalogue.offers[sku] = replace(FakeCatalogue.offers[sku], version=0)
    ada = str(new_id())
    await put(s, ada, sku)
    await tell(s, repriced(FakeCatalogue.offers[sku], 1))
    assert await line_of(s, ada, sku) == (1000, None, ())
    assert await known(s, sku) is None
    assert await refused(put(s, ada, "NONE")) == "not-found"
    assert await known(s, "NONE") is None


# --- the order of versions -----------------------------------------------------


async def test_events_that_come_twice_late_or_out_of_order_change_nothing(
    s, sku
) -> None:
    first = FakeCatalogue.offers[sku]
    second, third = change(sku, amount=1200), change(sku, amount=1400)
    event, once = updated(third), new_id(third.product_id)
    await tell(s, event, once)
    assert await known(s, sku) == (3, 1400, True)
    asked = len(FakeCatalogue.asked)
    await asyncio.gather(*(tell(s, event, once) for _ in range(5)))
    await tell(s, updated(second))
    assert len(FakeCatalogue.asked) == asked
    await tell(s, repriced(second, first.price.amount))
    assert await known(s, sku) == (3, 1400, True)
    rows = await s.rows(
        "orders", "SELECT state FROM handled WHERE command_id = $1", once
    )
    assert rows == [{"state": 2}]


async def test_only_a_later_version_replaces_a_row(s, sku) -> None:
    (now,) = (row["now"] for row in await s.rows("orders", "SELECT now()"))
    versions = list(range(1, VERSIONS + 1))
    random.Random(7).shuffle(versions)
    told = [in_version(sku, each, 1000 + each) for each in versions]
    replies = await asyncio.gather(*(keep(s, each, now) for each in told))
    for each, (reply,) in zip(told, replies, strict=True):
        assert reply.version >= each.version
        assert reply.price.amount == 1000 + reply.version
    assert await known(s, sku) == (VERSIONS, 1000 + VERSIONS, True)
    (reply,) = await keep(s, in_version(sku, VERSIONS, 1), now)  # no later than before
    assert reply.price.amount == 1000 + VERSIONS


async def test_a_line_that_is_put_after_a_later_one_is_not_older(s, sku) -> None:
    (now,) = (row["now"] for row in await s.rows("orders", "SELECT now()"))
    buyer, one = guest(), FakeCatalogue.offers[sku]
    early = LineOffer(
        sku=sku,
        product_id=str(one.product_id),
        name=one.name,
        options={},
        price=one.price,
        available=7,
        version=1,
    )
    late = PutLine(buyer=buyer, sku=sku, quantity=1, add=True, offers=(early,))
    await keep(s, in_version(sku, 2, 1300), now)
    view = await s.ask(late)
    assert [(it.unit_price.amount, it.warnings) for it in view.items] == [(1300, ())]
    withdrawn = replace(in_version(sku, 3, 1300), on_sale=False)
    await keep(s, withdrawn, now)
    assert await refused(s.ask(late)) == "not-found"
    assert await cart_of(s, buyer) == {sku: 1}
    gone = replace(late, offers=(replace(early, version=3, on_sale=False),))
    assert await refused(s.ask(gone)) == "not-found"
    await keep(s, in_version(sku, 4, 1400), now)  # on sale again, since it was seen
    view = await s.ask(gone)
    assert [(it.quantity, it.unit_price.amount) for it in view.items] == [(2, 1400)]


async def test_no_cart_goes_back_while_versions_events_and_carts_overlap(
    s, sku
) -> None:
    """Each version costs one cent more, so the price that is shown is the version."""
    buyers = [str(new_id()), guest(), str(new_id()), guest()]
    stop = asyncio.Event()

    async def look(buyer: str) -> list[int]:
        shown = [(await put(s, buyer, sku)).items[0].unit_price.amount]
        for number in range(ROUNDS_MAX):
            if stop.is_set():
                break
            if number % 3 == 2:
                await put(s, buyer, sku)
            unit, now, _ = await line_of(s, buyer, sku)
            shown.append(now or unit)
        return shown

    async def edit() -> None:
        dice = random.Random(5)
        for _ in range(VERSIONS):
            after = change(sku, amount=1000 + FakeCatalogue.offers[sku].version)
            told = [tell(s, updated(after)), tell(s, repriced(after, 1))]
            for event in dice.sample(told, 2):
                await event
            await let_age(s, sku)
        stop.set()

    FakeCatalogue.delay_seconds = 0.005  # what it read is old by then
    try:
        *seen, _ = await asyncio.gather(*(look(buyer) for buyer in buyers), edit())
    finally:
        FakeCatalogue.delay_seconds = 0.0
    for shown in seen:
        assert len(set(shown)) > 2
        assert all(before <= after for before, after in pairwise(shown)), shown
    assert await known(s, sku) == (VERSIONS + 1, 1000 + VERSIONS, True)


async def test_a_merge_shows_the_latest_version_of_both_carts_lines(s, sku) -> None:
    ada, gus = str(new_id()), guest()
    await put(s, ada, sku)
    await put(s, gus, sku)
    await tell(s, updated(change(sku, amount=1100)))
    view = await s.ask(MergeCart(buyer=ada, guest=gus))
    (line,) = view.items
    assert (line.quantity, line.warnings) == (2, ("price-changed",))
    assert line.current_price == Money(1100, "USD")
    assert FakeCatalogue.asked == [(sku,)] * 2


# --- orders --------------------------------------------------------------------


async def test_what_an_order_was_told_of_a_price_the_cart_shows_at_once(s, sku) -> None:
    ada = str(new_id())
    await put(s, ada, sku)
    change(sku, amount=1500)  # its event has not come yet
    assert await refused(s.ask(buy(ada, accept_prices=False))) == "price-changed"
    assert await line_of(s, ada, sku) == (1000, 1500, ("price-changed",))
    change(sku, amount=1600)
    placed = await s.ask(buy(ada, accept_prices=True))
    (row,) = await s.rows(
        "orders", "SELECT items_amount FROM orders WHERE id = $1", placed.order_id
    )
    assert row["items_amount"] == 1600
    (line,) = (await put(s, ada, sku)).items
    assert line.unit_price.amount == 1600


async def test_an_order_of_withdrawn_goods_is_refused_and_the_cart_says_why(
    s, sku
) -> None:
    ada = str(new_id())
    await put(s, ada, sku)
    change(sku, active=False)
    with pytest.raises(Refusal) as no:
        await s.ask(buy(ada, accept_prices=True))
    assert no.value.code == "unknown-sku"
    assert await line_of(s, ada, sku) == (1000, None, ("unavailable",))
    assert await s.rows("orders", "SELECT id FROM orders WHERE buyer = $1", ada) == []
