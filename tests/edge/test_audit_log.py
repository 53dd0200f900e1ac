"""Who did what to which entity: one entry a change, and none where nothing changed."""

from typing import Any
from uuid import UUID, uuid4

from bus.kit.addressing import new_id
from bus.messaging import NoteReport, SendEmail
from tests.edge.front import Front, Person, key, order

REFUND = {"reason": "broken", "amount": {"amount": 400, "currency": "USD"}}


OTHER = {"sku": "AUD-OTHER", "price": {"amount": 1000, "currency": "USD"}}


async def log_of(admin: Person, entity: object, **more: str) -> list[dict[str, Any]]:
    """The entries of one entity, the oldest first; all are of the admin's."""
    asked = "&".join(f"{name}={value}" for name, value in more.items())
    page = await admin.call(f"GET /audit?entity={entity}&{asked}", 200)
    assert page["next_cursor"] is None
    assert len({one["id"] for one in page["items"]}) == len(page["items"])
    return list(reversed(page["items"]))


def told(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(one["action"], one["before"], one["after"]) for one in entries]


async def test_stock_and_warehouses(front: Front) -> None:
    admin, (a,) = await front.person("ADMIN"), await front.goods(5)
    main = next(
        one["id"]
        for one in (await admin.call("GET /warehouses", 200))["items"]
        if one["code"] == "MAIN"
    )
    before = await log_of(admin, a)
    count = {"on_hand": 9, "reason": "count"}
    await admin.call(f"PUT /inventory/{a}", 200, count)
    asked = admin.headers["x-request-id"]
    low = {"threshold": 2}
    await admin.call(f"PUT /inventory/{a}/threshold", 200, low)
    short = {"delta": -10, "reason": "lost"}
    assert await admin.code(f"PUT /inventory/{a}", 409, short) == "below-zero"
    entries = (await log_of(admin, a))[len(before) :]
    assert told(entries) == [
        ("inventory.adjust_stock", {"on_hand": {main: 5}}, {"on_hand": {main: 9}}),
        ("inventory.set_threshold", {"threshold": {main: 0}}, {"threshold": {main: 2}}),
    ]
    assert {one["actor"] for one in entries} == {str(admin.user_id)}
    assert {one["domain"] for one in entries} == {"inventory"}
    assert entries[0]["request_id"] == asked

    once, body = (
        key(),
        {"code": f"A-{uuid4().hex[:6].upper()}", "name": "East", "priority": 900},
    )
    east = await admin.call("POST /warehouses", 201, body, **once)
    assert await admin.call("POST /warehouses", 201, body, **once) == east
    place = f"/warehouses/{east['id']}"
    body["name"] = "West"
    await admin.call(f"PUT {place}", 200, body)
    await admin.call(f"DELETE {place}", 204)
    assert [(one["action"], one["after"]) for one in await log_of(admin, east["id"])][
        1:
    ] == [
        ("inventory.update_warehouse", {"name": "West"}),
        ("inventory.close_warehouse", None),
    ]
    assert told(await log_of(admin, east["id"]))[0][:2] == (
        "inventory.create_warehouse",
        None,
    )


async def test_pieces_that_move(front: Front) -> None:
    admin, (a,) = await front.person("ADMIN"), await front.goods(5)
    places = (await admin.call("GET /warehouses", 200))["items"]
    main = next(one["id"] for one in places if one["code"] == "MAIN")
    body = {"code": f"T-{uuid4().hex[:6].upper()}", "name": "East", "priority": 900}
    east = (await admin.call("POST /warehouses", 201, body))["id"]
    ends = {"from_warehouse_id": main, "to_warehouse_id": east}
    asked, once = {**ends, "sku": a, "quantity": 2}, key()
    made = await admin.call("POST /inventory/transfers", 201, asked, **once)
    await admin.call("POST /inventory/transfers", 201, asked, **once)
    facts = {"from": main, "to": east, "quantities": {a: 2}}
    entries = await log_of(admin, made["id"])
    assert told(entries) == [("inventory.begin_transfer", None, facts)]
    assert [one["actor"] for one in entries] == [str(admin.user_id)]
    await admin.call(
        "POST /inventory/transfers",
        201,
        {
            "from_warehouse_id": east,
            "to_warehouse_id": main,
            "sku": a,
            "quantity": 2,
        },
    )
    await admin.call(f"DELETE /warehouses/{east}", 204)


async def test_products(front: Front) -> None:
    seller, admin = await front.person("SELLER"), await front.person("ADMIN")
    sku = f"AUD-{uuid4().hex[:8]}"
    body: dict[str, Any] = {
        "name": "Lamp",
        "description": "Gives light.",
        "variants": [{"sku": sku, "price": {"amount": 1000, "currency": "USD"}}],
    }
    once = key()
    made = await seller.call("POST /products", 201, body, **once)
    assert await seller.call("POST /products", 201, body, **once) == made
    place = f"/products/{made['id']}"
    price = {"variants": [{"sku": sku, "price": {"amount": 900, "currency": "USD"}}]}
    await admin.call(f"PATCH {place}", 200, price)
    await admin.call(f"PATCH {place}", 200, {"name": "Bright lamp"})
    stranger = await front.person("SELLER")
    await stranger.call(f"PATCH {place}", 404, {"name": "Mine"})
    await admin.call(f"DELETE {place}", 204)
    entries = await log_of(admin, made["id"])
    assert [one["actor"] for one in entries] == [
        str(seller.user_id),
        *[str(admin.user_id)] * 3,
    ]
    assert told(entries[1:]) == [
        ("products.update_product", {"prices": {sku: 1000}}, {"prices": {sku: 900}}),
        ("products.update_product", {}, {"changed": ["name"]}),
        ("products.archive_product", {"status": "ACTIVE"}, {"status": "ARCHIVED"}),
    ]
    assert "Lamp" not in str(entries)


async def test_reviews_and_categories(front: Front) -> None:
    seller, admin = await front.person("SELLER"), await front.person("ADMIN")
    body = {"name": "Lamp", "description": "Gives light.", "variants": [OTHER]}
    other = await seller.call("POST /products", 201, body)
    review = {"rating": 4, "comment": "Bright, and Ada likes it."}
    ada = await front.person()
    place = f"/products/{other['id']}/reviews"
    written = await ada.call(f"POST {place}", 201, review)
    verdict = {"status": "APPROVED"}
    for _ in range(2):
        await admin.call(f"PUT /reviews/{written['id']}/moderation", 200, verdict)
    assert told(await log_of(admin, written["id"])) == [
        (
            "products.moderate_review",
            {"status": "PENDING"},
            {"status": "APPROVED", "product_id": other["id"]},
        )
    ]

    tree = await admin.call("POST /categories", 201, {"name": "Lamps"})
    await admin.call(f"PUT /categories/{tree['id']}", 200, {"name": "Lights"})
    await admin.call(f"DELETE /categories/{tree['id']}", 204)
    assert [one["action"] for one in await log_of(admin, tree["id"])] == [
        "products.create_category",
        "products.update_category",
        "products.delete_category",
    ]


async def test_people_and_their_rights(front: Front) -> None:
    admin, ada = await front.person("ADMIN"), await front.person()
    place = f"/users/{ada.user_id}"
    await admin.call(f"PUT {place}/role", 200, {"role": "SELLER"})
    await admin.call(f"PUT {place}/role", 200, {"role": "SELLER"})
    await admin.call(f"PUT {place}/status", 200, {"status": "BLOCKED"})
    own = f"PUT /users/{admin.user_id}/role"
    await admin.call(own, 409, {"role": "CUSTOMER"})
    assert told(await log_of(admin, ada.user_id)) == [
        ("users.change_role", {"role": "CUSTOMER"}, {"role": "SELLER"}),
        ("users.change_status", {"status": "ACTIVE"}, {"status": "BLOCKED"}),
    ]
    assert await log_of(admin, admin.user_id) == []

    word, new = "four grey umbrellas", "nine blue umbrellas"
    names = {"first_name": "Eve", "last_name": "Stone"}
    eve = {"email": "eve.audited@example.com", "password": word, **names}
    session = await front.guest.call("POST /auth/register", 201, eve)
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    change = {"current_password": word, "new_password": new}
    for body, status in (({**change, "new_password": "short"}, 422), (change, 204)):
        await front.guest.call("POST /auth/change-password", status, body, **bearer)
    await front.guest.call("DELETE /users/profile", 204, **bearer)
    entries = await log_of(admin, session["user"]["id"])
    assert {entry["actor"] for entry in entries} == {session["user"]["id"]}
    assert told(entries) == [
        (
            "users.set_password",
            None,
            {"changed": ["password"], "allowed_by": "password"},
        ),
        ("users.erase_user", None, None),
    ]


async def test_templates_and_addresses_that_bounced(front: Front) -> None:
    admin, ada = await front.person("ADMIN"), await front.person()
    words = {"subject": "S", "mjml": "<mj-text>A</mj-text>", "text": "T"}
    once, new = key(), {"name": "audited", "locale": "de", **words}
    made = await admin.call("POST /email-templates", 201, new, **once)
    assert await admin.call("POST /email-templates", 201, new, **once) == made
    await admin.code("POST /email-templates", 409, new)
    place = "/email-templates/audited?locale=de"
    await admin.call(f"PUT {place}", 200, {**words, "subject": "Spring"})
    await admin.call(f"DELETE {place}", 204)
    await admin.code(f"DELETE {place}", 404)
    entries = await log_of(admin, "audited/de")
    assert told(entries) == [
        ("messaging.create_template", None, {"version": 1}),
        (
            "messaging.change_template",
            {"version": 1},
            {"version": 2, "changed": ["subject"]},
        ),
        ("messaging.remove_template", {"version": 2}, None),
    ]
    assert "Spring" not in str(entries)

    address = f"{uuid4().hex}@bounced.example"
    mail = SendEmail(
        message_id=new_id(),
        to=address,
        template="letter",
        data={"subject": "S", "text": "T"},
        user_id=UUID(str(ada.user_id)),
    )
    await front.shop.ask(mail)
    report = NoteReport(message_id=mail.message_id, end="hard", reason="bounced-5.1.1")
    await front.shop.ask(report)
    await admin.call(f"DELETE /messages/suppressions/{address}", 204)
    await admin.code(f"DELETE /messages/suppressions/{address}", 404)
    entries = await log_of(admin, ada.user_id)
    assert told(entries) == [
        ("messaging.remove_suppression", {"suppressed": True}, None)
    ]
    assert [entry["actor"] for entry in entries] == [str(admin.user_id)]
    assert address not in str(entries)


async def test_orders_and_money(front: Front) -> None:
    admin, ada, (a,) = (
        await front.person("ADMIN"),
        await front.person(),
        await front.goods(9),
    )
    made = await ada.call("POST /orders", 201, order((a, 1)))
    other = await ada.call("POST /orders", 201, order((a, 1)))
    assert await log_of(admin, made["id"]) == []
    await admin.call(f"PUT /orders/{made['id']}/status", 200, {"status": "PROCESSING"})
    await admin.call(f"PUT /orders/{made['id']}/status", 409, {"status": "PROCESSING"})
    await admin.call(f"PUT /orders/{other['id']}/cancel", 200)
    await ada.call(f"PUT /orders/{other['id']}/cancel", 409)
    assert told(await log_of(admin, made["id"])) == [
        (
            "orders.begin_advance",
            {"status": "CONFIRMED"},
            {"status": "PROCESSING", "step": "PROCESSING"},
        )
    ]
    assert told(await log_of(admin, other["id"])) == [
        ("orders.begin_cancel", {"status": "CONFIRMED"}, {"status": "CANCELLED"})
    ]
    once, pay = key(), f"/payments/{made['payment']['id']}"
    refund = await admin.call(f"POST {pay}/refunds", 201, REFUND, **once)
    assert await admin.call(f"POST {pay}/refunds", 201, REFUND, **once) == refund
    more = {**REFUND, "amount": {"amount": 900, "currency": "USD"}}
    await admin.call(f"POST {pay}/refunds", 409, more)
    entries = await log_of(admin, made["payment"]["id"])
    pending, done = [refund["id"], "PENDING"], [refund["id"], "COMPLETED"]
    assert told(entries) == [
        ("payments.open_refund", None, {"refund": pending, "amount": [400, "USD"]}),
        ("payments.close_refund", {"refund": pending}, {"refund": done}),
    ]
    assert {one["actor"] for one in entries} == {str(admin.user_id)}
    assert "broken" not in str(entries)

    method = await ada.call(
        "POST /payments/methods", 201, {"method": "CREDIT_CARD", "token": "tok_visa"}
    )
    await ada.call(f"DELETE /payments/methods/{method['id']}", 204)
    (gone,) = await log_of(admin, method["id"])
    assert (gone["action"], gone["actor"]) == (
        "payments.remove_method",
        str(ada.user_id),
    )


async def test_the_log_is_for_admins_and_pages_stay_where_they_were(
    front: Front,
) -> None:
    admin, seller = await front.person("ADMIN"), await front.person("SELLER")
    assert await front.guest.code("GET /audit", 401) == "authentication-required"
    assert await seller.code("GET /audit", 403) == "forbidden"
    (a,) = await front.goods(1)
    for pieces in range(2, 7):
        body = {"on_hand": pieces, "reason": "count"}
        await admin.call(f"PUT /inventory/{a}", 200, body)
        await admin.call("POST /categories", 201, {"name": f"Of {a} {pieces}"})
    asked = f"GET /audit?actor={admin.user_id}&limit=4"
    first = await admin.call(asked, 200)
    # What happens meanwhile comes before the first page, and moves no other.
    await admin.call(f"PUT /inventory/{a}", 200, {"on_hand": 50, "reason": "count"})
    found, cursor = first["items"], first["next_cursor"]
    while cursor is not None:
        page = await admin.call(f"{asked}&cursor={cursor}", 200)
        found, cursor = found + page["items"], page["next_cursor"]
    assert [one["domain"] for one in found] == ["products", "inventory"] * 5
    assert [one["id"] for one in found] == sorted(
        (one["id"] for one in found), reverse=True
    )
    since = found[2]["at"].replace("+00:00", "Z")
    page = await admin.call(f"{asked}&since={since}&entity={a}", 200)
    pieces = [*(one["after"]["on_hand"].values() for one in page["items"])]
    assert [list(each) for each in pieces] == [[50], [6]]
    nobody = await admin.call(f"GET /audit?actor={uuid4()}", 200)
    assert nobody == {"items": [], "next_cursor": None}
    for wrong in ("since=yesterday", "limit=0", "entity=", "actor="):
        assert await admin.code(f"GET /audit?{wrong}", 422) == "invalid-request", wrong
    assert await admin.code("GET /audit?cursor=!", 422) == "invalid-cursor"
