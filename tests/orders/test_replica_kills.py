"""The replica through kills, a bridge that was down, and against the real products."""

import asyncio
from typing import Any

import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.orders import AddToCart, GetCart
from bus.products import (
    AddVariant,
    ArchiveProduct,
    GetOffers,
    Option,
    ProductChanges,
    RemoveVariant,
    RestoreProduct,
    UpdateProduct,
    VariantDraft,
)
from tests.orders.catalogue import (
    FakeCatalogue,
    catalogued,
    change,
    known,
    let_age,
    repriced,
    tell,
    updated,
)
from tests.orders.test_carts import guest
from tests.orders.test_kills import COMMITS_MAX, Doom, kill_when_reached
from tests.products import product, usd, variant

HEIGHT = Option("height", ("1", "2", "3"))
REPLICA = """SELECT sku, version, name, price_amount, on_sale, seller_id, image
             FROM product_replica ORDER BY sku"""


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_event_survives_a_kill_between_any_two_of_its_steps(
    shop: Any, after: bool
) -> None:
    async with catalogued(shop, A=1000) as s:
        for at in range(1, COMMITS_MAX):
            doom = Doom(at, after)
            doom.watch(s.shard("orders"))
            killer = asyncio.create_task(kill_when_reached(s, doom))
            one = change("A", amount=1000 + at)
            once = new_id(one.product_id)
            await tell(s, repriced(one, 1000), once)
            await tell(s, updated(one))
            assert await known(s, "A") == (at + 1, 1000 + at, True)
            (row,) = await s.rows(
                "orders", "SELECT state FROM handled WHERE command_id = $1", once
            )
            assert row["state"] == 2
            if not doom.reached.is_set():
                killer.cancel()
                break
            await killer
        assert 3 <= at < COMMITS_MAX, "the walk ended too early, or never"


async def test_a_cart_that_confirms_a_row_survives_a_kill(shop: Any) -> None:
    async with catalogued(shop, A=1000) as s:
        buyer = guest()
        await s.ask(AddToCart(buyer=buyer, sku="A", quantity=1))
        change("A", amount=1100)
        await let_age(s, "A")
        doom = Doom(1, after=True)  # written, and not answered
        doom.watch(s.shard("orders"))
        killer = asyncio.create_task(kill_when_reached(s, doom))
        view = await s.ask(GetCart(buyer=buyer))
        await killer
        assert view.items[0].current_price == usd(1100)
        assert await known(s, "A") == (2, 1100, True)
        assert len(FakeCatalogue.asked) >= 2


@pytest.mark.full
async def test_the_replica_says_what_products_says(shop: Any) -> None:
    """After every kind of edit, over two shards, by the events that are told of it."""
    async with shop("orders", "products", "inventory", shards=2) as s:
        seller, buyer = new_id(), guest()
        made = [
            product("Lamp", variant("L-1", 1000), seller_id=seller),
            product("Vase", *vases(1, 2), options=(HEIGHT,)),
        ]
        for each in made:
            await s.ask(each)
        lamp, vase = (each.product_id for each in made)
        for sku in ("L-1", "V-1", "V-2"):
            await s.ask(AdjustStock(sku=sku, on_hand=5, reason="count"))
        await s.deliver()
        assert await replica(s) == await offers(s)
        await s.ask(AddToCart(buyer=buyer, sku="L-1", quantity=1))
        await s.ask(AddToCart(buyer=buyer, sku="V-2", quantity=1))
        edits = (
            edit(lamp, name="Desk lamp", variants=(variant("L-1", 900),)),
            edit(lamp, status="DRAFT"),
            edit(lamp, status="ACTIVE"),
            AddVariant(product_id=vase, editor_id=None, variant=vases(3)[0]),
            RemoveVariant(product_id=vase, editor_id=None, sku="V-2"),
            ArchiveProduct(product_id=lamp, editor_id=None),
            RestoreProduct(product_id=lamp, editor_id=None),
        )
        for each in edits:
            await s.ask(each)
        s.bus_down = True
        await s.ask(edit(lamp, status="ACTIVE"))
        s.bus_down = False
        await s.deliver(1.5)
        assert await replica(s) == await offers(s)
        view = await s.ask(GetCart(buyer=buyer))
        assert [(it.sku, it.current_price, it.warnings) for it in view.items] == [
            ("L-1", usd(900), ("price-changed",)),
            ("V-2", None, ("unavailable",)),
        ]


def vases(*heights: int) -> list[VariantDraft]:
    """Vases of these heights."""
    return [variant(f"V-{each}", 2000, height=str(each)) for each in heights]


def edit(product_id: Any, **changes: Any) -> UpdateProduct:
    """An administrator's edit."""
    return UpdateProduct(
        product_id=product_id, editor_id=None, changes=ProductChanges(**changes)
    )


async def replica(s: Any) -> list[tuple[Any, ...]]:
    """What orders knows."""
    return [tuple(row.values()) for row in await s.rows("orders", REPLICA)]


async def offers(s: Any) -> list[tuple[Any, ...]]:
    """What products says; a SKU that is withdrawn stays in the version it went in."""
    skus = [row["sku"] for row in await s.rows("products", "SELECT sku FROM variants")]
    found = await s.ask(GetOffers(skus=tuple(sorted(skus))))
    return [
        (
            *(it.sku, it.version, it.name, it.price.amount),
            *(it.active, it.seller_id, it.image),
        )
        for it in found.offers
    ]
