"""Imports: Shopify's CSV, whole products or none, every error by its line, once."""

import pytest

from bus.inventory import AdjustStock, GetAvailability
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.products import GetImport, GetProduct, Option
from tests.products import category, product, usd, variant
from tests.products.sheets import (
    counts,
    imported,
    row,
)


async def get(s, reference):
    return await s.ask(GetProduct(reference=str(reference), viewer_is_admin=True))


def errors(view):
    return [(each.line, each.column, each.code) for each in view.errors]


SHIRT = (
    row(
        "shirt",
        "S-1",
        "19.90",
        Option1_Name="Size",
        Option1_Value="S",
        Variant_Inventory_Qty="7",
        Variant_Grams="200.0",
        Variant_Barcode="'0123",
        Status="active",
    )
    | {
        "Body (HTML)": "<p>Soft &amp; warm.</p><script>alert(1)</script>",
        "Product Category": "Clothes > Shirts",
        "Variant Compare At Price": "25",
    },
    {
        "Handle": "shirt",
        "Option1 Value": "L",
        "Variant SKU": "S-2",
        "Variant Price": "21",
    },
    {"Handle": "shirt", "Image Src": "https://x.example/a.png", "Image Alt Text": "A"},
)


async def test_a_file_makes_products_and_again_changes_nothing(shop) -> None:
    async with shop("products", "inventory", shards=2) as s:
        top = await s.ask(category("Clothes"))
        low = await s.ask(category("Shirts", top.id))
        first = await imported(s, *SHIRT, row("cap", "CAP", Published="FALSE"))
        assert (first.status, counts(first)) == ("DONE", (2, 0, 0, 0))
        assert (first.rows_total, first.rows_done) == (4, 4)
        assert [(w.line, w.code) for w in first.warnings] == [(4, "image-not-fetched")]
        made = await get(s, "shirt")
        assert (made.name, made.description) == ("Shirt", "Soft & warm.")
        assert (made.category_id, made.options) == (
            low.id,
            (Option("Size", ("S", "L")),),
        )
        small, large = made.variants
        assert (small.price, small.compare_at_price) == (usd(1990), usd(2500))
        assert (small.weight_grams, small.barcode) == (200, "0123")
        assert (large.price, large.options) == (usd(2100), {"Size": "L"})
        assert (await get(s, "cap")).status == "DRAFT"
        await s.deliver()
        stock = await s.ask(GetAvailability(skus=("S-1", "S-2", "CAP")))
        assert stock.available == {"S-1": 7, "S-2": 0, "CAP": 0}
        told = await s.events()

        await s.ask(AdjustStock(sku="S-1", on_hand=3, reason="sold by hand"))
        told = await s.events()
        again = await imported(s, *SHIRT, row("cap", "CAP", Published="FALSE"))
        assert counts(again) == (0, 0, 2, 0)
        await s.deliver()
        assert await s.events() == told
        assert (await get(s, "shirt")).version == made.version == 1
        assert await s.rows("products", "SELECT * FROM prices") == []
        stock = await s.ask(GetAvailability(skus=("S-1",)))
        assert stock.available == {"S-1": 3}
        pieces = await s.rows("products", "SELECT * FROM import_pieces")
        assert pieces == []


BAD = (
    row("good", "G-1"),
    row("bad", "B-1", "1.999"),
    {"Handle": "bad", "Variant SKU": "B-2", "Variant Price": "2.00"},
    row("two", "T-1"),
    row("other", "T-1"),
    row("worst", "no sku!", ""),
    {"Title": "", "Variant SKU": "N-1", "Variant Price": "1"},
    row("status", "ST", Status="sold", Variant_Grams="heavy"),
    row("nul", "NUL", Title="a\x00b"),
    row("long", "LONG", Title="x" * 201),
    row("twice", "TW", Option1_Name="Size", Option1_Value="S"),
    row("twice", "TX", Option1_Value="S") | {"Title": ""},
    {"Handle": "twice"} | {"Published": "TRUE"},
    row("minus", "MI", "-1"),
    row("float", "FL", "1e3"),
    row("import", "IM"),
    row("foreign", "THEIRS"),
    row("theirs", "NEW"),
)


async def test_bad_rows_are_named_by_line_and_leave_their_product_alone(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        theirs = await s.ask(
            product("Theirs", variant("THEIRS"), seller_id=new_id(), slug="theirs")
        )
        view = await imported(s, *BAD, editor_id=seller)
        assert (view.status, counts(view)) == ("DONE", (2, 0, 0, 14))
        assert view.errors_total == 19
        assert sorted(errors(view)) == [
            (3, "Variant Price", "invalid-price"),
            (6, "Variant SKU", "repeated-sku"),
            (7, "Variant Price", "required"),
            (7, "Variant SKU", "invalid"),
            (8, "Handle", "required"),
            (9, "Status", "invalid"),
            (9, "Variant Grams", "invalid"),
            (10, "Title", "invalid"),
            (11, "Title", "too-long"),
            (13, "Option1 Value", "repeated-options"),
            (14, "Variant SKU", "required"),
            (15, "Variant Price", "invalid-price"),
            (16, "Variant Price", "invalid-price"),
            (17, "Handle", "handle-taken"),
            (18, "Variant SKU", "sku-taken"),
            (19, "Handle", "handle-taken"),
        ]
        names = await s.rows("products", "SELECT slug FROM products ORDER BY slug")
        assert [each["slug"] for each in names] == ["good", "theirs", "two"]
        assert await get(s, theirs.id) == theirs
        assert "B-2" not in str(await s.rows("products", "SELECT * FROM claims"))
        assert (await get(s, "good")).seller_id == seller
        page = await s.ask(
            GetImport(import_id=view.id, viewer_id=seller, limit=10, cursor=None)
        )
        rest = await s.ask(
            GetImport(
                import_id=view.id, viewer_id=seller, limit=10, cursor=page.next_cursor
            )
        )
        assert page.errors + rest.errors == view.errors
        with pytest.raises(Refusal):
            await s.ask(GetImport(import_id=view.id, viewer_id=new_id()))
