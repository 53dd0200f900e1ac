"""Imports: Shopify's CSV, whole products or none, every error by its line, once."""

import asyncio

import pytest

from actors.products import sheet_file
from bus.inventory import AdjustStock, GetAvailability
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.kit.values import Money
from bus.products import GetImport, GetProduct, ListPrices, Option
from tests.products import category, product, usd, variant
from tests.products.sheets import counts, ended, imported, row, send, sheet


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
    row("h" * 101, "HAND"),
)


async def test_bad_rows_are_named_by_line_and_leave_their_product_alone(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        theirs = await s.ask(
            product("Theirs", variant("THEIRS"), seller_id=new_id(), slug="theirs")
        )
        view = await imported(s, *BAD, editor_id=seller)
        assert (view.status, counts(view)) == ("DONE", (2, 0, 0, 14))
        assert sorted(errors(view)) == [
            (3, "Variant Price", "invalid-price"),
            (4, "Option1 Value", "repeated-options"),
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
            (20, "Handle", "too-long"),
        ]
        assert view.errors_total == len(view.errors)
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


async def test_a_changed_file_changes_only_what_it_says(shop) -> None:
    async with shop("products") as s:
        seller = new_id()
        await imported(s, *SHIRT, editor_id=seller)
        made = await get(s, "shirt")
        newer = "URL handle,Title,SKU,Price,Option1 name,Option1 value,Vendor"
        lines = f"\ufeff{newer}\nshirt,Shirt,S-1,15,Size,S,Acme\n".encode()
        view = await ended(s, await send(s, lines, editor_id=seller))
        assert counts(view) == (0, 1, 0, 0)
        assert [(w.line, w.column, w.code) for w in view.warnings] == [
            (1, "Vendor", "column-ignored")
        ]
        after = await get(s, "shirt")
        assert after.version == 2
        small, large = after.variants
        assert (small.price, small.compare_at_price) == (usd(1500), usd(2500))
        assert (small.barcode, large) == ("0123", made.variants[1])
        assert after.description == made.description
        history = await s.ask(ListPrices(product_id=made.id, viewer_id=seller))
        assert [(p.sku, p.previous, p.price) for p in history.items] == [
            ("S-1", usd(1990), usd(1500))
        ]
        assert history.items[0].actor_id == seller
        assert history.lowest_price_30_days == {"S-1": usd(1990)}
        types = [e["type"] for e in await s.events("products")]
        assert sorted(types) == [
            "products.price_changed.v1",
            "products.product_created.v1",
            "products.product_updated.v1",
            "products.stock_stated.v1",
        ]
        again = await ended(s, await send(s, lines, editor_id=seller))
        assert counts(again) == (0, 0, 1, 0)
        assert len(await s.events("products")) == 4


REFUSED = (
    (b"", "empty-file"),
    (b"\n\n", "empty-file"),
    (b"Handle;Title;Variant SKU;Variant Price\n", "wrong-delimiter"),
    (b"Handle,Title\n", "missing-columns"),
    (b"Handle,Title,SKU,Variant SKU,Price\n", "repeated-columns"),
    (b"Handle\n", "missing-columns"),
    ("Händle,Title".encode("latin-1"), "not-utf-8"),
    (b'"Handle,Title', "malformed-csv"),
)
COLUMNS = b"Handle,Title,Variant SKU,Variant Price\n"
BROKEN = (
    (b'a,A,A,1\nb,"B" x,B,1\n', 3, "malformed-csv"),
    (b'a,A,A,1\nb,"B,B,1\n', 3, "malformed-csv"),
    (b"a,A,A,1\n" * 5_000 + b"b,\xff,B,1\n", 5_002, "not-utf-8"),
)


async def test_a_file_that_is_none_is_refused_or_fails_whole(shop, monkeypatch) -> None:
    async with shop("products") as s:
        for data, code in REFUSED:
            with pytest.raises(Refusal) as caught:
                await send(s, data)
            assert (data, caught.value.code) == (data, code)
        assert await s.rows("products", "SELECT * FROM imports") == []
        for data, line, code in BROKEN:
            view = await ended(s, await send(s, COLUMNS + data))
            assert view.status == "FAILED"
            assert errors(view) == [(line, "", code)]
            assert counts(view) == (0, 0, 0, 0)
        monkeypatch.setattr(sheet_file, "IMPORT_ROWS_MAX", 2)
        long = COLUMNS + b"".join(b"a%d,A,A%d,1\n" % (n, n) for n in range(3))
        view = await ended(s, await send(s, long))
        assert errors(view) == [(4, "", "too-many-rows")]
        assert await s.rows("products", "SELECT * FROM products") == []
        assert await s.rows("products", "SELECT * FROM claims") == []


async def test_two_imports_of_one_file_at_once_make_each_product_once(shop) -> None:
    async with shop("products", shards=2) as s:
        seller = new_id()
        rows = [row(f"p-{n}", f"P-{n}") for n in range(150)]
        one, two = await asyncio.gather(
            *(imported(s, *rows, editor_id=seller) for _ in range(2))
        )
        assert one.created + two.created == 150
        assert one.unchanged + two.unchanged == 150
        assert (one.failed, two.failed) == (0, 0)
        versions = await s.rows(
            "products", "SELECT version, count(*) AS n FROM products GROUP BY 1"
        )
        assert versions == [{"version": 1, "n": 150}]
        claims = await s.rows("products", "SELECT count(*) AS n FROM claims")
        assert claims == [{"n": 300}]


async def test_an_import_that_is_sent_twice_runs_once(shop) -> None:
    async with shop("products") as s:
        import_id, id_, owner = new_id(), new_id(), new_id()
        data = sheet(row("a", "A"))
        for _ in range(2):
            await send(s, data, import_id=import_id, id=id_, owner_id=owner)
            view = await ended(s, import_id)
            assert counts(view) == (1, 0, 0, 0)
        assert len(await s.rows("products", "SELECT * FROM imports")) == 1
        assert await s.rows("products", "SELECT * FROM import_pieces") == []
        drops = await s.rows(
            "products", "SELECT kind, at > now() + interval '29 days' AS late FROM due"
        )
        assert drops == [{"kind": "products.drop_import", "late": True}]


async def test_prices_are_exact_in_a_currency_without_cents(shop) -> None:
    settings = Settings(currency="JPY")
    async with shop("products", settings=settings) as s:
        columns = COLUMNS.replace(b"Handle", b"Handle,A\x00 b")
        lines = b"tea,,Tea,TEA,1999\nbad,,Bad,BAD,19.99\n"
        view = await ended(s, await send(s, columns + lines))
        assert counts(view) == (1, 0, 0, 1)
        assert errors(view) == [(3, "Variant Price", "invalid-price")]
        assert [each.column for each in view.warnings] == ["A b"]
        (tea,) = (await get(s, "tea")).variants
        assert tea.price == Money(1999, "JPY")
