"""What the shop does not take: each refused plainly, with nothing changed."""

import base64
import json
import time
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e import books
from tests.e2e.conftest import MakePerson
from tests.e2e.people import ADDRESS, CARD, PASSWORD, Person, Stranger, new_goods
from tests.e2e.shops import LiveShop

BODY_BYTES_MAX = 1 << 20


def registration(**more: Any) -> dict[str, Any]:
    """A good registration, and what is added to it."""
    email = f"new.{uuid4().hex[:12]}@mail.example"
    good = {"email": email, "password": PASSWORD, "first_name": "A", "last_name": "B"}
    return {**good, **more}


def check_problem(answer: Any, status: int) -> None:
    """A whole problem document, and nothing of our insides in it."""
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert {"type", "title", "status", "detail", "code"} <= answer.body.keys()
    assert answer.body["status"] == status
    assert answer.body["request_id"] == answer.headers["X-Request-Id"]
    text = json.dumps(answer.body)
    assert "Traceback" not in text
    assert "SELECT" not in text


@pytest.mark.parametrize(
    "quantity", [0, -1, 10**9, 10**30, 1.5, "2", True, None, [1], {"n": 1}]
)
async def test_a_quantity_is_a_small_whole_number(
    stranger: Stranger, quantity: Any
) -> None:
    body = {"sku": "LAMP-1", "quantity": quantity}
    check_problem(await stranger.call("POST", "/cart/items", body), 422)
    order = {
        "payment": CARD,
        "shipping_address": ADDRESS,
        "email": "a@mail.example",
        "items": [body],
    }
    check_problem(await stranger.call("POST", "/orders", order), 422)


async def test_unknown_fields_are_refused_and_named(stranger: Stranger) -> None:
    body = {"sku": "LAMP-1", "quantity": 1, "unit_price": 1}
    answer = await stranger.call("POST", "/cart/items", body)
    check_problem(answer, 422)
    assert [error["field"] for error in answer.body["errors"]] == ["unit_price"]


@pytest.mark.parametrize("name", ["role", "is_admin", "id", "email_verified"])
async def test_nobody_says_what_they_are_when_they_register(
    stranger: Stranger, name: str
) -> None:
    body = registration(**{name: "ADMIN"})
    check_problem(await stranger.call("POST", "/auth/register", body), 422)
    found = await stranger.call(
        "POST", "/auth/login", {"email": body["email"], "password": PASSWORD}
    )
    check_problem(found, 401)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"[]", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"sku": "LAMP\\u0000", "quantity": 1}', 422),
        (b'{"sku": "\\ud800", "quantity": 1}', 422),
        (b"\xff\xfe", 400),
    ],
)
async def test_a_body_is_one_json_object(
    stranger: Stranger, raw: bytes, status: int
) -> None:
    answer = await stranger.call("POST", "/cart/items", raw=raw)
    assert answer.status in {status, 400, 422}
    check_problem(answer, answer.status)


async def test_a_body_of_another_kind_is_refused(stranger: Stranger) -> None:
    answer = await stranger.call(
        "POST", "/cart/items", raw=b"sku=1", Content_Type="text/plain"
    )
    check_problem(answer, 415)


async def test_an_oversized_body_is_refused(stranger: Stranger) -> None:
    huge = json.dumps(registration(first_name="x" * BODY_BYTES_MAX)).encode()
    assert (await stranger.call("POST", "/auth/register", raw=huge)).status == 413


@pytest.mark.parametrize("path", ["", "/timeline"], ids=["the order", "its timeline"])
async def test_another_persons_order_is_not_there(
    customer: MakePerson, keeper: Person, path: str
) -> None:
    sku = await new_goods(keeper, stock=1)
    owner, other = await customer(), await customer()
    order = (await owner.order((sku, 1))).ok(201)
    check_problem(await other.call("GET", f"/orders/{order['id']}{path}"), 404)
    check_problem(await other.call("GET", f"/orders/{uuid4()}{path}"), 404)


async def test_another_persons_order_cannot_be_cancelled(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=1)
    owner, other = await customer(), await customer()
    order = (await owner.order((sku, 1))).ok(201)
    check_problem(await other.call("PUT", f"/orders/{order['id']}/cancel"), 404)
    payments = await other.call("GET", f"/payments?order_id={order['id']}")
    check_problem(payments, 404)
    assert (await owner.get(f"/orders/{order['id']}"))["status"] == "CONFIRMED"
    assert await books.stock(live_shop, sku) == (1, 1)


# --- tokens ------------------------------------------------------------------


def own_seed(shop: LiveShop) -> bytes:
    """The secret that the shop signs with, which no caller has."""
    secrets = json.loads((shop.data_dir / "secrets.json").read_text())
    return base64.urlsafe_b64decode(secrets["jwt_keys"] + "=")


def as_signed(token: str, key: Any, **changes: Any) -> str:
    """The same token with other claims, signed by `key`."""
    head = jwt.get_unverified_header(token)
    claims = jwt.decode(token, options={"verify_signature": False})
    headers = {"kid": head["kid"]}
    return jwt.encode({**claims, **changes}, key, "EdDSA", headers=headers)


async def test_an_expired_token_is_refused(
    live_shop: LiveShop, customer: MakePerson
) -> None:
    person = await customer()
    key = Ed25519PrivateKey.from_private_bytes(own_seed(live_shop))
    now = int(time.time())
    good = as_signed(await person.token(), key, exp=now + 60)
    expired = as_signed(await person.token(), key, iat=now - 900, exp=now - 300)
    person._token = good
    await person.get("/users/profile")
    person._token = expired
    answer = await person.call("GET", "/users/profile")
    check_problem(answer, 401)
    assert answer.code == "token-expired"


async def test_a_forged_token_is_refused(customer: MakePerson) -> None:
    person = await customer()
    token = await person.token()
    head, claims, signature = token.split(".")
    raw = json.loads(base64.urlsafe_b64decode(claims + "=="))
    raised = base64.urlsafe_b64encode(
        json.dumps({**raw, "role": "ADMIN"}).encode()
    ).decode()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode()
    forged = [
        as_signed(token, Ed25519PrivateKey.generate(), role="ADMIN"),
        f"{head}.{raised.rstrip('=')}.{signature}",
        f"{unsigned.rstrip('=')}.{claims}.",
        f"{head}.{claims}.",
        "x",
        token[:-2],
    ]
    for each in forged:
        person._token = each
        check_problem(await person.call("GET", "/users/profile"), 401)
        check_problem(await person.call("GET", "/warehouses"), 401)


async def test_a_closed_route_asks_who_it_is(stranger: Stranger) -> None:
    for path in ("/orders", "/users/profile", "/notifications", "/warehouses"):
        answer = await stranger.call("GET", path)
        check_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_customer_is_no_administrator(customer: MakePerson) -> None:
    person = await customer()
    for path in ("/users", "/warehouses", "/messages"):
        check_problem(await person.call("GET", path), 403)


# --- idempotency -------------------------------------------------------------


async def test_the_same_key_and_body_give_the_same_answer_and_one_order(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=10)
    person = await customer()
    key = {"Idempotency_Key": str(uuid4())}
    first = await person.order((sku, 2), headers=key)
    again = await person.order((sku, 2), headers=key)

    assert first.ok(201)["id"] == again.ok(201)["id"]
    assert again.body == first.body
    assert len((await person.get("/orders"))["items"]) == 1
    assert len(await books.charges(live_shop, first.body["id"])) == 1
    assert await books.stock(live_shop, sku) == (10, 2)


async def test_the_same_key_with_another_body_is_refused(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=10)
    person = await customer()
    key = {"Idempotency_Key": str(uuid4())}
    (await person.order((sku, 2), headers=key)).ok(201)
    other = await person.order((sku, 3), headers=key)

    check_problem(other, 422)
    assert other.code == "idempotency-key-reused"
    assert await books.stock(live_shop, sku) == (10, 2)


async def test_a_key_counts_for_its_own_caller(
    customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=10)
    key = {"Idempotency_Key": str(uuid4())}
    orders = [
        (await (await customer()).order((sku, 1), headers=key)).ok(201)["id"]
        for _ in range(2)
    ]
    assert len(set(orders)) == 2


async def test_a_refusal_is_remembered_too(
    live_shop: LiveShop, customer: MakePerson, keeper: Person
) -> None:
    sku = await new_goods(keeper, stock=1)
    person = await customer()
    key = {"Idempotency_Key": str(uuid4())}
    first = await person.order((sku, 1), token="tok_declined", headers=key)
    again = await person.order((sku, 1), token="tok_declined", headers=key)
    assert (first.status, again.status) == (402, 402)
    assert again.body["order_id"] == first.body["order_id"]
    assert len(await books.charges(live_shop, first.body["order_id"])) == 1
