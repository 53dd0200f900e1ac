"""Orders over HTTP: bought, refused, repeated, moved on."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.edge.front import CARD, HOUSE, Front, Person, key, order


def card(token: str) -> dict[str, Any]:
    """A payment with a token of the sandbox's."""
    return {"payment": {**CARD, "token": token}}


async def test_a_cart_becomes_an_order_that_arrives(front: Front) -> None:
    a, b = await front.goods(5, 5)
    ada, admin = await front.person(), await front.person("ADMIN")
    await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 2})
    await ada.call("POST /cart/items", 200, {"sku": b, "quantity": 1})
    made = await ada.call("POST /orders", 201, order())
    place = ada.headers["location"]
    assert place == f"/orders/{made['id']}"
    assert made["status"] == "CONFIRMED"
    assert made["totals"]["grand"] == {"amount": 3000, "currency": "USD"}
    assert made["shipping_address"] == {**made["shipping_address"], **HOUSE}
    assert made["payment"]["status"] == "SUCCEEDED"
    assert "order_token" not in made
    assert (await ada.call("GET /cart", 200))["items"] == []
    assert [await front.available(sku) for sku in (a, b)] == [3, 4]

    moved = f"PUT {place}/status"
    parcel = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}
    code = await admin.code(moved, 409, {"status": "DELIVERED"})
    assert code == "invalid-transition"
    await admin.call(moved, 200, {"status": "PROCESSING"})
    assert await admin.code(moved, 422, {"status": "SHIPPED"}) == "tracking-required"
    part = {**parcel, "items": [{"sku": a, "quantity": 1}] * 2}
    partly = await admin.call(moved, 200, part)
    assert (partly["status"], partly["shipments"][0]["items"]) == ("PROCESSING", {a: 2})
    code = await admin.code(moved, 409, part)
    assert code == "invalid-transition"
    whole = await admin.call(moved, 200, parcel)
    assert (whole["status"], len(whole["shipments"])) == ("SHIPPED", 2)
    assert await ada.code(f"PUT {place}/cancel", 409) == "not-cancellable"
    done = await admin.call(moved, 200, {"status": "DELIVERED"})
    assert done["status"] == "DELIVERED"
    assert await admin.code(moved, 422, {"status": "PENDING"}) == "invalid-status"
    rows = await admin.call(f"GET /inventory/{a}", 200)
    assert [(w["on_hand"], w["reserved"]) for w in rows["warehouses"]] == [(3, 0)]
    steps = (await ada.call(f"GET {place}/timeline", 200))["items"]
    assert [step["status"] for step in steps] == [
        *("PENDING", "CONFIRMED", "PROCESSING", "PROCESSING", "SHIPPED", "DELIVERED")
    ]


async def test_a_refused_payment_leaves_nothing_but_a_cancelled_order(
    front: Front,
) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 2})
    for token, reason in (
        ("tok_declined", "card-declined"),
        ("tok_insufficient_funds", "insufficient-funds"),
    ):
        problem = await ada.call("POST /orders", 402, order(**card(token)))
        assert problem["code"] == "payment-declined"
        assert problem["decline_code"] == reason
        left = await ada.call(f"GET /orders/{problem['order_id']}", 200)
        assert left["status"] == "CANCELLED"
    assert await front.available(a) == 5
    assert [line["quantity"] for line in (await ada.call("GET /cart", 200))["items"]]
    stranger = order(**card("4111111111111111"))
    assert await ada.code("POST /orders", 422, stranger) == "card-number-refused"
    assert len((await ada.call("GET /orders", 200))["items"]) == 2


async def test_what_the_shop_cannot_sell_is_refused(front: Front) -> None:
    a, b = await front.goods(5, 1)
    ada = await front.person()
    post = "POST /orders"
    problem = await ada.call(post, 409, order((a, 1), (b, 2)))
    assert problem["code"] == "out-of-stock"
    assert [error["field"] for error in problem["errors"]] == [b]
    assert await front.available(a) == 5
    assert await ada.code(post, 422, order()) == "cart-empty"
    problem = await ada.call(post, 422, order((a, 1), ("NO-SUCH", 1)))
    assert problem["code"] == "unknown-sku"
    assert [error["field"] for error in problem["errors"]] == ["NO-SUCH"]
    seen = {"amount": 999, "currency": "USD"}
    body = order((a, 1))
    body["items"][0]["unit_price"] = seen
    assert await ada.code(post, 409, body) == "price-changed"
    made = await ada.call(post, 201, {**body, "accept_prices": True})
    assert made["totals"]["grand"]["amount"] == 1000
    many = order((a, 999), (a, 1))
    assert await ada.code(post, 422, many) == "quantity-out-of-range"


async def test_an_order_whose_payment_settles_later_is_pending(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    made = await ada.call("POST /orders", 202, order((a, 2), **card("tok_pending")))
    assert ada.headers["location"] == f"/orders/{made['id']}"
    assert (made["status"], made["payment"]["status"]) == ("PENDING", "PENDING")
    assert await front.available(a) == 3


BAD = [
    ({"note": "x"}, ["note"]),
    ({"user_id": str(uuid4())}, ["user_id"]),
    ({"items": []}, ["items"]),
    ({"items": [{"sku": "A", "quantity": -1}]}, ["items.0.quantity"]),
    ({"items": [{"sku": "A", "quantity": 10**20}]}, ["items.0.quantity"]),
    ({"items": [{"sku": "A", "quantity": "2"}]}, ["items.0.quantity"]),
    ({"items": [{"sku": "A", "quantity": 1}] * 101}, ["items"]),
    ({"items": {"sku": "A", "quantity": 1}}, ["items"]),
    ({"payment": {"method": "GOLD", "token": "t"}}, ["payment.method"]),
    ({"payment": {"method": "CREDIT_CARD"}}, ["payment"]),
    ({"payment": {**CARD, "payment_method_id": str(uuid4())}}, ["payment"]),
    ({"payment": {**CARD, "amount": 1}}, ["payment.amount"]),
    ({"payment": {**CARD, "token": "tok\x00"}}, ["payment.token"]),
    ({"shipping_address": {**HOUSE, "country": "XX"}}, ["shipping_address.country"]),
    ({"shipping_address": {**HOUSE, "name": "A\x00"}}, ["shipping_address.name"]),
    ({"shipping_address": {**HOUSE, "phone": "12"}}, ["shipping_address.phone"]),
    ({"accept_prices": "yes"}, ["accept_prices"]),
    ({"email": "no address"}, ["email"]),
]


@pytest.mark.parametrize(("change", "fields"), BAD)
async def test_a_bad_order_is_refused(
    front: Front, change: dict[str, Any], fields: list[str]
) -> None:
    assert await front.guest.wrong("POST /orders", {**order(), **change}) == fields


async def test_an_order_goes_to_one_address(front: Front) -> None:
    (a,) = await front.goods(5)
    ada, bob = await front.person(), await front.person()
    hers = (await ada.call("POST /users/addresses", 201, HOUSE))["id"]
    both = order((a, 1), address_id=hers)
    assert len(await ada.wrong("POST /orders", both)) == 1
    neither = {**order((a, 1)), "shipping_address": None}
    assert len(await ada.wrong("POST /orders", neither)) == 1
    stored = {**neither, "address_id": hers}
    made = await ada.call("POST /orders", 201, stored)
    assert made["shipping_address"]["line1"] == HOUSE["line1"]
    assert await bob.code("POST /orders", 404, stored) == "not-found"
    guest = {**stored, "email": "gus@example.com"}
    assert await front.guest.code("POST /orders", 422, guest) == "address-required"


async def test_a_key_makes_one_order_and_its_answer_is_given_again(
    front: Front,
) -> None:
    (a,) = await front.goods(9)
    ada, bob, once = await front.person(), await front.person(), key()
    body = order((a, 1))
    first = await ada.call("POST /orders", 201, body, **once)
    again = await ada.call("POST /orders", 201, body, **once)
    assert again == first
    code = await ada.code("POST /orders", 422, order((a, 2)), **once)
    assert code == "idempotency-key-reused"
    his = await bob.call("POST /orders", 201, body, **once)
    assert his["id"] != first["id"]
    assert await front.available(a) == 7
    refused, body = key(), order((a, 1), **card("tok_declined"))
    first = await ada.call("POST /orders", 402, body, **refused)
    again = await ada.call("POST /orders", 402, body, **refused)
    assert again["order_id"] == first["order_id"]
    assert len((await ada.call("GET /orders", 200))["items"]) == 2
    bad = {"Idempotency-Key": "x" * 65}
    code = await ada.code("POST /orders", 422, body, **bad)
    assert code == "invalid-idempotency-key"


async def test_a_refresh_that_repeats_the_order_pays_once(front: Front) -> None:
    (a,) = await front.goods(9)
    ada, bob, once = await front.person(), await front.person(), key()
    for person in (ada, bob):
        await person.call("POST /cart/items", 200, {"sku": a, "quantity": 2})
    ends = await asyncio.gather(
        *(sent(ada, **once) for _ in range(5)), *(sent(bob) for _ in range(5))
    )
    # With a key the first answer comes again, or is under way.
    keyed = [end for end in ends[:5] if end[0] != 409]
    assert {end[0] for end in keyed} == {201}
    assert len({end[1] for end in keyed}) == 1
    assert {end[1] for end in ends[:5] if end[0] == 409} <= {"request-in-progress"}
    # Without one the cart is bought once.
    assert sorted(end[0] for end in ends[5:])[:1] == [201]
    codes = {end[1] for end in ends[5:] if end[0] != 201}
    assert codes <= {"checkout-in-progress", "cart-empty"} and len(codes) >= 1
    for person in (ada, bob):
        (made,) = (await person.call("GET /orders", 200))["items"]
        payments = await person.call(f"GET /payments?order_id={made['id']}", 200)
        assert payments["items"][0]["captured"] == made["totals"]["grand"]
        assert (await person.call("GET /cart", 200))["items"] == []
    assert await front.available(a) == 5


async def sent(person: Person, **headers: str) -> tuple[int, str]:
    """Status, and the order's id or the problem's code, of buying the cart."""
    more = {**person._headers, **headers}
    answer = await person._http.post("/orders", json=order(), headers=more)
    found = answer.json()
    return answer.status_code, found["id"] if "id" in found else found["code"]


async def test_a_cancelled_order_gives_stock_and_money_back(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    made = await ada.call("POST /orders", 201, order((a, 2)))
    cancelled = await ada.call(f"PUT /orders/{made['id']}/cancel", 200)
    assert cancelled["status"] == "CANCELLED"
    assert await front.available(a) == 5
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert payment["refunded"] == payment["captured"] == made["totals"]["grand"]
    again = await ada.code(f"PUT /orders/{made['id']}/cancel", 409)
    assert again == "not-cancellable"


async def test_orders_are_listed_by_page_newest_first(front: Front) -> None:
    (a,) = await front.goods(9)
    ada, bob = await front.person(), await front.person()
    ids = [(await ada.call("POST /orders", 201, order((a, 1))))["id"] for _ in "123"]
    first = await ada.call("GET /orders?limit=2", 200)
    assert [one["id"] for one in first["items"]] == ids[:0:-1]
    rest = f"GET /orders?limit=2&cursor={first['next_cursor']}"
    page = await ada.call(rest, 200)
    assert ([one["id"] for one in page["items"]], page["next_cursor"]) == (
        ids[:1],
        None,
    )
    assert (await bob.call("GET /orders", 200))["items"] == []
    assert (await ada.call("GET /orders?status=CANCELLED", 200))["items"] == []
    for query in (
        "limit=0",
        "limit=101",
        "status=LOST",
        "cursor=zzz",
        "cursor=aGVsbG8",
    ):
        await ada.call(f"GET /orders?{query}", 422)
    assert await front.guest.code("GET /orders", 401) == "authentication-required"
