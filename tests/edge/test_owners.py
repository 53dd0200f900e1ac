"""Whose an order is: its buyer's, a guest's by token, a seller's by line."""

import asyncio
from uuid import uuid4

from tests.edge.front import Front, key, order

PROCESSING = {"status": "PROCESSING"}
SHIPPED = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}


async def test_to_everybody_else_an_order_is_not_there(front: Front) -> None:
    (a,) = await front.goods(5)
    ada, bob = await front.person(), await front.person()
    seller = await front.person("SELLER")
    made = await ada.call("POST /orders", 201, order((a, 1)))
    place, payment = f"/orders/{made['id']}", made["payment"]["id"]
    forged = front.guest.holding(X_Order_Token="x" * 43)
    for other in (bob, seller, front.guest, forged):
        for line in (
            f"GET {place}",
            f"GET {place}/timeline",
            f"PUT {place}/cancel",
            f"GET /payments/{payment}",
            f"GET /payments?order_id={made['id']}",
        ):
            assert await other.code(line, 404) == "not-found"
    assert await seller.code(f"PUT {place}/status", 404, PROCESSING) == "not-found"
    assert await ada.code(f"PUT {place}/status", 403, PROCESSING) == "forbidden"
    assert await front.guest.code(f"PUT {place}/status", 401) == (
        "authentication-required"
    )
    assert await ada.code(f"GET /orders/{uuid4()}", 404) == "not-found"
    assert await ada.code("GET /orders/17", 404) == "not-found"
    assert (await ada.call(f"GET {place}", 200))["version"] == made["version"]


async def test_a_guest_buys_and_comes_back_with_a_token(front: Front) -> None:
    a, b = await front.goods(9, 9)
    body = order((a, 1))
    assert await front.guest.code("POST /orders", 422, body) == "email-required"
    body["email"] = "gus@example.com"
    once = key()
    made = await front.guest.call("POST /orders", 201, body, **once)
    again = await front.guest.call("POST /orders", 201, body, **once)
    assert again == made
    assert len(made["order_token"]) == 43
    gus = front.guest.holding(X_Order_Token=made["order_token"])
    place = f"/orders/{made['id']}"
    seen = await gus.call(f"GET {place}", 200)
    assert seen["id"] == made["id"]
    assert "order_token" not in seen
    await gus.call(f"GET /payments/{made['payment']['id']}", 200)
    await gus.call(f"GET {place}/timeline", 200)
    assert await gus.code("GET /orders", 401) == "authentication-required"
    other = await front.guest.call("POST /orders", 201, order((b, 1), email="h@h.org"))
    assert await gus.code(f"GET /orders/{other['id']}", 404) == "not-found"
    assert (await gus.call(f"PUT {place}/cancel", 200))["status"] == "CANCELLED"


async def test_a_guests_cart_is_bought_with_its_token(front: Front) -> None:
    (a,) = await front.goods(9)
    line = {"sku": a, "quantity": 2}
    token = (await front.guest.call("POST /cart/items", 200, line))["cart_token"]
    gus = front.guest.holding(X_Cart_Token=token)
    made = await gus.call("POST /orders", 201, order(email="gus@example.com"))
    assert [line["quantity"] for line in made["items"]] == [2]
    assert (await gus.call("GET /cart", 200))["items"] == []


async def test_a_seller_sees_and_moves_own_lines_alone(front: Front) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    (a,) = await front.goods(5, seller=sam)
    (b,) = await front.goods(5, seller=tom)
    ada, admin = await front.person(), await front.person("ADMIN")
    made = await ada.call("POST /orders", 201, order((a, 1), (b, 1)))
    place = f"/orders/{made['id']}"
    seen = await sam.call(f"GET {place}", 200)
    assert [line["sku"] for line in seen["items"]] == [a]
    assert [one["id"] for one in (await sam.call("GET /orders", 200))["items"]] == [
        made["id"]
    ]
    foreign = {**PROCESSING, "items": [{"sku": b, "quantity": 1}]}
    moved = f"PUT {place}/status"
    assert await sam.code(moved, 409, foreign) == "invalid-transition"
    assert await sam.code(f"PUT {place}/cancel", 404) == "not-found"
    assert [line["sku"] for line in (await sam.call(moved, 200, SHIPPED))["items"]] == [
        a
    ]
    whole = await ada.call(f"GET {place}", 200)
    assert [line["status"] for line in whole["items"]] == ["SHIPPED", "CONFIRMED"]
    assert whole["status"] == "CONFIRMED"  # that of the least advanced line
    assert (await tom.call(f"GET {place}", 200))["shipments"] == []
    await tom.call(moved, 200, SHIPPED)
    assert (await admin.call(f"GET {place}", 200))["status"] == "SHIPPED"


async def test_bad_steps_are_refused(front: Front) -> None:
    admin = await front.person("ADMIN")
    moved = f"PUT /orders/{uuid4()}/status"
    one = [{"sku": "A", "quantity": 1}]
    for body, field in (
        ({}, "status"),
        ({"status": "LOST"}, "status"),
        ({**PROCESSING, "price": 1}, "price"),
        ({**PROCESSING, "items": []}, "items"),
        ({**PROCESSING, "items": [{"sku": "A", "quantity": 0}]}, "items.0.quantity"),
        ({**PROCESSING, "items": one * 101}, "items"),
        ({**SHIPPED, "carrier": "a\nb"}, "carrier"),
        ({**SHIPPED, "tracking_number": "x" * 201}, "tracking_number"),
    ):
        assert await admin.wrong(moved, body) == [field]
    assert await admin.code(moved, 404, PROCESSING) == "not-found"


async def test_what_is_kept_near_is_told_to_nobody_else(front: Front) -> None:
    sam, ada = await front.person("SELLER"), await front.person()
    (a,) = await front.goods(5, seller=sam)
    product = (await sam.call(f"GET /products?q={a}", 200))["items"][0]["id"]
    place = f"/products/{product}"
    hits = front.gateway.measures.near_hits
    shown = await front.guest.call(f"GET {place}", 200)
    assert await ada.call(f"GET {place}", 200) == shown
    assert front.gateway.measures.near_hits == hits + 1
    # What is for staff alone, by the same address, neither fills nor uses it.
    await sam.call(f"PATCH {place}", 200, {"status": "DRAFT"})
    assert (await sam.call(f"GET {place}", 200))["status"] == "DRAFT"
    front.gateway.near.clear()
    assert await front.guest.code(f"GET {place}", 404) == "not-found"
    await sam.call(f"GET {place}", 200)
    assert await ada.code(f"GET {place}", 404) == "not-found"
    hits = front.gateway.measures.near_hits
    people = [await front.person() for _ in range(4)]
    for number, person in enumerate(people):
        person.headers.clear()
        await person.call("PUT /users/profile", 200, name_of(number))
    for path in ("/users/profile", "/cart", "/orders", "/notifications"):
        answers = await asyncio.gather(*(p.call(f"GET {path}", 200) for p in people))
        assert all(p.headers["cache-control"] == "no-store" for p in people)
        if path == "/users/profile":
            assert [one["last_name"] for one in answers] == list("0123")
    assert front.gateway.measures.near_hits == hits


def name_of(number: int) -> dict[str, str]:
    """A profile that tells its person from the others."""
    return {"first_name": "Pat", "last_name": str(number)}
