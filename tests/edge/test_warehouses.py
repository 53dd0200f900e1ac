"""Warehouses and transfers over HTTP: an administrator's, and whole or not at all."""

from typing import Any
from uuid import uuid4

from tests.edge.front import Front, Person, key, order

REASON = "relocation"


async def warehouse(admin: Person, **more: Any) -> dict[str, Any]:
    """A new one of its own code."""
    code = f"W-{uuid4().hex[:8].upper()}"
    body = {"code": code, "name": "West", "priority": 900, **more}
    made: dict[str, Any] = await admin.call("POST /warehouses", 201, body)
    return made


async def main(admin: Person) -> str:
    """The id of the shop's first warehouse."""
    listed = (await admin.call("GET /warehouses", 200))["items"]
    return str(next(one["id"] for one in listed if one["code"] == "MAIN"))


async def test_a_warehouse_is_edited_at_the_version_that_was_read(front: Front) -> None:
    admin = await front.person("ADMIN")
    made = await warehouse(admin)
    place = f"/warehouses/{made['id']}"
    assert await admin.call(f"GET {place}", 200) == made
    seen = admin.headers["etag"]
    change = {"code": made["code"], "name": "South", "priority": 901}
    after = await admin.call(f"PUT {place}", 200, change, **{"If-Match": seen})
    assert (after["name"], after["priority"], after["version"]) == ("South", 901, 2)
    old = {"If-Match": seen}
    assert await admin.code(f"PUT {place}", 412, change, **old) == "version-mismatch"
    assert await admin.code(f"DELETE {place}", 412, **old) == "version-mismatch"
    taken = {**change, "code": "MAIN"}
    assert await admin.code(f"PUT {place}", 409, taken) == "warehouse-code-taken"
    assert await admin.call(f"GET {place}", 200) == after
    free = {**change, "code": f"{made['code']}-B"}
    await admin.call(f"PUT {place}", 200, free)
    other = await warehouse(admin, code=made["code"])
    for one in (place, f"/warehouses/{other['id']}"):
        assert await admin.call(f"DELETE {one}", 204) is None
        assert await admin.code(f"GET {one}", 404) == "not-found"
        assert await admin.code(f"DELETE {one}", 404) == "not-found"
        assert await admin.code(f"PUT {one}", 404, change) == "not-found"
    for bad in ({"code": "east"}, {"priority": -1}, {"name": "\n"}, {"size": 1}):
        assert await admin.wrong(f"PUT {place}", {**change, **bad}) == list(bad)
    assert await admin.wrong(f"PUT {place}", {"code": "A", "name": "A"}) == ["priority"]


async def test_a_warehouse_with_pieces_does_not_close_and_keeps_its_history(
    front: Front,
) -> None:
    admin = await front.person("ADMIN")
    made = await warehouse(admin)
    place, (a,) = f"DELETE /warehouses/{made['id']}", await front.goods(5)
    there = {"on_hand": 4, "reason": "count", "warehouse_id": made["id"]}
    await admin.call(f"PUT /inventory/{a}", 200, there)
    assert await admin.code(place, 409) == "warehouse-in-use"
    await admin.call(f"PUT /inventory/{a}", 200, {**there, "on_hand": 0})
    await admin.call(place, 204)
    moves = (await admin.call(f"GET /inventory/{a}/movements", 200))["items"]
    assert [m["on_hand_after"] for m in moves] == [0, 4, 5]
    assert [m["number"] for m in moves] == [3, 2, 1]
    assert moves[0]["warehouse_id"] == made["id"]
    assert await admin.code(f"PUT /inventory/{a}", 404, there) == "not-found"
    stock = await admin.call(f"GET /inventory/{a}", 200)
    assert [row["on_hand"] for row in stock["warehouses"]] == [5]


async def test_pieces_are_moved_whole_or_not_at_all_and_once(front: Front) -> None:
    admin, ada = await front.person("ADMIN"), await front.person()
    away, home = (await warehouse(admin))["id"], await main(admin)
    a, b = await front.goods(5, 5)
    await ada.call("POST /orders", 201, order((b, 2)))
    post, once = "POST /inventory/transfers", key()
    ends = {"from_warehouse_id": home, "to_warehouse_id": away}
    items = [{"sku": a, "quantity": 2}, {"sku": b, "quantity": 3}]
    body = {**ends, "items": items, "reason": REASON}
    made = await admin.call(post, 201, body, **once)
    assert (made["status"], made["items"]) == ("COMPLETED", items)
    assert (made["reason"], made["actor_id"]) == (REASON, str(admin.user_id))
    place = f"/inventory/transfers/{made['id']}"
    assert admin.headers["location"] == place
    assert await admin.call(post, 201, body, **once) == made
    assert await admin.call(f"GET {place}", 200) == made
    other = {**body, "reason": "else"}
    assert await admin.code(post, 422, other, **once) == "idempotency-key-reused"
    assert (await front.available(a), await front.available(b)) == (5, 3)
    into, out = (await admin.call(f"GET /inventory/{a}/movements?limit=2", 200))[
        "items"
    ]
    assert [out["kind"], into["kind"]] == ["TRANSFER_OUT", "TRANSFER_IN"]
    assert out["transfer_id"] == into["transfer_id"] == made["id"]
    assert out["actor_id"] == into["actor_id"] == str(admin.user_id)
    again = key()
    short = await admin.call(post, 409, body, **again)
    assert short["code"] == "transfer-exceeds-available"
    assert [(e["field"], e["detail"]) for e in short["errors"]] == [(b, "0 available")]
    assert await admin.call(post, 409, body, **again) == {
        **short,
        "request_id": admin.headers["x-request-id"],
    }
    gone = await admin.call(f"GET /inventory/transfers/{short['transfer_id']}", 200)
    assert (gone["status"], gone["refused_because"]) == ("REFUSED", short["code"])
    one = {**ends, "sku": a, "quantity": 1}
    assert (await admin.call(post, 201, one))["reason"] == "transfer"
    stock = await admin.call(f"GET /inventory/{a}", 200)
    rows = {row["warehouse_id"]: row["on_hand"] for row in stock["warehouses"]}
    assert rows == {home: 2, away: 3}
    assert await admin.code(f"DELETE /warehouses/{away}", 409) == "warehouse-in-use"


async def test_a_transfer_that_cannot_be_is_refused(front: Front) -> None:
    admin = await front.person("ADMIN")
    away, home = (await warehouse(admin))["id"], await main(admin)
    post, (a,) = "POST /inventory/transfers", await front.goods(5)
    good = {
        "from_warehouse_id": home,
        "to_warehouse_id": away,
        "sku": a,
        "quantity": 1,
    }
    for change, status, code in (
        ({"to_warehouse_id": home}, 422, "same-warehouse"),
        ({"to_warehouse_id": str(uuid4())}, 404, "not-found"),
        ({"from_warehouse_id": str(uuid4())}, 404, "not-found"),
        ({"quantity": 6}, 409, "transfer-exceeds-available"),
        ({"quantity": 0}, 422, "invalid-request"),
        ({"quantity": None}, 422, "invalid-request"),
        ({"items": [{"sku": a, "quantity": 1}]}, 422, "invalid-request"),
        ({"sku": None, "quantity": None}, 422, "invalid-request"),
        ({"sku": None, "quantity": None, "items": []}, 422, "invalid-request"),
        ({"reason": "\n"}, 422, "invalid-request"),
        ({"colour": "red"}, 422, "invalid-request"),
    ):
        assert await admin.code(post, status, {**good, **change}) == code
    line = f"GET /inventory/transfers/{uuid4()}"
    assert await admin.code(line, 404) == "not-found"
    assert await front.available(a) == 5
    kinds = (await admin.call(f"GET /inventory/{a}/movements", 200))["items"]
    assert [m["kind"] for m in kinds] == ["ADJUST"]


async def test_warehouses_and_transfers_are_an_administrators_alone(
    front: Front,
) -> None:
    admin, sam = await front.person("ADMIN"), await front.person("SELLER")
    made, (a,) = await warehouse(admin), await front.goods(5, seller=sam)
    one = f"/warehouses/{made['id']}"
    move = {
        "from_warehouse_id": await main(admin),
        "to_warehouse_id": made["id"],
        "sku": a,
        "quantity": 1,
    }
    change = {"code": made["code"], "name": "Mine", "priority": 1}
    for line, body in (
        (f"GET {one}", None),
        (f"PUT {one}", change),
        (f"DELETE {one}", None),
        ("POST /inventory/transfers", move),
        (f"GET /inventory/transfers/{uuid4()}", None),
    ):
        for other in (sam, await front.person()):
            assert await other.code(line, 403, body) == "forbidden"
        assert await front.guest.code(line, 401, body) == "authentication-required"
    assert await admin.call(f"GET {one}", 200) == made
    assert await front.available(a) == 5


async def test_a_sellers_page_of_low_stock_is_full_however_many_others_run_low(
    front: Front,
) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    mine, others = [], []
    for _ in range(3):
        mine += await front.goods(0, seller=sam)
        others += await front.goods(0, 0, seller=tom)
    first = await sam.call("GET /inventory/low-stock?limit=2", 200)
    assert [one["sku"] for one in first["items"]] == sorted(mine)[:2]
    rest = f"GET /inventory/low-stock?limit=2&cursor={first['next_cursor']}"
    last = await sam.call(rest, 200)
    assert [one["sku"] for one in last["items"]] == sorted(mine)[2:]
    assert last["next_cursor"] is None
    all_of_tom = await tom.call("GET /inventory/low-stock?limit=6", 200)
    assert [one["sku"] for one in all_of_tom["items"]] == sorted(others)
    assert all_of_tom["next_cursor"] is None
    nobody = await front.person("SELLER")
    none = await nobody.call("GET /inventory/low-stock", 200)
    assert none == {"items": [], "next_cursor": None}


async def test_a_sku_that_nobody_knows_is_not_found_and_a_new_one_has_none(
    front: Front,
) -> None:
    sam, admin = await front.person("SELLER"), await front.person("ADMIN")
    count = {"on_hand": 1, "reason": "count"}
    for line, body in (
        ("GET /inventory/NO-SUCH", None),
        ("PUT /inventory/NO-SUCH", count),
        ("PUT /inventory/NO-SUCH/threshold", {"threshold": 1}),
        ("GET /inventory/NO-SUCH/movements", None),
    ):
        for who in (sam, admin):
            assert await who.code(line, 404, body) == "not-found"
    variant = {"sku": "E-NEW", "price": {"amount": 1, "currency": "USD"}}
    product = {"name": "New", "description": "New.", "variants": [variant]}
    await sam.call("POST /products", 201, product)
    assert await front.available("E-NEW") == 0
    seen = await sam.call("GET /inventory/E-NEW", 200)
    assert (seen["available"], seen["warehouses"]) == (0, [])
    assert (await sam.call("PUT /inventory/E-NEW", 200, count))["available"] == 1
