"""Carts over HTTP: of people and of guests, and one becoming the other."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from tests.edge.front import PRICE, Front, Person, key

NOBODYS = "x" * 43


def lines(cart: Any) -> list[tuple[str, int]]:
    """SKU and pieces of each line."""
    return [(line["sku"], line["quantity"]) for line in cart["items"]]


async def test_a_person_fills_changes_and_empties_a_cart(front: Front) -> None:
    a, b = await front.goods(5, 5)
    ada = await front.person()
    empty = await ada.call("GET /cart", 200)
    assert (empty["items"], empty["version"]) == ([], 0)
    cart = await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 2})
    assert "cart_token" not in cart
    assert cart["items"][0]["unit_price"] == {"amount": 1000, "currency": "USD"}
    assert cart["totals"]["grand"]["amount"] == 2000
    cart = await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 1})
    cart = await ada.call("POST /cart/items", 200, {"sku": b, "quantity": 9})
    assert lines(cart) == [(a, 3), (b, 9)]
    assert [line["warnings"] for line in cart["items"]] == [[], ["short-stock"]]
    cart = await ada.call(f"PUT /cart/items/{b}", 200, {"quantity": 1})
    assert lines(cart) == [(a, 3), (b, 1)]
    await ada.call(f"DELETE /cart/items/{a}", 204)
    await ada.call(f"DELETE /cart/items/{a}", 204)
    assert lines(await ada.call("GET /cart", 200)) == [(b, 1)]
    await ada.call("DELETE /cart", 204)
    assert lines(await ada.call("GET /cart", 200)) == []


async def test_a_cart_is_its_buyers_alone(front: Front) -> None:
    (a,) = await front.goods(5)
    ada, bob = await front.person(), await front.person()
    await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 2})
    for other in (bob, front.guest, front.guest.holding(X_Cart_Token=NOBODYS)):
        assert lines(await other.call("GET /cart", 200)) == []
    # A guest's token beside an access token does not change whose cart it is.
    assert lines(await ada.holding(X_Cart_Token=NOBODYS).call("GET /cart", 200)) == [
        (a, 2)
    ]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"sku": "A", "quantity": 1, "price": 1}, ["price"]),
        ({"sku": "A", "quantity": "1"}, ["quantity"]),
        ({"sku": "A", "quantity": 1.0}, ["quantity"]),
        ({"sku": "A", "quantity": True}, ["quantity"]),
        ({"sku": "A", "quantity": 0}, ["quantity"]),
        ({"sku": "A", "quantity": -1}, ["quantity"]),
        ({"sku": "A", "quantity": 1000}, ["quantity"]),
        ({"sku": "A", "quantity": 10**30}, ["quantity"]),
        ({"sku": "A\x00", "quantity": 1}, ["sku"]),
        ({"sku": "A B", "quantity": 1}, ["sku"]),
        ({}, ["sku", "quantity"]),
    ],
)
async def test_a_bad_line_is_refused(
    front: Front, body: dict[str, Any], fields: list[str]
) -> None:
    assert await front.guest.wrong("POST /cart/items", body) == fields


async def test_what_is_no_json_is_refused(front: Front) -> None:
    post = "POST /cart/items"
    kind = {"Content-Type": "application/json"}
    for body in (b"{", b'{"sku": "\\ud800"}', b"\xff", b"[" * 100_000):
        assert await front.guest.code(post, 400, body, **kind) == "malformed-json"
    kind = {"Content-Type": "text/plain"}
    code = await front.guest.code(post, 415, b"{}", **kind)
    assert code == "unsupported-media-type"
    large = b" " * (front.gateway.settings.body_bytes_max + 1)
    await front.guest.call(post, 413, large)


async def test_what_cannot_be_bought_and_too_much_is_refused(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    nothing = {"sku": "NO-SUCH", "quantity": 1}
    assert await ada.code("POST /cart/items", 404, nothing) == "not-found"
    one = {"quantity": 1}
    assert await ada.code("PUT /cart/items/NO-SUCH", 404, one) == "not-found"
    assert await ada.code(f"PUT /cart/items/{'x' * 65}", 404, one) == "not-found"
    await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 999})
    more = {"sku": a, "quantity": 1}
    code = await ada.code("POST /cart/items", 422, more)
    assert code == "quantity-out-of-range"


async def test_a_line_is_added_once_by_its_key(front: Front) -> None:
    (a,) = await front.goods(9)
    ada, bob, once = await front.person(), await front.person(), key()
    post, line = "POST /cart/items", {"sku": a, "quantity": 2}
    first = await ada.call(post, 200, line, **once)
    assert await ada.call(post, 200, line, **once) == first
    other = {"sku": a, "quantity": 3}
    assert await ada.code(post, 422, other, **once) == "idempotency-key-reused"
    assert lines(await bob.call(post, 200, line, **once)) == [(a, 2)]
    assert lines(await ada.call("GET /cart", 200)) == [(a, 2)]
    bad = {"Idempotency-Key": "short"}
    assert await ada.code(post, 422, line, **bad) == "invalid-idempotency-key"


async def guest_with(front: Front, sku: str, quantity: int) -> tuple[Person, str]:
    """A guest with a cart, and the token that names it."""
    line = {"sku": sku, "quantity": quantity}
    token = (await front.guest.call("POST /cart/items", 200, line))["cart_token"]
    return front.guest.holding(X_Cart_Token=token), token


async def test_a_guests_cart_is_named_by_its_token(front: Front) -> None:
    (a,) = await front.goods(9)
    gus, token = await guest_with(front, a, 1)
    assert len(token) == 43
    cart = await gus.call("POST /cart/items", 200, {"sku": a, "quantity": 1})
    assert (lines(cart), cart["cart_token"]) == ([(a, 2)], token)
    assert lines(await gus.call("GET /cart", 200)) == [(a, 2)]
    once = key()
    line = {"sku": a, "quantity": 1}
    first = await front.guest.call("POST /cart/items", 200, line, **once)
    again = await front.guest.call("POST /cart/items", 200, line, **once)
    assert again == first
    assert first["cart_token"] != token


async def test_a_guests_cart_is_merged_once_and_into_one_person(front: Front) -> None:
    a, b = await front.goods(9, 3)
    gus, token = await guest_with(front, a, 2)
    await gus.call("POST /cart/items", 200, {"sku": b, "quantity": 5})
    ada, bob = await front.person(), await front.person()
    await ada.call("POST /cart/items", 200, {"sku": a, "quantity": 1})
    merge, body = "POST /cart/merge", {"cart_token": token}
    assert await front.guest.code(merge, 401, body) == "authentication-required"
    assert await ada.code(merge, 404, {"cart_token": NOBODYS}) == "not-found"
    assert await ada.wrong(merge, {"cart_token": "x"}) == ["cart_token"]
    once = key()
    merged = await ada.call(merge, 200, body, **once)
    assert lines(merged) == [(a, 3), (b, 3)]  # capped by stock
    assert await ada.call(merge, 200, body, **once) == merged
    assert lines(await ada.call(merge, 200, body)) == [(a, 3), (b, 3)]
    assert await bob.code(merge, 404, body) == "not-found"
    assert lines(await gus.call("GET /cart", 200)) == []


async def test_what_a_merge_has_no_room_for_is_named(front: Front) -> None:
    a, b = await front.goods(3, 5)
    gus, token = await guest_with(front, a, 5)
    await gus.call("POST /cart/items", 200, {"sku": b, "quantity": 1})
    ada = await front.person()
    merged = await ada.call("POST /cart/merge", 200, {"cart_token": token})
    assert lines(merged) == [(a, 3), (b, 1)]
    assert merged["warnings"] == [{"sku": a, "code": "quantity-capped", "quantity": 2}]
    assert merged["items"][0]["warnings"] == ["quantity-capped"]
    assert merged["totals"] == {
        "items": {"amount": 4000, "currency": "USD"},
        **{
            name: {"amount": 0, "currency": "USD"}
            for name in ("discount", "shipping", "tax")
        },
        "grand": {"amount": 4000, "currency": "USD"},
    }
    # The token names a new cart from now on.
    await gus.call("POST /cart/items", 200, {"sku": b, "quantity": 2})
    assert lines(await gus.call("GET /cart", 200)) == [(b, 2)]
    again = await ada.call("POST /cart/merge", 200, {"cart_token": token})
    assert lines(again) == [(a, 3), (b, 3)]


async def test_fifty_writers_leave_exactly_their_effects(front: Front) -> None:
    a, b = await front.goods(500, 500)
    ada = await front.person()
    post = "POST /cart/items"
    adds = [{"sku": sku, "quantity": n} for n in range(1, 6) for sku in (a, b) * 5]
    await asyncio.gather(*(ada.call(post, 200, body) for body in adds))
    cart = await ada.call("GET /cart", 200)
    assert sorted(lines(cart)) == sorted([(a, 75), (b, 75)])
    assert cart["version"] == 50


async def test_a_cart_has_at_most_a_hundred_lines(front: Front) -> None:
    seller, ada = await front.person("SELLER"), await front.person()
    skus = [f"HUNDRED-{n}" for n in range(101)]
    for some in (skus[:60], skus[60:]):
        variants = [
            {"sku": sku, "price": PRICE, "options": {"Kind": sku}} for sku in some
        ]
        product = {"name": some[0], "description": "Fine.", "variants": variants}
        await seller.call("POST /products", 201, product)
    adds = [{"sku": sku, "quantity": 1} for sku in skus[:100]]
    post = "POST /cart/items"
    await asyncio.gather(*(ada.call(post, 200, body) for body in adds))
    one_more = {"sku": skus[100], "quantity": 1}
    assert await ada.code(post, 422, one_more) == "too-many-lines"
    put = f"PUT /cart/items/{skus[100]}"
    assert await ada.code(put, 422, {"quantity": 1}) == "too-many-lines"
    assert await ada.wrong(put, {"quantity": 0}) == ["quantity"]
    assert len((await ada.call("GET /cart", 200))["items"]) == 100


async def test_a_cart_has_an_id_that_names_nobody_and_its_times(front: Front) -> None:
    ada = await front.person()
    (a,) = await front.goods(5)
    for person in (ada, front.guest):
        buyer = person
        empty = await buyer.call("GET /cart", 200)
        assert (empty["version"], empty["created_at"], empty["updated_at"]) == (
            0,
            None,
            None,
        )
        if token := empty.get("cart_token"):
            buyer = buyer.holding(X_Cart_Token=token)
        made = await buyer.call("POST /cart/items", 200, {"sku": a, "quantity": 1})
        assert made["id"] == empty["id"] != str(buyer.user_id)
        assert UUID(made["id"]).version == 7
        assert made["created_at"] == made["updated_at"]
        put = f"PUT /cart/items/{a}"
        more = await buyer.call(put, 200, {"quantity": 2})
        assert more["created_at"] == made["created_at"] < more["updated_at"]
        seen = await buyer.call("GET /cart", 200)
        assert {**more, "cart_token": None} == {**seen, "cart_token": None}
