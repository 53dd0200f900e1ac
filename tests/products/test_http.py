"""Products over HTTP: what the contract says, and who may do it."""

from uuid import uuid4

from bus.inventory import AdjustStock
from tests.products.edge import edge_of

USD = {"amount": 1999, "currency": "USD"}


def body(sku: str = "SHIRT-M", **more):
    variants = [{"sku": sku, "price": USD, "options": {"Size": "M"}}]
    product = {"name": "Blue Shirt", "description": "Soft.", "variants": variants}
    return product | more


def code(answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


async def test_a_seller_makes_a_product_and_the_world_finds_it(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        seller = anyone.signed_in("SELLER")
        made = await seller("POST", "/products", body())
        assert made.status_code == 201
        product = made.json()
        assert made.headers["location"] == f"/products/{product['id']}"
        assert product["seller_id"] == str(seller.user_id)
        assert product["status"] == "ACTIVE"
        assert product["variants"][0]["available"] == 0
        await s.ask(AdjustStock(sku="SHIRT-M", on_hand=7, reason="count"))
        for reference in (product["id"], "blue-shirt"):
            found = await anyone("GET", f"/products/{reference}")
            assert found.status_code == 200
            assert found.json()["variants"][0]["available"] == 7
        listed = await anyone("GET", "/products?q=blu+shirt&facets=true")
        page = listed.json()
        assert [each["id"] for each in page["items"]] == [product["id"]]
        assert page["next_cursor"] is None
        assert page["facets"]["options"][0] == {
            "name": "Size",
            "value": "M",
            "count": 1,
        }
        tag = listed.headers["etag"]
        again = await anyone(
            "GET",
            "/products?q=blu+shirt&facets=true",
            headers={"If-None-Match": tag},
        )
        assert again.status_code == 304


async def test_who_may_not_is_refused(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        seller, other = anyone.signed_in("SELLER"), anyone.signed_in("SELLER")
        customer = anyone.signed_in("CUSTOMER")
        path = (await seller("POST", "/products", body())).headers["location"]
        assert code(await anyone("POST", "/products", body("B")))[0] == 401
        assert code(await customer("POST", "/products", body("B")))[0] == 403
        assert code(await other("PATCH", path, {"name": "Mine"}))[0] == 404
        assert code(await other("DELETE", path))[0] == 404
        assert code(await seller("POST", "/categories", {"name": "C"}))[0] == 403
        assert code(await customer("GET", "/reviews"))[0] == 403
        assert (await anyone("GET", path)).json()["version"] == 1


WRONG = [
    ({"role": "ADMIN"}, "role"),
    ({"name": False}, "name"),
    ({"name": "a\x00b"}, "name"),
    ({"variants": []}, "variants"),
    ({"status": "ARCHIVED"}, "status"),
    ({"slug": "Not A Slug"}, "slug"),
    ({"variants": [{"sku": "A", "price": 1999}]}, "variants.0.price"),
    (
        {"variants": [{"sku": "A", "price": {"amount": -1, "currency": "USD"}}]},
        "variants.0.price.amount",
    ),
    (
        {"variants": [{"sku": "A", "price": {"amount": 1.5, "currency": "USD"}}]},
        "variants.0.price.amount",
    ),
]


async def test_a_body_is_taken_at_its_word(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        for wrong, field in WRONG:
            answer = await admin("POST", "/products", body() | wrong)
            assert code(answer)[0] == 422
            assert field in [each["field"] for each in answer.json()["errors"]]
        assert await s.rows("products", "SELECT * FROM products") == []


async def test_an_edit_needs_the_version_that_was_seen(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        made = await admin("POST", "/products", body())
        path, seen = made.headers["location"], {"If-Match": made.headers["etag"]}
        changed = await admin("PATCH", path, {"name": "Red"}, headers=seen)
        assert (changed.json()["name"], changed.json()["version"]) == ("Red", 2)
        assert code(await admin("PATCH", path, {"name": "X"}, headers=seen))[0] == 412
        assert code(await admin("DELETE", path, headers=seen))[0] == 412
        whole = body(category_id=None, options=[{"name": "Size", "values": ["M", "L"]}])
        put = await admin("PUT", path, whole)
        assert (put.json()["name"], put.json()["version"]) == ("Blue Shirt", 3)
        added = {"sku": "SHIRT-L", "price": USD, "options": {"Size": "L"}}
        more = await admin("POST", f"{path}/variants", added)
        assert [each["sku"] for each in more.json()["variants"]] == [
            "SHIRT-M",
            "SHIRT-L",
        ]
        assert (await admin("DELETE", f"{path}/variants/SHIRT-M")).status_code == 204
        assert (await admin("DELETE", path)).status_code == 204
        assert code(await anyone("GET", path))[0] == 404


async def test_administrators_say_whose_a_product_is(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin, seller = anyone.signed_in("ADMIN"), anyone.signed_in("SELLER")
        whose = {"seller_id": str(seller.user_id)}
        made = await admin("POST", "/products", body() | whose)
        path = made.headers["location"]
        assert made.json()["seller_id"] == whose["seller_id"]
        assert (await seller("PATCH", path, {"name": "Mine"})).status_code == 200
        other = {"seller_id": str(admin.user_id)}
        assert code(await seller("PATCH", path, other)) == (403, "forbidden")
        assert code(await seller("PUT", path, body() | other)) == (403, "forbidden")
        assert code(await seller("POST", "/products", body("B") | other))[0] == 403
        assert (await seller("PUT", path, body())).json()["seller_id"] == str(
            seller.user_id
        )
        taken = await admin("PATCH", path, {"seller_id": None})
        assert taken.json()["seller_id"] is None
        assert code(await seller("PATCH", path, {"name": "X"}))[0] == 404
        assert (await admin("DELETE", path)).status_code == 204
        assert (await admin("GET", path)).json()["status"] == "ARCHIVED"
        back = await admin("POST", f"{path}/restore")
        assert (back.status_code, back.json()["status"]) == (200, "DRAFT")


async def test_an_idempotency_key_makes_one_product(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin, key = anyone.signed_in("ADMIN"), {"Idempotency-Key": str(uuid4())}
        first = await admin("POST", "/products", body(), headers=key)
        again = await admin("POST", "/products", body(), headers=key)
        assert (again.status_code, again.json()) == (201, first.json())
        other = await admin("POST", "/products", body(name="Other"), headers=key)
        assert code(other) == (422, "idempotency-key-reused")
        taken = await admin("POST", "/products", body())
        assert code(taken) == (409, "sku-taken")


async def test_the_tree_of_categories_is_a_tree(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin = anyone.signed_in("ADMIN")
        top = (await admin("POST", "/categories", {"name": "Top"})).json()
        low = await admin(
            "POST", "/categories", {"name": "Low", "parent_id": top["id"]}
        )
        assert low.status_code == 201
        tree = (await anyone("GET", "/categories")).json()["items"]
        assert [each["slug"] for each in tree] == ["top"]
        assert [each["slug"] for each in tree[0]["children"]] == ["low"]
        cycle = {"name": "Top", "parent_id": low.json()["id"]}
        path = f"/categories/{top['id']}"
        assert code(await admin("PUT", path, cycle)) == (409, "category-cycle")
        assert code(await admin("DELETE", path)) == (409, "category-in-use")


async def test_a_review_shows_when_it_was_approved(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        admin, customer = anyone.signed_in("ADMIN"), anyone.signed_in("CUSTOMER")
        path = (await admin("POST", "/products", body())).headers["location"]
        words = {"rating": 4, "comment": "Good."}
        made = await customer("POST", f"{path}/reviews", words)
        assert (made.status_code, made.json()["status"]) == (201, "PENDING")
        assert made.json()["verified_purchase"] is False
        again = await customer("POST", f"{path}/reviews", words)
        assert code(again) == (409, "review-exists")
        too_good = await customer("POST", f"{path}/reviews", words | {"rating": 6})
        assert code(too_good)[0] == 422
        waiting = (await admin("GET", "/reviews?status=PENDING")).json()["items"]
        assert [each["id"] for each in waiting] == [made.json()["id"]]
        verdict = f"/reviews/{made.json()['id']}/moderation"
        done = await admin("PUT", verdict, {"status": "APPROVED"})
        assert done.json()["status"] == "APPROVED"
        shown = (await anyone("GET", f"{path}/reviews")).json()["items"]
        assert [each["rating"] for each in shown] == [4]
        rating = (await admin("GET", path)).json()["rating"]
        assert rating == {"average": 4.0, "count": 1}


BAD_QUERIES = (
    "limit=0",
    "limit=101",
    "sort=best",
    "min_price=-1",
    "cursor=zzz",
    "q=%00",
)


async def test_a_bad_query_is_refused(shop) -> None:
    async with shop("products", "inventory") as s, edge_of(s) as anyone:
        for query in BAD_QUERIES:
            assert code(await anyone("GET", f"/products?{query}"))[0] == 422
