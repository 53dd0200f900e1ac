"""Money over HTTP: stored methods, payments, refunds, and the provider's word."""

import time
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from starlette.requests import Request

from scripts.bank.webhooks import sign
from serve_app.payments import (
    SIGNATURE_CHARACTERS_MAX,
    SIGNATURE_HEADERS,
    _signature_headers,
)
from tests.edge.front import CARD, Front, key, order
from tests.payments.support import SECRET, Bank, receiver, until

METHODS = "/payments/methods"


async def test_methods_are_stored_shown_and_forgotten(front: Front) -> None:
    ada, bob = await front.person(), await front.person()
    post, once = f"POST {METHODS}", key()
    first = await ada.call(post, 201, CARD, **once)
    assert ada.headers["location"] == f"{METHODS}/{first['id']}"
    assert await ada.call(f"GET {ada.headers['location']}", 200) == first
    assert (first["brand"], first["last4"], first["is_default"]) == (
        "visa",
        "4242",
        True,
    )
    assert "token" not in first
    assert await ada.call(post, 201, CARD, **once) == first
    other = {**CARD, "token": "tok_mastercard"}
    assert await ada.code(post, 422, other, **once) == "idempotency-key-reused"
    second = await ada.call(post, 201, other, **key())
    place = f"{METHODS}/{second['id']}"
    assert (await ada.call(f"PUT {place}/default", 200))["is_default"] is True
    listed = (await ada.call(f"GET {METHODS}", 200))["items"]
    assert [(one["id"], one["is_default"]) for one in listed] == [
        (second["id"], True),
        (first["id"], False),
    ]
    assert (await bob.call(f"GET {METHODS}", 200))["items"] == []
    for line in (f"GET {place}", f"PUT {place}/default", f"DELETE {place}"):
        assert await bob.code(line, 404) == "not-found"
        assert await front.guest.code(line, 401) == "authentication-required"
    (a,) = await front.goods(5)
    stored = {"method": "CREDIT_CARD", "payment_method_id": second["id"]}
    his = await bob.call("POST /orders", 404, order((a, 1), payment=stored))
    assert his["code"] == "not-found"
    assert await front.available(a) == 5
    await ada.call("POST /orders", 201, order((a, 1), payment=stored))
    await ada.call(f"DELETE {place}", 204)
    assert await ada.code(f"DELETE {place}", 404) == "not-found"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"token": "tok_nobodys"}, "unknown-token"),
        ({"token": "4111 1111 1111 1111"}, "card-number-refused"),
        ({"token": "tok\x00"}, "invalid-request"),
        ({"token": "x" * 256}, "invalid-request"),
        ({"token": 4242}, "invalid-request"),
        ({"method": "GOLD"}, "invalid-request"),
        ({"make_default": 1}, "invalid-request"),
        ({"cvc": "123"}, "invalid-request"),
    ],
)
async def test_a_bad_method_is_refused(
    front: Front, change: dict[str, Any], code: str
) -> None:
    ada = await front.person()
    problem = await ada.call(f"POST {METHODS}", 422, {**CARD, **change})
    assert problem["code"] == code
    assert "4111" not in str(problem)
    assert (await ada.call(f"GET {METHODS}", 200))["items"] == []


async def test_a_person_keeps_so_many_methods(front: Front) -> None:
    ada = await front.person()
    for _ in range(20):
        await ada.call(f"POST {METHODS}", 201, CARD)
    assert await ada.code(f"POST {METHODS}", 409, CARD) == "too-many-methods"


async def test_refunds_never_pass_what_was_captured(front: Front) -> None:
    ada, admin, sam = [
        await front.person(role) for role in ("CUSTOMER", "ADMIN", "SELLER")
    ]
    (a,) = await front.goods(5)
    made = await ada.call("POST /orders", 201, order((a, 2)))
    place = f"/payments/{made['payment']['id']}"
    payment = await ada.call(f"GET {place}", 200)
    assert payment["captured"] == {"amount": 2000, "currency": "USD"}
    post = f"POST {place}/refunds"
    body = {"amount": {"amount": 1500, "currency": "USD"}, "reason": "broken"}
    for other in (ada, sam):
        assert await other.code(post, 403, body) == "forbidden"
    assert await front.guest.code(post, 401, body) == "authentication-required"
    once = key()
    refund = await admin.call(post, 201, body, **once)
    assert (refund["status"], refund["reason"]) == ("COMPLETED", "broken")
    assert await admin.call(post, 201, body, **once) == refund
    code = await admin.code(post, 422, {**body, "reason": "lost"}, **once)
    assert code == "idempotency-key-reused"
    assert await admin.code(post, 409, body) == "refund-exceeds-capture"
    euros = {**body, "amount": {"amount": 1, "currency": "EUR"}}
    assert await admin.code(post, 422, euros) == "currency-mismatch"
    rest = await admin.call(post, 201, {"reason": "the rest"})
    assert rest["amount"]["amount"] == 500
    assert await admin.code(post, 409, {"reason": "more"}) == "refund-exceeds-capture"
    payment = await ada.call(f"GET {place}", 200)
    assert payment["refunded"] == payment["captured"]
    assert [one["status"] for one in payment["refunds"]] == ["COMPLETED"] * 2
    nobodys = f"POST /payments/{uuid4()}/refunds"
    assert await admin.code(nobodys, 404, body) == "not-found"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"amount": {"amount": 0, "currency": "USD"}}, "amount.amount"),
        ({"amount": {"amount": -5, "currency": "USD"}}, "amount.amount"),
        ({"amount": {"amount": 10**13, "currency": "USD"}}, "amount.amount"),
        ({"amount": {"amount": 1.5, "currency": "USD"}}, "amount.amount"),
        ({"amount": {"amount": 1, "currency": "usd"}}, "amount.currency"),
        ({"amount": 5}, "amount"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"reason": "a\x00"}, "reason"),
        ({"to": "me"}, "to"),
    ],
)
async def test_a_bad_refund_is_refused(
    front: Front, change: dict[str, Any], field: str
) -> None:
    admin = await front.person("ADMIN")
    post = f"POST /payments/{uuid4()}/refunds"
    assert await admin.wrong(post, {"reason": "broken", **change}) == [field]


async def test_payments_are_asked_for_by_order(front: Front) -> None:
    ada, admin = await front.person(), await front.person("ADMIN")
    (a,) = await front.goods(5)
    made = await ada.call("POST /orders", 201, order((a, 1)))
    for person in (ada, admin):
        page = await person.call(f"GET /payments?order_id={made['id']}", 200)
        assert [one["id"] for one in page["items"]] == [made["payment"]["id"]]
    assert await ada.code(f"GET /payments/{uuid4()}", 404) == "not-found"
    assert await ada.code(f"GET /payments?order_id={uuid4()}", 404) == "not-found"
    await ada.call("GET /payments", 422)
    await ada.call("GET /payments?order_id=17", 422)


async def test_only_the_provider_is_believed(front: Front) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    pending = order((a, 1), payment={**CARD, "token": "tok_pending"})
    made = await ada.call("POST /orders", 202, pending)
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert payment["status"] == "PENDING"
    body = msgspec.json.encode({"type": "charge.succeeded", "id": str(uuid4())})
    post = "POST /payments/webhooks/sandbox"
    now = int(time.time())
    for signature in (
        "",
        "nonsense",
        "t=1,v1=00",
        sign("another secret", body, now),
        sign(SECRET, body + b" ", now),
        sign(SECRET, body, now - 86_400),
    ):
        headers = {"Bank-Signature": signature}
        code = await front.guest.code(post, 403, body, **headers)
        assert code == "forbidden"
    elsewhere = "POST /payments/webhooks/nobody"
    signed = {"Bank-Signature": sign(SECRET, body, now)}
    assert await front.guest.code(elsewhere, 404, body, **signed) == "not-found"
    assert (await ada.call(f"GET /orders/{made['id']}", 200))["status"] == "PENDING"


def test_a_webhook_brings_its_signature_along_and_nothing_else() -> None:
    signed = {name: "x" for name in SIGNATURE_HEADERS if name.startswith("paypal-")}
    sent = {**signed, "stripe-signature": "t=1" * 2_000, "cookie": "c", "x-other": "o"}
    headers = [(name.encode(), value.encode()) for name, value in sent.items()]
    request = Request({"type": "http", "headers": headers})
    kept = ("t=1" * 2_000)[:SIGNATURE_CHARACTERS_MAX]
    assert _signature_headers(request) == {**signed, "stripe-signature": kept}
    assert len(signed) == 5


async def test_a_pending_payment_is_settled_by_the_providers_word(
    front: Front, bank_process: Bank
) -> None:
    (a,) = await front.goods(5)
    ada = await front.person()
    body = order((a, 1), payment={**CARD, "token": "tok_pending_300"})
    async with receiver(bank_process.webhook_port) as taken:
        made = await ada.call("POST /orders", 202, body)
        mark = made["id"].encode()

        async def mine() -> tuple[str, bytes] | None:
            return next((each for each in taken if mark in each[1]), None)

        signature, word = await until(mine)
    for _ in range(2):
        headers = {"Bank-Signature": signature}
        post = "POST /payments/webhooks/sandbox"
        await front.guest.call(post, 204, word, **headers)
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert payment["status"] == "SUCCEEDED"
    assert payment["captured"]["amount"] == 1000

    async def confirmed() -> bool:
        found = await ada.call(f"GET /orders/{made['id']}", 200)
        return bool(found["status"] == "CONFIRMED")

    await until(confirmed)


async def test_only_an_admin_reconciles_and_sees_what_was_found(front: Front) -> None:
    ada, admin, sam = [
        await front.person(role) for role in ("CUSTOMER", "ADMIN", "SELLER")
    ]
    place = "/payments/reconciliations"
    for other in (ada, sam):
        assert await other.code(f"POST {place}", 403, {}) == "forbidden"
        assert await other.code(f"GET {place}", 403) == "forbidden"
    assert await front.guest.code(f"GET {place}", 401) == "authentication-required"
    assert await admin.code(f"POST {place}", 404, {"provider": "x"}) == "not-found"
    assert await admin.wrong(f"POST {place}", {"since": "now"}) == ["since"]
    once = key()
    made = await admin.call(f"POST {place}", 201, {}, **once)
    assert made["provider"] == "sandbox"
    assert made["found"] == len(made["discrepancies"])
    assert await admin.call(f"POST {place}", 201, {}, **once) == made
    listed = (await admin.call(f"GET {place}?provider=sandbox", 200))["items"]
    assert listed[0]["id"] == made["id"]
    assert (await admin.call(f"GET {place}?provider=x", 200))["items"] == []
