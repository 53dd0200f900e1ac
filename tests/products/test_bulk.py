"""Imports and exports over HTTP: who may, what is taken, and that it comes back."""

import asyncio
import csv
import io
import json
import re
from pathlib import Path
from uuid import uuid4

import pytest

from bus.kit.settings import Settings
from bus.products import AddImage, Image, Option
from serve_app.products import bulk
from tests.products import category, product, usd, variant
from tests.products.edge import edge_of
from tests.products.sheets import row, sheet
from tests.products.test_http import code
from tests.products.test_images import upload

ROOT = Path(__file__).resolve().parents[2]
CSV = {"Content-Type": "text/csv"}
# A quiet machine needs a tenth of it; a busy one must still be far from standing.
SECONDS_MAX = 240
ASK_SECONDS_MAX = 8


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


async def end_of(client, answer) -> dict:
    """The import that an answer names, when it has come to its end."""
    assert answer.status_code == 202, answer.text
    while True:
        found = (await client("GET", answer.headers["location"])).json()
        if found["status"] in ("DONE", "FAILED"):
            return found
        await asyncio.sleep(0.02)


async def test_a_seller_imports_and_reads_how_far_it_is(shop) -> None:
    async with shop("products", "inventory", shards=2) as s, edge_of(s) as anyone:
        seller, other = anyone.signed_in("SELLER"), anyone.signed_in("SELLER")
        admin, customer = anyone.signed_in("ADMIN"), anyone.signed_in("CUSTOMER")
        data = sheet(row("mug", "MUG"), row("bad", "BAD", "x"))
        path = "/products/import"
        assert code(await anyone("POST", path, content=data, headers=CSV))[0] == 401
        assert code(await customer("POST", path, content=data, headers=CSV))[0] == 403
        key = CSV | {"Idempotency-Key": str(uuid4())}
        taken = await seller("POST", path, content=data, headers=key)
        view = await end_of(seller, taken)
        assert taken.json()["id"] == view["id"]
        assert (view["created"], view["failed"], view["rows_total"]) == (1, 1, 2)
        assert view["errors"] == [
            {
                "line": 3,
                "column": "Variant Price",
                "code": "invalid-price",
                "detail": "It must be an amount such as 19.99, in USD.",
            }
        ]
        place = taken.headers["location"]
        assert code(await other("GET", place)) == (404, "not-found")
        assert (await admin("GET", place)).json()["created"] == 1
        again = await seller("POST", path, content=data, headers=key)
        assert again.json() == taken.json()
        reused = await seller("POST", path, content=data + b"x,X,X,1", headers=key)
        assert code(reused) == (422, "idempotency-key-reused")
        mug = (await anyone("GET", "/products/mug")).json()
        assert mug["seller_id"] == str(seller.user_id)

        form = {"file": ("products.csv", data, "text/csv")}
        twice = await end_of(seller, await seller("POST", path, files=form))
        assert (twice["created"], twice["unchanged"]) == (0, 1)
        theirs = await end_of(other, await other("POST", path, files=form))
        assert [each["code"] for each in theirs["errors"]] == [
            "handle-taken",
            "invalid-price",
        ]
        whose = {"seller": str(other.user_id)}
        lamp = sheet(row("lamp", "LAMP"))
        foreign = await seller("POST", path, content=lamp, headers=CSV, params=whose)
        assert code(foreign) == (403, "forbidden")
        given = await admin("POST", path, content=lamp, headers=CSV, params=whose)
        await end_of(admin, given)
        lamp_view = (await anyone("GET", "/products/lamp")).json()
        assert lamp_view["seller_id"] == whose["seller"]


async def test_what_is_no_file_of_products_is_refused(shop, monkeypatch) -> None:
    monkeypatch.setattr(bulk, "PIECE_BYTES_MAX", 1_000)
    settings = Settings(upload_bytes_max=10_000)
    async with shop("products", settings=settings) as s, edge_of(s) as anyone:
        seller, path = anyone.signed_in("SELLER"), "/products/import"
        tries = (
            ({"json": {"a": 1}}, (415, "unsupported-media-type")),
            (
                {
                    "content": b"a",
                    "headers": {"Content-Type": "text/csv; charset=utf-16"},
                },
                (415, "unsupported-media-type"),
            ),
            ({"content": b"", "headers": CSV}, (422, "empty-file")),
            ({"content": b"Title\n", "headers": CSV}, (422, "missing-columns")),
            ({"content": b"Handle\xff\n", "headers": CSV}, (422, "not-utf-8")),
            ({"files": {"other": ("a", b"x")}}, (422, "invalid-request")),
            ({"files": {"file": ("a", b"x" * 80_000)}}, (413, "body-too-large")),
            (
                {"files": {"file": ("a", b"x"), "b": ("b", b"")}},
                (400, "malformed-form"),
            ),
            ({"content": b"x" * 80_000, "headers": CSV}, (413, "body-too-large")),
        )
        for request, expected in tries:
            assert code(await seller("POST", path, **request)) == expected
        assert await s.rows("products", "SELECT * FROM imports") == []
        large = sheet(*(row(f"r-{n}", f"R-{n}") for n in range(200)))[:9_500]
        whole = large[: large.rindex(b"\n")]
        done = await end_of(
            seller, await seller("POST", path, content=whole, headers=CSV)
        )
        assert (done["failed"], done["created"]) == (0, whole.count(b"\n"))


HARD = (
    "=1+1",
    "'=x",
    "+1 'a\"",
    "@home",
    '5" pipe, long',
    "a < b & c > d &amp; <b>bold</b>",
)


async def make_hard_goods(s, owner_id) -> None:
    """Products whose texts are hard to write in a CSV, in categories alike."""
    top = await s.ask(category("=Top"))
    low = await s.ask(category("Low > est", top.id))
    for number, text in enumerate(HARD):
        variants = [
            variant(f"H-{number}-{n}", 1000 + n, **{text: f"{text}{n}"})
            for n in range(2)
        ]
        made = await s.ask(
            product(
                text,
                *variants,
                description=f"{text}\r\n\n  =b\n{text}",
                category_id=(top.id, low.id, None)[number % 3],
                status=("ACTIVE", "DRAFT")[number % 2],
            )
        )
    bar = variant("BAR", 5).__class__(
        sku="BAR",
        price=usd(5),
        compare_at_price=usd(10_000_000),
        barcode="'0012",
        weight_grams=0,
    )
    await s.ask(product("Bar", bar))
    # The database keeps the shorter name first; there is a value that nothing has.
    sizes = Option("Longest", ("b", "a", "none")), Option("Len", ("z", "y"))
    ordered = variant("ORD", Longest="a", Len="y")
    await s.ask(product("Ordered", ordered, options=sizes))
    for _ in range(3):
        picture = Image(await upload(s, owner_id), "=alt")
        await s.ask(AddImage(product_id=made.id, editor_id=None, image=picture))


async def test_an_export_comes_back_unchanged(shop, settings) -> None:
    domains = ("products", "inventory", "files")
    async with shop(*domains, settings=settings) as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        await make_hard_goods(s, admin.user_id)
        before = await s.rows("products", "SELECT * FROM products ORDER BY id")
        told = len(await s.events("products"))

        given = await admin("GET", "/products/export")
        assert given.headers["content-type"] == "text/csv; charset=utf-8"
        assert "products_export.csv" in given.headers["content-disposition"]
        rows = list(csv.reader(io.StringIO(given.text, newline="")))
        assert len(rows) == 1 + 2 * len(HARD) + 1 + 1 + 1
        assert [
            cell for line in rows for cell in line if cell[:1] in tuple("=+-@")
        ] == []
        post = await admin(
            "POST", "/products/import", content=given.content, headers=CSV
        )
        view = await end_of(admin, post)
        assert (view["errors"], view["warnings"]) == ([], [])
        assert (view["unchanged"], view["updated"]) == (len(HARD) + 2, 0)
        after = await s.rows("products", "SELECT * FROM products ORDER BY id")
        assert after == before
        assert len(await s.events("products")) == told


async def test_an_export_holds_what_is_ones_own(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        seller, admin = anyone.signed_in("SELLER"), anyone.signed_in("ADMIN")
        await s.ask(product("Mine", variant("MINE"), seller_id=seller.user_id))
        await s.ask(product("Theirs", variant("THEIRS")))

        async def skus(client, query=""):
            answer = await client("GET", f"/products/export{query}")
            lines = csv.DictReader(io.StringIO(answer.text, newline=""))
            return [line["Variant SKU"] for line in lines]

        assert await skus(seller) == ["MINE"]
        assert await skus(seller, "?status=DRAFT") == []
        assert await skus(admin) == ["MINE", "THEIRS"]
        assert await skus(admin, f"?seller={seller.user_id}") == ["MINE"]
        foreign = await seller("GET", f"/products/export?seller={admin.user_id}")
        assert code(foreign) == (403, "forbidden")
        assert code(await anyone("GET", "/products/export"))[0] == 401
        mine = (await anyone("GET", "/products/mine")).json()["id"]
        price = {
            "variants": [{"sku": "MINE", "price": {"amount": 5, "currency": "USD"}}]
        }
        await seller("PATCH", f"/products/{mine}", price)
        history = (await seller("GET", f"/products/{mine}/prices")).json()
        assert [each["price"]["amount"] for each in history["items"]] == [5]
        assert history["items"][0]["actor_id"] == str(seller.user_id)
        other = anyone.signed_in("SELLER")
        assert code(await other("GET", f"/products/{mine}/prices"))[0] == 404


@pytest.mark.full
async def test_ten_thousand_rows_go_in_while_the_shop_goes_on(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        rows = [
            row(f"r-{n}", f"R-{n}", "x" if n % 1000 == 7 else "1")
            for n in range(10_000)
        ]
        data, loop = sheet(*rows), asyncio.get_running_loop()
        began = loop.time()
        post = await admin("POST", "/products/import", content=data, headers=CSV)
        ending = asyncio.create_task(end_of(admin, post))
        slowest = 0.0
        while not ending.done():
            asked = loop.time()
            await s.ask(product())
            slowest = max(slowest, loop.time() - asked)
        first, seconds = await ending, loop.time() - began
        print(f"{10_000 / seconds:.0f} rows/s, slowest create {slowest:.2f} s")
        assert (first["created"], first["failed"]) == (9_990, 10)
        assert [each["line"] for each in first["errors"]] == [
            n + 2 for n in range(7, 10_000, 1000)
        ]
        assert seconds < SECONDS_MAX
        assert slowest < ASK_SECONDS_MAX
        told = len(await s.rows("products", "SELECT 1 AS one FROM outbox"))
        again = await end_of(
            admin, await admin("POST", "/products/import", content=data, headers=CSV)
        )
        assert (again["unchanged"], again["failed"]) == (9_990, 10)
        assert len(await s.rows("products", "SELECT 1 AS one FROM outbox")) == told


async def test_the_page_on_imports_says_what_happens(shop) -> None:
    page = (ROOT / "docs/how-to/import-products.md").read_text()
    (given,) = re.findall(r"^```csv\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        post = await admin(
            "POST", "/products/import", content=given.encode(), headers=CSV
        )
        view = await end_of(admin, post)
        shown = page[page.index('→ {"status"') + 2 : page.index(", …}]}")] + "}]}"
        said = json.loads(shown)
        assert said["errors"] == [
            {name: error[name] for name in ("line", "column", "code")}
            for error in view["errors"]
        ]
        del said["errors"]
        assert {name: view[name] for name in said} == said
        await s.deliver()
        shirt = (await anyone("GET", "/products/linen-shirt")).json()
        assert shirt["description"] == "Light & cool."
        assert [each["available"] for each in shirt["variants"]] == [12, 7]
