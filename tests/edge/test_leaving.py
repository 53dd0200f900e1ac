"""A person takes their data home, then leaves: nothing of them is found any more."""

from pathlib import Path

import pytest

from bus.messaging import NoteReport
from tests.edge.front import CARD, Front, Person, order
from tests.files.samples import PDF, picture
from tests.kit.needles import Needles
from tests.payments.support import until
from tests.users.persons import PASSWORD, mailed_code

NAME = {"first_name": "Xanthippe", "last_name": "Quillfeather"}
EMAIL = "xanthippe.quillfeather@erasure.example"
PHONE = "+447700900123"
HOUSE = {
    "name": "Xanthippe Quillfeather",
    "line1": "77 Zugzwang Crescent",
    "city": "Llanfairpwll",
    "postal_code": "QX9 9ZZ",
    "country": "GB",
    "phone": PHONE,
}
NEEDLES = Needles(
    *("Xanthippe", "Quillfeather", "Zugzwang", "Llanfairpwll", "QX9 9ZZ"),
    *(EMAIL, PHONE),
)
PLANTED = {
    "users": {
        *("users.email", "users.first_name", "users.last_name", "users.phone"),
        *("addresses.name", "addresses.line1", "addresses.city"),
        *("addresses.postal_code", "addresses.phone", "claims.value"),
        "identities.subject",
    },
    "products": {"reviews.title", "reviews.comment", "reviews.reason"},
    "orders": {"orders.shipping"},
    "payments": {"refunds.reason"},
    "messaging": {
        *("messages.recipient", "mailbox.recipient", "mailbox.content"),
        "suppressions.address",
    },
}
IDENTITY = """
INSERT INTO identities (issuer, subject, user_id, created_at)
VALUES ('https://issuer.example', 'quillfeather-1', $1, now())
"""
IDENTITY_CLAIM = """
INSERT INTO claims (kind, value, owner_id)
VALUES ('identity', 'https://issuer.example quillfeather-1', $1)
"""
BOOKS = """
SELECT id, number, items_amount, discount_amount, shipping_amount, tax_amount,
  grand_amount, (SELECT sum(quantity * unit_amount) FROM order_lines
                 WHERE order_id = orders.id) AS lines
FROM orders WHERE user_id = $1 ORDER BY id
"""


async def found(front: Front) -> dict[str, set[str]]:
    """Where something of the person rests, by domain."""
    looked = {
        name: await NEEDLES.in_database(url) for name, url in front.shop.urls.items()
    }
    return {name: places for name, places in looked.items() if places}


async def come_due(front: Front, *names: str) -> None:
    """Let what waits under these names happen now, and wait until it has."""
    for domain in front.shop.urls:
        await front.shop.rows(
            domain,
            "UPDATE due SET at = now() WHERE name = ANY($1) OR name LIKE 'contents:%'",
            list(names),
        )

    async def over() -> bool:
        sql = "SELECT name FROM due WHERE at <= now()"
        return not [
            row for name in front.shop.urls for row in await front.shop.rows(name, sql)
        ]

    await until(over)


async def xanthippe(front: Front) -> Person:
    """Somebody with names that nobody else has, a phone, a house and a card."""
    account = {"email": EMAIL, "password": PASSWORD, **NAME}
    made = await front.guest.call("POST /auth/register", 201, account)
    code = await mailed_code(front.shop, to=EMAIL)
    proof = {"email": EMAIL, "code": code}
    await front.guest.call("POST /auth/verify-email", 204, proof)
    me = front.guest.holding(Authorization=f"Bearer {made['access_token']}")
    me.user_id = made["user"]["id"]
    await me.call("PUT /users/profile", 200, {**NAME, "phone": PHONE})
    await me.call("POST /users/addresses", 201, HOUSE)
    await me.call("POST /payments/methods", 201, CARD)
    channels = {"types": {"ORDER_CONFIRMATION": {"sms": True}}}
    await me.call("PUT /notifications/preferences", 200, channels)
    sent = await front.http.post(
        "/upload",
        files={"file": ("me.jpg", picture(200, 100))},
        data={"entity_type": "user", "entity_id": str(me.user_id)},
        headers=me._headers,
    )
    assert sent.status_code == 201, sent.text
    return me


async def elsewhere(front: Front, me: Person) -> None:
    """Xanthippe signs in with an issuer too; an invoice is kept; and a mail bounces."""
    await front.shop.rows("users", IDENTITY, me.user_id)
    await front.shop.rows("users", IDENTITY_CLAIM, me.user_id)
    invoice = PDF.replace(b"trailer", b"% for Quillfeather\ntrailer")
    sent = await front.http.post(
        "/upload",
        files={"file": ("invoice.pdf", invoice)},
        data={"entity_type": "order", "entity_id": "one"},
        headers=me._headers,
    )
    assert sent.status_code == 201, sent.text
    sql = "SELECT message_id FROM messages WHERE recipient = $1 ORDER BY 1 LIMIT 1"
    (row,) = await front.shop.rows("messaging", sql, EMAIL)
    bounced = NoteReport(message_id=row["message_id"], end="hard", reason="bounced")
    await front.shop.ask(bounced)


async def shopping(front: Front, me: Person, admin: Person) -> str:
    """One order arrives, one is paid back, one cancelled, two stay open; a review."""
    seller = await front.person("SELLER")
    (sku,) = await front.goods(50, seller=seller)
    mine = {"shipping_address": HOUSE}
    arrived = await me.call("POST /orders", 201, order((sku, 1), **mine))
    for step in (
        {"status": "PROCESSING"},
        {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"},
        {"status": "DELIVERED"},
    ):
        await admin.call(f"PUT /orders/{arrived['id']}/status", 200, step)
    refund = {"amount": {"amount": 300, "currency": "USD"}, "reason": "for Xanthippe"}
    refunds = f"POST /payments/{arrived['payment']['id']}/refunds"
    await admin.call(refunds, 201, refund)
    cancelled = await me.call("POST /orders", 201, order((sku, 2), **mine))
    await me.call(f"PUT /orders/{cancelled['id']}/cancel", 200)
    await me.call("POST /orders", 201, order((sku, 3), **mine))
    later = {"method": "CREDIT_CARD", "token": "tok_pending_60000"}
    await me.call("POST /orders", 202, order((sku, 4), **mine, payment=later))
    lookup = {"number": arrived["number"], "email": EMAIL}
    await front.guest.call("POST /orders/lookup", 202, lookup)
    await me.call("POST /cart/items", 200, {"sku": sku, "quantity": 1})
    page = await front.guest.call(f"GET /products?seller={seller.user_id}", 200)
    place = f"/products/{page['items'][0]['id']}"
    words = {"rating": 4, "title": "By Xanthippe", "comment": "Sits in Llanfairpwll."}
    review = await me.call(f"POST {place}/reviews", 201, words)
    verdict = {"status": "APPROVED", "reason": "Quillfeather is known"}
    await admin.call(f"PUT /reviews/{review['id']}/moderation", 200, verdict)
    return place


@pytest.mark.full
async def test_who_leaves_is_found_nowhere_and_the_books_are_the_same(
    front: Front,
) -> None:
    admin, me = await front.person("ADMIN"), await xanthippe(front)
    other = await front.person()
    place = await shopping(front, me, admin)
    await front.shop.deliver()

    async def mailed() -> bool:
        log = await admin.call(f"GET /messages?recipient={EMAIL}&limit=100", 200)
        return all(one["status"] == "SENT" for one in log["items"])

    await until(mailed)
    await elsewhere(front, me)
    before = await front.shop.rows("orders", BOOKS, me.user_id)
    assert len(before) == 4
    planted = await found(front)
    assert {name: places & planted[name] for name, places in PLANTED.items()} == PLANTED
    assert planted.keys() == PLANTED.keys()
    folder: Path = front.shop.settings.data_dir
    assert len(NEEDLES.in_files(folder)) == 1
    await _takes_it_home(front, me, other)

    await me.call("DELETE /users/profile", 204)
    await front.shop.deliver()
    await _comes_too_late(front, me)
    await front.shop.rows(  # as if it was being written when the person went
        "products",
        "UPDATE reviews SET comment = 'Zugzwang' WHERE user_id = $1",
        me.user_id,
    )
    names = [f"{what}:{me.user_id}" for what in ("recipients", "reviews", "files")]
    await come_due(front, *names, f"erase:{me.user_id}")
    await front.shop.deliver()
    assert await found(front) == {}
    assert NEEDLES.in_files(folder) == []
    events = str(await front.shop.events()).encode()
    assert not NEEDLES.in_bytes(events)

    assert await front.shop.rows("orders", BOOKS, me.user_id) == before
    await _left_behind(front, admin, me, place)
    account = {"email": EMAIL, "password": PASSWORD}
    assert await front.guest.code("POST /auth/login", 401, account) == (
        "invalid-credentials"
    )


async def _takes_it_home(front: Front, me: Person, other: Person) -> None:
    """Everything of one's own is in the file, and nothing of anybody else."""
    mine = await me.call("GET /users/export", 200)
    assert "attachment" in me.headers["content-disposition"]
    assert mine["profile"]["email"] == EMAIL
    assert mine["profile"]["phone"] == PHONE
    counts = {
        name: len(mine[name])
        for name in ("addresses", "sessions", "orders", "payment_methods", "reviews")
    }
    assert counts == {
        "addresses": 1,
        "sessions": 1,
        "orders": 4,
        "payment_methods": 1,
        "reviews": 1,
    }
    assert mine["addresses"][0]["line1"] == HOUSE["line1"]
    assert mine["payment_methods"][0]["last4"] == "4242"
    assert [line["quantity"] for line in mine["cart"]["items"]] == [1]
    first = mine["orders"][-1]
    assert first["order"]["shipping_address"]["name"] == HOUSE["name"]
    assert [step["reason"] for step in first["timeline"]][:2] == ["placed", "paid"]
    assert [one["status"] for one in first["payments"][0]["attempts"]] == ["SUCCEEDED"]
    assert [one["entity_type"] for one in mine["files"]] == ["user", "order"]
    for file in mine["files"]:
        opened = await front.http.get(file["signed"]["url"])
        assert (opened.status_code, opened.headers["content-type"]) == (
            *(200, file["media_type"]),
        )
    assert [(one["issuer"], one["subject"]) for one in mine["identities"]] == [
        ("https://issuer.example", "quillfeather-1")
    ]
    assert mine["notification_preferences"]["types"]["ORDER_CONFIRMATION"]["sms"]
    assert {one["type"] for one in mine["notifications"]} >= {"ORDER_CONFIRMATION"}
    assert {one["recipient"] for one in mine["messages"]} == {EMAIL, PHONE}
    assert mine["truncated"] == []
    theirs = await other.call("GET /users/export", 200)
    assert theirs["orders"] == theirs["messages"] == theirs["files"] == []


async def _comes_too_late(front: Front, me: Person) -> None:
    """What was on its way with a token that still counted is taken by nobody.

    The gateway of these tests has not heard that the session ended.
    """
    words = {"rating": 1, "comment": "By Xanthippe"}
    other = (await front.goods(1))[0]
    page = await front.guest.call(f"GET /products?q={other}", 200)
    elsewhere = next(one["id"] for one in page["items"] if one["name"] == other)
    for line, body in (
        ("POST /users/addresses", HOUSE),
        ("PUT /users/profile", {**NAME, "phone": PHONE}),
        ("POST /payments/methods", CARD),
        ("POST /orders", order((other, 1), shipping_address=HOUSE)),
        (f"POST /products/{elsewhere}/reviews", words),
        ("PUT /notifications/preferences", {"types": {"PROMOTION": {"sms": True}}}),
        ("GET /users/export", None),
    ):
        assert await me.code(line, 404, body) == "not-found", line
    sent = await front.http.post(
        "/upload",
        files={"file": ("me.jpg", picture(200, 100))},
        data={"entity_type": "user", "entity_id": "Xanthippe"},
        headers=me._headers,
    )
    assert sent.status_code == 404, sent.text
    assert await front.available(other) == 1


async def _left_behind(front: Front, admin: Person, me: Person, place: str) -> None:
    """Orders without the person, stars without words, and nobody to write to."""
    orders = (await admin.call(f"GET /orders?user_id={me.user_id}", 200))["items"]
    assert {one["shipping_address"]["name"] for one in orders} == {"[erased]"}
    assert {one["shipping_address"]["country"] for one in orders} == {"GB"}
    assert sorted(one["status"] for one in orders) == [
        *("CANCELLED", "CANCELLED", "CANCELLED", "PARTIALLY_REFUNDED"),
    ]
    taken = await front.shop.rows(
        "payments",
        "SELECT captured_minor - refunded_minor AS left FROM payments"
        " WHERE user_id = $1 AND captured_minor > 0 ORDER BY 1",
        me.user_id,
    )
    assert [row["left"] for row in taken] == [0, 0, 700]
    shown = await front.guest.call(f"GET {place}", 200)
    assert shown["rating"] == {"average": 4.0, "count": 1}
    (review,) = (await front.guest.call(f"GET {place}/reviews", 200))["items"]
    assert (review["rating"], review["title"], review["comment"]) == (4, None, "")
    for domain, table in (
        *(("users", "users"), ("users", "sessions"), ("payments", "payment_methods")),
        *(("notifications", "notifications"), ("notifications", "preferences")),
        *(("messaging", "messages"), ("messaging", "erased_recipients")),
    ):
        where = "id" if table == "users" else "user_id"
        sql = f"SELECT {where} FROM {table} WHERE {where} = $1"
        assert await front.shop.rows(domain, sql, me.user_id) == [], table
    private = "SELECT id FROM files WHERE owner_id = $1"
    assert await front.shop.rows("files", private, me.user_id) == []
    assert await admin.code(f"PUT /users/{me.user_id}/status", 404, BLOCK) == (
        "not-found"
    )


BLOCK = {"status": "BLOCKED"}
