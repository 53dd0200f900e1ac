"""Finding: words, typos, branches of the tree, prices, orders, pages, facets."""

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.products import ListProducts
from tests.products import category, product, variant


async def names(s, **query) -> list[str]:
    return [each.name for each in (await s.ask(ListProducts(**query))).items]


async def stocked_shop(s) -> None:
    audio = await s.ask(category("Audio"))
    phones = await s.ask(category("Headphones", audio.id))
    home = await s.ask(category("Home"))
    for name, amount, place, color in (
        ("Wireless Headphones", 12900, phones.id, "Black"),
        ("Studio Headphones", 24900, phones.id, "Black"),
        ("Portable Speaker", 4900, audio.id, "Red"),
        ("Ceramic Teapot", 3900, home.id, "Red"),
        ("Linen Tea Towel", 900, home.id, "White"),
    ):
        sku = name.upper().replace(" ", "-")
        await s.ask(
            product(
                name,
                variant(sku, amount, Color=color),
                category_id=place,
                description=f"The {name.lower()} of our choice for listening or tea.",
            )
        )


async def test_words_rank_before_descriptions_and_typos_are_forgiven(shop) -> None:
    async with shop("products", shards=2) as s:
        await stocked_shop(s)
        assert set((await names(s, q="headphones"))[:2]) == {
            "Wireless Headphones",
            "Studio Headphones",
        }
        assert (await names(s, q="wireles headphnes"))[0] == "Wireless Headphones"
        assert (await names(s, q="teapott"))[0] == "Ceramic Teapot"
        assert (await names(s, q="tea"))[0] == "Linen Tea Towel"
        assert await names(s, q="PORTABLE-SPEAKER") == ["Portable Speaker"]
        assert await names(s, q="xylophone") == []
        assert await names(s, q="'); DROP TABLE products; --") == []


async def test_a_category_holds_what_its_descendants_hold(shop) -> None:
    async with shop("products") as s:
        await stocked_shop(s)
        assert len(await names(s, category="audio")) == 3
        assert len(await names(s, category="headphones")) == 2
        assert await names(s, category=str(new_id())) == []


async def test_prices_bound_and_order_what_is_found(shop) -> None:
    async with shop("products") as s:
        await stocked_shop(s)
        dear = await names(s, min_price=4900, max_price=12900, sort="price")
        assert dear == ["Portable Speaker", "Wireless Headphones"]
        assert (await names(s, sort="-price"))[0] == "Studio Headphones"
        assert (await names(s))[0] == "Linen Tea Towel"


async def test_a_price_between_two_variants_finds_neither(shop) -> None:
    async with shop("products") as s:
        await s.ask(product("Two", variant("T1", 10, S="1"), variant("T2", 100, S="2")))
        assert await names(s, min_price=50, max_price=60) == []
        assert await names(s, min_price=50, max_price=100) == ["Two"]


@pytest.mark.parametrize(
    "query",
    [{}, {"sort": "price"}, {"sort": "-price"}, {"sort": "rating"}, {"q": "tea"}],
)
async def test_pages_hold_each_product_once_also_under_inserts(shop, query) -> None:
    async with shop("products") as s:
        for n in range(7):
            await s.ask(product(f"Tea {n % 3}", variant(f"T{n}", 100 + n % 2)))
        seen, cursor = [], None
        while True:
            page = await s.ask(ListProducts(**query, limit=2, cursor=cursor))
            seen += [each.id for each in page.items]
            cursor = page.next_cursor
            if cursor is None:
                break
            await s.ask(product("Coffee", variant(f"C{len(seen)}", 100)))
        tea = "SELECT id FROM products WHERE name <> 'Coffee'"
        first = await s.rows("products", tea)
        assert len(seen) == len(set(seen))
        assert {row["id"] for row in first} <= set(seen)


async def test_a_cursor_of_another_order_is_refused(shop) -> None:
    async with shop("products") as s:
        for n in range(3):
            await s.ask(product(f"P{n}"))
        cursor = (await s.ask(ListProducts(limit=1))).next_cursor
        for query in ({"sort": "price", "cursor": cursor}, {"cursor": "%%%"}):
            with pytest.raises(Refusal) as caught:
                await s.ask(ListProducts(**query))
            assert caught.value.code == "invalid-cursor"
