"""Filters that hold on one variant, and facets that leave their own filter out."""

import asyncio

from bus.inventory import StockAdjusted
from bus.kit.addressing import new_id
from bus.products import (
    ArchiveProduct,
    CategoryDraft,
    FacetCount,
    ListProducts,
    UpdateCategory,
)
from persistence.products.state import PRICE_BANDS
from tests.products import category, product, variant


async def names(s, **query) -> list[str]:
    page = await s.ask(ListProducts(sort="price", **query))
    return [each.name for each in page.items]


async def stock(s, *skus: str, pieces: int = 5) -> None:
    for sku in skus:
        await s.ask(
            StockAdjusted(
                sku=sku,
                warehouse_id=new_id(),
                delta=pieces,
                on_hand=pieces,
                available=pieces,
            ),
            sequence=7 if pieces else 8,
            domain="products",
            join=True,
        )


async def shirts(s):
    """Two shirts and a hat: what is red, what is cheap and what is there differ."""
    top = await s.ask(category("Clothing"))
    shelf = await s.ask(category("Shirts", top.id))
    hats = await s.ask(category("Hats", top.id))
    await s.ask(
        product(
            "Oxford",
            variant("O-RED-S", 3000, Color="Red", Size="S"),
            variant("O-BLUE-S", 1000, Color="Blue", Size="S"),
            variant("O-BLUE-M", 1000, Color="Blue", Size="M"),
            category_id=shelf.id,
        )
    )
    await s.ask(
        product(
            "Flannel",
            variant("F-RED-M", 1500, Color="red", Size="M"),
            variant("F-GREEN-M", 1500, Color="Green", Size="M"),
            category_id=shelf.id,
        )
    )
    await s.ask(
        product("Beret", variant("B-RED", 2000, Color="Red"), category_id=hats.id)
    )
    await stock(s, "O-RED-S", "O-BLUE-S", "F-GREEN-M")
    return top, shelf, hats


async def test_options_price_and_stock_hold_on_one_variant(shop) -> None:
    async with shop("products", shards=2) as s:
        _, shelf, hats = await shirts(s)
        red, blue = ("Color", "Red"), ("color", "BLUE")
        small, medium = ("Size", "S"), ("Size", "M")
        assert await names(s, options=(red,)) == ["Oxford", "Flannel", "Beret"]
        assert await names(s, options=(red, blue)) == ["Oxford", "Flannel", "Beret"]
        assert await names(s, options=(red, medium)) == ["Flannel"]
        assert await names(s, options=(red, small, medium)) == ["Oxford", "Flannel"]
        assert await names(s, options=(red,), max_price=1900) == ["Flannel"]
        assert await names(s, options=(red,), in_stock=True) == ["Oxford"]
        assert await names(s, options=(red,), in_stock=True, max_price=2000) == []
        assert await names(s, options=(("Color", "Mauve"),)) == []
        assert await names(s, options=(("Fabric", "Red"),)) == []
        assert await names(s, in_stock=False) == ["Beret"]
        await stock(s, "F-GREEN-M", pieces=0)
        assert await names(s, in_stock=True) == ["Oxford"]
        assert await names(s, category=shelf.slug, in_stock=False) == ["Flannel"]
        # A category that moves takes its products along, and no product is written.
        draft = CategoryDraft(name="Hats", parent_id=shelf.id)
        await s.ask(UpdateCategory(category_id=hats.id, draft=draft))
        assert len(await names(s, category="shirts")) == 3
        assert len(await names(s, category=str(shelf.id).upper())) == 3


async def test_a_facet_counts_what_another_choice_would_find(shop) -> None:
    async with shop("products") as s:
        top, shelf, hats = await shirts(s)

        async def facets(**query):
            return (await s.ask(ListProducts(facets=True, limit=1, **query))).facets

        every = await facets()
        assert (every.total, every.in_stock) == (3, 2)
        assert [(c.value, c.name, c.slug, c.count) for c in every.categories] == [
            (str(top.id), "Clothing", "clothing", 3),
            (str(shelf.id), "Shirts", "shirts", 2),
            (str(hats.id), "Hats", "hats", 1),
        ]
        assert every.categories[1].parent_id == top.id
        assert every.options == (
            FacetCount("Red", 3, "Color"),
            FacetCount("Blue", 1, "Color"),
            FacetCount("Green", 1, "Color"),
            FacetCount("M", 2, "Size"),
            FacetCount("S", 1, "Size"),
        )
        assert every.prices == (FacetCount("1000-2499", 3), FacetCount("2500-4999", 1))
        red = await facets(options=(("Color", "Red"),))
        assert (red.total, red.in_stock) == (3, 1)
        assert red.options == (
            *every.options[:3],
            FacetCount("M", 1, "Size"),
            FacetCount("S", 1, "Size"),
        )
        assert red.prices == (FacetCount("1000-2499", 2), FacetCount("2500-4999", 1))
        small = await facets(options=(("Size", "S"), ("Color", "Blue")), max_price=1500)
        assert [(o.value, o.count) for o in small.options] == [
            ("M", 1),
            ("S", 1),
            ("Blue", 1),
        ]
        assert [each.count for each in small.prices] == [1]
        placed = await facets(category="hats", in_stock=False, min_price=100)
        assert (placed.total, placed.in_stock) == (1, 0)
        assert [(c.name, c.count) for c in placed.categories] == [
            ("Clothing", 1),
            ("Hats", 1),
        ]
        none = await facets(q="nothing of the kind")
        assert (none.total, none.categories, none.options) == (0, (), ())


async def test_nobody_finds_what_is_archived_or_anothers_draft(shop) -> None:
    async with shop("products") as s:
        mine, other = new_id(), new_id()
        await s.ask(product("Draft Lamp", status="DRAFT", seller_id=mine))
        await s.ask(product("Lamp", seller_id=mine))
        gone = await s.ask(product("Gone Lamp", seller_id=mine))
        await s.ask(ArchiveProduct(product_id=gone.id, editor_id=None))
        assert await names(s, q="lamp") == ["Lamp"]
        assert await names(s, seller_id=mine) == ["Lamp"]
        assert await names(s, seller_id=other) == []
        drafts = ListProducts(seller_id=mine, with_drafts=True, facets=True)
        page = await s.ask(drafts)
        assert {each.name for each in page.items} == {"Lamp", "Draft Lamp"}
        assert page.facets.total == 2


async def test_a_row_counts_price_bands_as_postgres_does(shop) -> None:
    async with shop("products") as s:
        edges = {max(0, band + by) for band in PRICE_BANDS for by in (-1, 0, 1)}
        made = (s.ask(product(f"At {n}", variant(f"E{n}", n))) for n in sorted(edges))
        await asyncio.gather(*made)
        rows = await s.rows(
            "products",
            """SELECT bands, 1 << width_bucket(price_min, $1::bigint[]) AS wanted
               FROM products""",
            list(PRICE_BANDS),
        )
        assert len(rows) == len(edges)
        assert [row["bands"] for row in rows] == [row["wanted"] for row in rows]
