"""What browsers are told: which pages may read an answer, and what it may do."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from bus.inventory import GetStock, StockView
from serve_app.kit.shields import DEFAULT, shields
from tests.gateway.fakes import Front, Hands

SHOP = "https://shop.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """A gateway that pages of one other origin may use; customers come by https."""
    made = Front(
        tmp_path, Hands(), cors_origins=f"{SHOP},https://a.example", public_url=SHOP
    )
    made.asker.answers = {GetStock: StockView(sku="A", available=3, version=2)}
    await made.gateway.epochs.confirm()
    async with made.http:
        yield made


def cors_of(answer: httpx.Response) -> dict[str, str]:
    return {
        name: value
        for name, value in answer.headers.items()
        if name.startswith("access-control-")
    }


async def test_a_known_origin_may_ask_and_read(front: Front) -> None:
    asks = await front.http.options("/later", headers={"Origin": SHOP, **PREFLIGHT})
    assert (asks.status_code, asks.content) == (204, b"")
    told = cors_of(asks)
    assert told["access-control-allow-origin"] == SHOP
    assert told["access-control-allow-credentials"] == "true"
    assert told["access-control-max-age"] == "600"
    methods = "GET, POST, PUT, PATCH, DELETE"
    assert told["access-control-allow-methods"] == methods
    for name in ("Authorization", "Idempotency-Key", "If-Match", "X-Cart-Token"):
        assert name in told["access-control-allow-headers"].split(", ")
    assert asks.headers["vary"] == "Origin"
    # From memory, from a route, and as a problem: the same.
    origin = {"Origin": SHOP}
    for path, status in (("/things/A", 200), ("/things/A", 200), ("/nothing", 404)):
        answer = await front.http.get(path, headers=origin)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == SHOP
        shown = answer.headers["access-control-expose-headers"].split(", ")
        for name in ("X-Request-Id", "ETag", "RateLimit", "Retry-After"):
            assert name in shown
        assert answer.headers["vary"] == "Origin"
    assert front.gateway.measures.near_hits == 1


async def test_what_one_origin_was_answered_is_not_kept_for_another(
    front: Front,
) -> None:
    for origin in (SHOP, "https://a.example", "https://evil.example", None):
        headers = {} if origin is None else {"Origin": origin}
        answer = await front.http.get("/things/A", headers=headers)
        allowed = answer.headers.get_list("access-control-allow-origin")
        assert allowed == [each for each in (origin,) if each and "evil" not in each]
        assert answer.headers.get_list("vary") == ["Origin"]
        assert len(answer.headers.get_list("x-request-id")) == 1
    assert front.gateway.measures.near_hits == 3


@pytest.mark.parametrize(
    "origin",
    ["null", "*", "https://evil.example", "https://shop.example.evil", "HTTPS://SHOP"],
)
async def test_an_unknown_origin_gets_no_header(front: Front, origin: str) -> None:
    asks = await front.http.options("/later", headers={"Origin": origin, **PREFLIGHT})
    assert asks.status_code == 405
    read = await front.http.get("/things/A", headers={"Origin": origin})
    assert read.status_code == 200
    for answer in (asks, read):
        assert cors_of(answer) == {}
        assert answer.headers["vary"] == "Origin"


async def test_a_shop_that_names_no_origin_says_nothing_of_them(
    tmp_path: Path,
) -> None:
    plain = Front(tmp_path, Hands())
    await plain.gateway.epochs.confirm()
    headers = {"Origin": SHOP, **PREFLIGHT}
    async with plain.http:
        for answer in (
            await plain.http.options("/later", headers=headers),
            await plain.http.post("/later", headers=headers),
        ):
            assert cors_of(answer) == {}
            assert "vary" not in answer.headers


async def test_every_answer_says_what_browsers_may_not(front: Front) -> None:
    answers = [
        await front.http.get("/things/A"),
        await front.http.get("/things/A"),
        await front.http.get("/nothing"),
        await front.http.post("/later"),
        await front.http.get("/private/1", headers={"Authorization": "Bearer x"}),
        await front.http.options("/later", headers={"Origin": SHOP, **PREFLIGHT}),
        await front.http.get("/api"),
        await front.http.get("/", headers={"Cookie": "a=b"}),
    ]
    statuses = [answer.status_code for answer in answers]
    assert statuses == [200, 200, 404, 202, 401, 204, 200, 200]
    expected = {name.decode(): value.decode() for name, value in DEFAULT} | {
        "strict-transport-security": "max-age=31536000",
        "cross-origin-resource-policy": "same-origin",
    }
    for answer in answers:
        for name, value in expected.items():
            assert answer.headers.get_list(name, split_commas=False) == [value]
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
    kept = answers[1].headers["cache-control"]
    assert kept == "public, max-age=0, must-revalidate"
    for answer in answers[2:6]:
        assert answer.headers["cache-control"] == "no-store"
    assert shields(front.gateway.settings.changed(public_url="http://a")) == DEFAULT
