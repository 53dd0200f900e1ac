"""Sellers over HTTP: their dashboard, their shipments, and parcels that arrive."""

from typing import Any

from tests.edge.front import Front, Person, key, order

PARCEL = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}
DELIVERIES = "POST /shipments/deliveries"


async def shipped(admin: Person, buyer: Person, *lines: tuple[str, int]) -> Any:
    """An order of these lines, all on its way."""
    made = await buyer.call("POST /orders", 201, order(*lines))
    return await admin.call(f"PUT /orders/{made['id']}/status", 200, PARCEL)


async def test_a_dashboard_shows_what_is_to_be_done(front: Front) -> None:
    sam, sue = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    a, b = await front.goods(9, 9, seller=sam)
    (other,) = await front.goods(9, seller=sue)
    made = await ada.call("POST /orders", 201, order((a, 2), (b, 1), (other, 1)))
    board = await sam.call("GET /sellers/dashboard", 200)
    assert (board["seller_id"], board["more"]) == (str(sam.user_id), False)
    money = {"amount": 3000, "currency": "USD"}
    assert board["totals"] == {"orders": 1, "items": 2, "amount": money}
    assert next(one for one in board["items"] if one["sku"] == a) == {
        "order_id": made["id"],
        "number": made["number"],
        "sku": a,
        "product_id": made["items"][0]["product_id"],
        "name": made["items"][0]["name"],
        "quantity": 2,
        "total": {"amount": 2000, "currency": "USD"},
        "status": "CONFIRMED",
        "placed_at": made["created_at"],
    }
    few = await admin.call(f"GET /sellers/dashboard?limit=1&seller={sam.user_id}", 200)
    assert (len(few["items"]), few["more"], few["totals"]) == (1, True, board["totals"])
    code = await sam.code(f"GET /sellers/dashboard?seller={sue.user_id}", 403)
    assert code == "forbidden"
    for wrong in ("limit=101", "limit=0", "seller=sam"):
        code = await sam.code(f"GET /sellers/dashboard?{wrong}", 422)
        assert code == "invalid-request"


async def test_a_seller_pages_through_own_shipments(front: Front) -> None:
    sam, ada = await front.person("SELLER"), await front.person()
    a, b = await front.goods(9, 9, seller=sam)
    made = await shipped(sam, ada, (a, 2), (b, 1))
    for number in (1, 2):
        await shipped(sam, ada, (a, number))
    first = await sam.call("GET /sellers/shipments?status=SHIPPED&limit=2", 200)
    assert first["items"][0] == {
        "id": made["shipments"][0]["id"],
        "order_id": made["id"],
        "number": made["number"],
        "seller_id": str(sam.user_id),
        "status": "SHIPPED",
        "carrier": "DHL",
        "tracking_number": "1Z",
        "items": {a: 2, b: 1},
        "shipped_at": made["shipments"][0]["created_at"],
        "delivered_at": None,
    }
    path = f"GET /sellers/shipments?limit=2&cursor={first['next_cursor']}"
    rest = await sam.call(path, 200)
    assert [one["items"] for one in (*first["items"], *rest["items"])] == [
        *({a: 2, b: 1}, {a: 1}, {a: 2})
    ]
    assert rest["next_cursor"] is None
    assert await sam.code("GET /sellers/shipments?cursor=!", 422) == "invalid-cursor"
    none = await sam.call("GET /sellers/shipments?status=DELIVERED", 200)
    assert none == {"items": [], "next_cursor": None}


async def test_the_oldest_parcels_arrive_once_by_their_key(front: Front) -> None:
    sam, sue = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    ((a,), (b,)) = await front.goods(9, seller=sam), await front.goods(9, seller=sue)
    made = await shipped(admin, ada, (a, 1), (b, 1))
    mine = {one["seller_id"]: one["id"] for one in made["shipments"]}
    assert set(mine) == {str(sam.user_id), str(sue.user_id)}
    await shipped(sam, ada, (a, 1))

    once = key()
    done = await admin.call(DELIVERIES, 200, {"sellers_max": 100}, **once)
    sellers = [one["seller_id"] for one in done["items"]]
    assert len(sellers) == len(set(sellers))
    ours = [one for one in done["items"] if one["seller_id"] in mine]
    assert {one["seller_id"]: one["shipment_id"] for one in ours} == mine
    assert {one["order_id"] for one in ours} == {made["id"]}
    assert await admin.call(DELIVERIES, 200, {"sellers_max": 100}, **once) == done
    reused = await admin.code(DELIVERIES, 422, {"sellers_max": 1}, **once)
    assert reused == "idempotency-key-reused"
    assert (await ada.call(f"GET /orders/{made['id']}", 200))["status"] == "DELIVERED"
    board = await sam.call("GET /sellers/dashboard", 200)
    assert board["totals"]["orders"] == 1
    page = await sam.call("GET /sellers/shipments?status=DELIVERED", 200)
    assert [one["id"] for one in page["items"]] == [mine[str(sam.user_id)]]
    log = await admin.call(f"GET /audit?entity={made['id']}", 200)
    steps = [one for one in log["items"] if one["action"].endswith("deliver_shipment")]
    assert [one["actor"] for one in steps] == [str(admin.user_id)] * 2


async def test_how_many_sellers_is_bounded(front: Front) -> None:
    admin = await front.person("ADMIN")
    for wrong in (0, 101, "10", True, None):
        assert await admin.wrong(DELIVERIES, {"sellers_max": wrong}) == ["sellers_max"]
