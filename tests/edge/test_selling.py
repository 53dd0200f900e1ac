"""Sellers over HTTP: their dashboard, their shipments, and parcels that arrive."""

from tests.edge.front import Front, key, order

PARCEL = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}
DELIVERIES = "POST /shipments/deliveries"


async def test_what_a_seller_has_to_do_until_it_arrives(front: Front) -> None:
    sam, sue = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    a, b = await front.goods(9, 9, seller=sam)
    (other,) = await front.goods(9, seller=sue)
    made = await ada.call("POST /orders", 201, order((a, 2), (b, 1), (other, 1)))

    board = await sam.call("GET /sellers/dashboard", 200)
    assert (board["seller_id"], board["more"]) == (str(sam.user_id), False)
    money = {"amount": 3000, "currency": "USD"}
    assert board["totals"] == {"orders": 1, "items": 2, "amount": money}
    line = next(one for one in board["items"] if one["sku"] == a)
    assert line == {
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
    assert await sam.code(f"GET /sellers/dashboard?seller={sue.user_id}", 403)
    for wrong in ("limit=101", "limit=0", "seller=sam"):
        code = await sam.code(f"GET /sellers/dashboard?{wrong}", 422)
        assert code == "invalid-request"

    await admin.call(f"PUT /orders/{made['id']}/status", 200, PARCEL)
    page = await sam.call("GET /sellers/shipments?status=SHIPPED", 200)
    (parcel,) = page["items"]
    assert parcel == {
        "id": parcel["id"],
        "order_id": made["id"],
        "number": made["number"],
        "seller_id": str(sam.user_id),
        "status": "SHIPPED",
        "carrier": "DHL",
        "tracking_number": "1Z",
        "items": {a: 2, b: 1},
        "shipped_at": parcel["shipped_at"],
        "delivered_at": None,
    }
    for number in (1, 2):
        again = await ada.call("POST /orders", 201, order((a, number)))
        await sam.call(f"PUT /orders/{again['id']}/status", 200, PARCEL)
    first = await sam.call("GET /sellers/shipments?limit=2", 200)
    path = f"GET /sellers/shipments?limit=2&cursor={first['next_cursor']}"
    rest = await sam.call(path, 200)
    assert [one["items"] for one in (*first["items"], *rest["items"])] == [
        *({a: 2, b: 1}, {a: 1}, {a: 2})
    ]
    assert rest["next_cursor"] is None
    assert await sam.code("GET /sellers/shipments?cursor=!", 422) == "invalid-cursor"

    once = key()
    done = await admin.call(DELIVERIES, 200, {"sellers_max": 100}, **once)
    mine = {one["seller_id"]: one for one in done["items"]}
    assert len(mine) == len(done["items"])
    assert mine[str(sam.user_id)]["shipment_id"] == parcel["id"]
    assert mine[str(sue.user_id)]["order_id"] == made["id"]
    assert await admin.call(DELIVERIES, 200, {"sellers_max": 100}, **once) == done
    reused = await admin.code(DELIVERIES, 422, {"sellers_max": 1}, **once)
    assert reused == "idempotency-key-reused"
    assert (await ada.call(f"GET /orders/{made['id']}", 200))["status"] == "DELIVERED"
    board = await sam.call("GET /sellers/dashboard", 200)
    assert {one["order_id"] for one in board["items"]}.isdisjoint({made["id"]})
    assert board["totals"]["orders"] == 2
    page = await sam.call("GET /sellers/shipments?status=DELIVERED", 200)
    assert [one["id"] for one in page["items"]] == [parcel["id"]]
    log = await admin.call(f"GET /audit?entity={made['id']}", 200)
    entries = [
        one for one in log["items"] if one["action"] == "orders.deliver_shipment"
    ]
    assert {one["actor"] for one in entries} == {str(admin.user_id)}
    assert len(entries) == 2


async def test_how_many_sellers_is_bounded(front: Front) -> None:
    admin = await front.person("ADMIN")
    for wrong in (0, 101, "10", True, None):
        assert await admin.wrong(DELIVERIES, {"sellers_max": wrong}) == ["sellers_max"]
