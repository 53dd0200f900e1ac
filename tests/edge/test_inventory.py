"""Stock over HTTP: what anybody may know, and who may change it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.edge.front import Front, key, order


async def test_stock_is_counted_promised_and_told(front: Front) -> None:
    sam, ada = await front.person("SELLER"), await front.person()
    (a,) = await front.goods(5, seller=sam)
    put = f"PUT /inventory/{a}"
    more = await sam.call(put, 200, {"delta": 3, "reason": "delivery"})
    assert (more["available"], more["warehouses"][0]["on_hand"]) == (8, 8)
    await ada.call("POST /orders", 201, order((a, 6)))
    held = await sam.call(f"GET /inventory/{a}", 200)
    (row,) = held["warehouses"]
    assert (row["on_hand"], row["reserved"], row["available"]) == (8, 6, 2)
    assert held["available"] == 2
    less = {"on_hand": 5, "reason": "count"}
    assert await sam.code(put, 409, less) == "below-reserved"
    none = {"delta": -9, "reason": "lost"}
    assert await sam.code(put, 409, none) == "below-zero"
    assert await front.available(a) == 2
    assert await front.guest.code("GET /inventory/NO-SUCH", 404) == "not-found"
    moves = await sam.call(f"GET /inventory/{a}/movements?limit=2", 200)
    assert [move["kind"] for move in moves["items"]] == ["RESERVE", "ADJUST"]
    assert moves["items"][1]["actor_id"] == str(sam.user_id)
    assert moves["items"][1]["reason"] == "delivery"
    rest = f"GET /inventory/{a}/movements?cursor={moves['next_cursor']}"
    assert [move["on_hand_after"] for move in (await sam.call(rest, 200))["items"]] == [
        5
    ]
    for query in ("limit=0", "cursor=zzz", "cursor=aGVsbG8"):
        await sam.call(f"GET /inventory/{a}/movements?{query}", 422)


async def test_stock_is_its_sellers_and_administrators_alone(front: Front) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    (a,) = await front.goods(5, seller=sam)
    count = {"on_hand": 9, "reason": "count"}
    low = {"threshold": 1}
    for line, body in (
        (f"PUT /inventory/{a}", count),
        (f"PUT /inventory/{a}/threshold", low),
        (f"GET /inventory/{a}/movements", None),
    ):
        for other in (tom, ada):
            assert await other.code(line, 403, body) == "forbidden"
        assert await front.guest.code(line, 401, body) == "authentication-required"
    for other in (tom, ada, front.guest):
        seen = await other.call(f"GET /inventory/{a}", 200)
        assert seen == {"sku": a, "available": 5}
        tag = {"If-None-Match": other.headers["etag"]}
        assert await other.call(f"GET /inventory/{a}", 304, **tag) is None
    assert (await admin.call(f"PUT /inventory/{a}", 200, count))["available"] == 9
    assert (await admin.call(f"GET /inventory/{a}", 200))["warehouses"]


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ({"colour": "red"}, 1),
        ({"on_hand": "9"}, 1),
        ({"on_hand": 1.5}, 1),
        ({"on_hand": -1}, 1),
        ({"on_hand": 10**9}, 1),
        ({"delta": 1}, 1),  # both
        ({"on_hand": None}, 1),  # neither
        ({"on_hand": None, "delta": -(10**9)}, 1),
        ({"reason": ""}, 1),
        ({"reason": "a\x00b"}, 1),
        ({"reason": None}, 1),
        ({"warehouse_id": "MAIN"}, 1),
        ({"reason": 1, "on_hand": False}, 2),
    ],
)
async def test_a_bad_count_is_refused(
    front: Front, change: dict[str, Any], count: int
) -> None:
    admin = await front.person("ADMIN")
    body = {"on_hand": 1, "reason": "count", **change}
    assert len(await admin.wrong("PUT /inventory/E-0", body)) == count


async def test_what_cannot_be_a_sku_gets_no_stock(front: Front) -> None:
    admin = await front.person("ADMIN")
    count = {"on_hand": 1, "reason": "count"}
    for sku in ("x" * 65, "a%20b", "-a", "%F0%9F%98%80"):
        assert await admin.code(f"PUT /inventory/{sku}", 404, count) == "not-found"
    nul = await admin.code("PUT /inventory/a%00b", 422, count)
    assert nul == "invalid-request"


async def test_low_stock_is_listed_to_whom_it_belongs(front: Front) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    a, b = await front.goods(2, 50, seller=sam)
    (c,) = await front.goods(1, seller=tom)
    for sku, owner in ((a, sam), (b, sam), (c, tom)):
        place = f"PUT /inventory/{sku}/threshold"
        view = await owner.call(place, 200, {"threshold": 3})
        assert view["warehouses"][0]["threshold"] == 3
    seen = (await sam.call("GET /inventory/low-stock", 200))["items"]
    assert [stock["sku"] for stock in seen] == [a]
    every = (await admin.call("GET /inventory/low-stock?limit=100", 200))["items"]
    assert {a, c} <= {stock["sku"] for stock in every}
    assert b not in {stock["sku"] for stock in every}
    assert await ada.code("GET /inventory/low-stock", 403) == "forbidden"
    nothing = {"threshold": 1}
    code = await admin.code("PUT /inventory/NO-SUCH/threshold", 404, nothing)
    assert code == "not-found"
    place = f"PUT /inventory/{a}/threshold"
    assert await sam.wrong(place, {"threshold": -1}) == ["threshold"]
    elsewhere = {"threshold": 1, "warehouse_id": str(uuid4())}
    assert await sam.code(place, 404, elsewhere) == "not-found"


async def test_warehouses_are_an_administrators(front: Front) -> None:
    sam, admin = await front.person("SELLER"), await front.person("ADMIN")
    post, once = "POST /warehouses", key()
    body = {"code": "EAST", "name": "East", "priority": 20}
    made = await admin.call(post, 201, body, **once)
    assert admin.headers["location"] == f"/warehouses/{made['id']}"
    assert await admin.call(post, 201, body, **once) == made
    other = {**body, "name": "Else"}
    assert await admin.code(post, 422, other, **once) == "idempotency-key-reused"
    assert await admin.code(post, 409, body) == "warehouse-code-taken"
    for bad in ({"code": "east"}, {"priority": -1}, {"name": "\n"}, {"size": 1}):
        assert await admin.wrong(post, {**body, **bad}) == list(bad)
    listed = (await admin.call("GET /warehouses", 200))["items"]
    assert [one["code"] for one in listed][:2] == ["MAIN", "EAST"]
    for line, sent in ((post, body), ("GET /warehouses", None)):
        assert await sam.code(line, 403, sent) == "forbidden"
        assert await front.guest.code(line, 401, sent) == "authentication-required"
    (a,) = await front.goods(5)
    there = {"on_hand": 4, "reason": "count", "warehouse_id": made["id"]}
    stock = await admin.call(f"PUT /inventory/{a}", 200, there)
    assert [row["on_hand"] for row in stock["warehouses"]] == [5, 4]
    assert await front.available(a) == 9
    nowhere = {**there, "warehouse_id": str(uuid4())}
    assert await admin.code(f"PUT /inventory/{a}", 404, nowhere) == "not-found"
