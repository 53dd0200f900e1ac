"""Every error is a problem document, and says no more than it should."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bus.inventory import AdjustStock, GetStock, StockView
from bus.kit.context import CURRENT, Context
from bus.kit.refusals import (
    Failed,
    FieldError,
    Refusal,
    RefusalKind,
    Unavailable,
    Unknown,
)
from serve_app.kit.problems import STATUS
from tests.gateway.fakes import Front

STATUSES = {
    "invalid": 422,
    "unauthenticated": 401,
    "payment-required": 402,
    "forbidden": 403,
    "not-found": 404,
    "conflict": 409,
    "stale": 412,
    "too-large": 413,
    "unsupported": 415,
    "too-many": 429,
}


def check(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The document of an answer that must be this problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    assert document["status"] == status
    assert document["type"] == f"urn:souk:problem:{code}"
    assert document["title"]
    assert document["detail"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


async def post(front: Front, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await front.http.post(
        "/things",
        content=content,
        headers={"content-type": "application/json", **headers},
    )


@pytest.mark.parametrize("kind", list(RefusalKind))
async def test_each_kind_of_refusal_has_its_status(
    front: Front, kind: RefusalKind
) -> None:
    front.asker.answers[GetStock] = Refusal(kind, "some-code", "Why.")
    answer = await front.http.get("/things/A")
    document = check(answer, STATUSES[kind.value], "some-code")
    assert document["detail"] == "Why."
    assert set(STATUS) == set(RefusalKind)


async def test_a_refusals_facts_and_errors_are_in_the_document(front: Front) -> None:
    front.asker.answers[GetStock] = Refusal(
        RefusalKind.CONFLICT,
        "out-of-stock",
        "Too few.",
        (FieldError("items.0", "short", "2 left"),),
        order_id="x",
        status="CANCELLED",
    )
    document = check(await front.http.get("/things/A"), 409, "out-of-stock")
    assert document["order_id"] == "x"
    assert document["errors"] == [
        {"field": "items.0", "code": "short", "detail": "2 left"}
    ]


async def test_too_many_says_when_to_come_back(front: Front) -> None:
    front.asker.answers[GetStock] = Refusal(
        RefusalKind.TOO_MANY, "locked-out", retry_after_seconds=12.2
    )
    answer = await front.http.get("/things/A")
    check(answer, 429, "locked-out")
    assert answer.headers["retry-after"] == "13"


@pytest.mark.parametrize(
    ("end", "status", "code"),
    [
        (Unavailable("x"), 503, "unavailable"),
        (Unknown("x"), 504, "outcome-unknown"),
        (Failed("x"), 500, "internal-error"),
        (RuntimeError("secret"), 500, "internal-error"),
    ],
)
async def test_the_other_ends_of_an_ask_have_theirs(
    front: Front, end: Exception, status: int, code: str
) -> None:
    front.asker.answers[GetStock] = end
    answer = await front.http.get("/things/A")
    check(answer, status, code)
    assert "secret" not in answer.text
    assert (answer.headers.get("retry-after") == "1") == (status == 503)


async def test_an_unknown_path_is_404_and_a_wrong_method_405(front: Front) -> None:
    check(await front.http.get("/nothing"), 404, "not-found")
    answer = await front.http.post("/things/A")
    check(answer, 405, "method-not-allowed")
    assert answer.headers["allow"]


async def test_an_id_in_the_path_that_is_none_is_404(front: Front) -> None:
    answer = await front.http.get("/private/17", headers=front.bearer())
    check(answer, 404, "not-found")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"role": "ADMIN"}, "role", "unknown-field"),
        ({"quantity": "1"}, "quantity", "int-type"),
        ({"quantity": False}, "quantity", "int-type"),
        ({"quantity": 1.5}, "quantity", "int-type"),
        ({"quantity": -1}, "quantity", "greater-than-equal"),
        ({"quantity": 10**9}, "quantity", "less-than-equal"),
        ({"quantity": 10**400}, "quantity", "less-than-equal"),
        ({"quantity": None}, "quantity", "int-type"),
        ({"price": {"amount": -1, "currency": "USD"}}, "price.amount", None),
        ({"price": {"amount": 1.0, "currency": "USD"}}, "price.amount", "int-type"),
        ({"price": {"amount": 1, "currency": "usd"}}, "price.currency", "malformed"),
        ({"price": {"amount": 1, "currency": "USD", "x": 1}}, "price.x", None),
        ({"id": "17"}, "id", "uuid-parsing"),
        ({"name": ""}, "name", "string-too-short"),
        ({"name": "   "}, "name", "malformed"),
        ({"name": "a\nb"}, "name", "malformed"),
        ({"name": "a\x00b"}, "name", "malformed"),
        ({"name": "x" * 201}, "name", "string-too-long"),
        ({"skus": ["A", "b c"]}, "skus.1", "malformed"),
    ],
)
async def test_a_wrong_field_is_named(
    front: Front, thing: dict[str, Any], change: Any, field: str, code: str | None
) -> None:
    document = check(await post(front, thing | change), 422, "invalid-request")
    assert [each["field"] for each in document["errors"]] == [field]
    if code is not None:
        assert document["errors"][0]["code"] == code
    assert front.asker.asked == []


async def test_missing_fields_are_all_named(front: Front) -> None:
    document = check(await post(front, {}), 422, "invalid-request")
    assert {each["field"]: each["code"] for each in document["errors"]} == {
        "name": "required",
        "quantity": "required",
        "price": "required",
        "id": "required",
    }


@pytest.mark.parametrize(
    ("country", "phone", "good"),
    [
        ("DE", "+4930123456", True),
        ("DD", "+4930123456", False),
        ("DE", "030123456", False),
        ("de", "+4930123456", False),
    ],
)
async def test_addresses_are_of_this_world(
    front: Front, thing: dict[str, Any], country: str, phone: str, *, good: bool
) -> None:
    address = {
        "name": "Ada",
        "line1": "1 Way",
        "city": "Berlin",
        "postal_code": "10115",
        "country": country,
        "phone": phone,
    }
    answer = await post(front, thing | {"address": address})
    assert answer.status_code == (201 if good else 422)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"{'name': 1}",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a\x00b"}',
        b"[" * 5000,
        b"nonsense",
    ],
)
async def test_what_is_not_json_is_400(front: Front, raw: bytes) -> None:
    check(await post(front, raw), 400, "malformed-json")


async def test_a_list_where_an_object_must_be_is_422(front: Front) -> None:
    check(await post(front, []), 422, "invalid-request")


async def test_another_content_type_is_415(front: Front, thing: dict[str, Any]) -> None:
    kind = "application/x-www-form-urlencoded"
    answer = await post(front, thing, **{"content-type": kind})
    check(answer, 415, "unsupported-media-type")
    answer = await post(front, thing, **{"content-type": "application/json; charset=x"})
    assert answer.status_code == 201


async def test_nul_is_refused_in_query_and_path_too(front: Front) -> None:
    check(await front.http.get("/things/A?x=%00"), 422, "invalid-request")
    check(await front.http.get("/things/A%00B"), 422, "invalid-request")


async def test_a_body_over_the_limit_is_413_by_its_length(front: Front) -> None:
    answer = await post(front, b"x" * (1 << 20) + b"x")
    check(answer, 413, "body-too-large")
    assert answer.headers["connection"] == "close"


async def test_a_body_over_the_limit_is_413_without_a_length_too(front: Front) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1 << 16
            yield b"x" * (1 << 16)

    answer = await front.http.post(
        "/things", content=chunks(), headers={"content-type": "application/json"}
    )
    check(answer, 413, "body-too-large")
    assert sent <= (1 << 20) + (1 << 17)


async def test_a_body_just_within_the_limit_is_read(
    front: Front, thing: dict[str, Any]
) -> None:
    raw = json.dumps(thing).encode()
    answer = await post(front, raw + b" " * ((1 << 20) - len(raw)))
    assert answer.status_code == 201


async def test_an_optional_body_may_be_absent(front: Front) -> None:
    assert (await front.http.post("/later")).status_code == 202
    check(
        await front.http.post(
            "/later", content=b"{}", headers={"content-type": "application/json"}
        ),
        422,
        "invalid-request",
    )


async def test_overload_is_503_and_never_a_wait(front: Front) -> None:
    front.gateway.measures.in_flight = front.gateway.settings.gateway_ongoing_max
    answer = await front.http.get("/things/A")
    check(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert front.asker.asked == []
    assert front.gateway.measures.refused_busy == 1


async def test_every_answer_has_a_request_id_and_security_headers(
    front: Front,
) -> None:
    for path, status in (("/things/A", 200), ("/nothing", 404), ("/dev/noop", 204)):
        answer = await front.http.get(path, headers={"X-Request-Id": "my-request-1"})
        assert answer.status_code == status
        assert answer.headers.get_list("x-request-id") == ["my-request-1"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("strange", ["x", "a b c d e f", "é" * 10, "x" * 65, '"<b>"'])
async def test_a_strange_request_id_is_replaced(front: Front, strange: str) -> None:
    headers = {b"X-Request-Id": strange.encode("latin-1")}
    answer = await front.http.get("/dev/noop", headers=headers)
    assert answer.headers["x-request-id"] != strange
    assert len(answer.headers["x-request-id"]) == 36


async def test_the_context_goes_with_the_ask(front: Front) -> None:
    seen: list[Context] = []
    view = StockView(sku="A", available=3)

    def look(_: GetStock) -> StockView:
        seen.append(CURRENT.get())
        return view

    front.asker.answers[GetStock] = look
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    await front.http.get(
        "/things/A", headers={"X-Request-Id": "request-1", "traceparent": trace}
    )
    await front.http.get("/things/B", headers={"traceparent": "nonsense"})
    assert (seen[0].request_id, seen[0].traceparent) == ("request-1", trace)
    assert len(seen[1].traceparent or "") == 55


async def test_serves_own_headers_do_not_reach_it(front: Front) -> None:
    seen: list[dict[bytes, bytes]] = []
    inner = front.edge._app

    async def spy(scope: Any, receive: Any, send: Any) -> None:
        seen.append(dict(scope["headers"]))
        await inner(scope, receive, send)

    front.edge._app = spy
    steering = {
        "x-request-timeout-seconds": "0.001",
        "x-request-disconnect-disabled": "?0",
        "serve_multiplexed_model_id": "m",
        "x-session-id": "s",
        "x-serve-router-x": "r",
    }
    await front.http.get("/dev/noop", headers=steering | {"accept-language": "de"})
    assert seen[0][b"x-request-disconnect-disabled"] == b"?1"
    assert seen[0][b"accept-language"] == b"de"
    left = {name.encode() for name in steering} - {b"x-request-disconnect-disabled"}
    assert not left & set(seen[0])


async def test_an_exception_past_everything_is_still_a_problem(front: Front) -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("secret")

    front.edge._app = broken
    answer = await front.http.get("/dev/noop")
    check(answer, 500, "internal-error")
    assert "secret" not in answer.text


async def test_a_refusal_of_an_idempotent_route_is_passed_on(
    front: Front, thing: dict[str, Any]
) -> None:
    for status, code, kind in (
        (422, "idempotency-key-reused", RefusalKind.INVALID),
        (409, "request-in-progress", RefusalKind.CONFLICT),
    ):
        front.asker.answers[AdjustStock] = Refusal(kind, code)
        check(await post(front, thing), status, code)
