"""A direct route is answered by the edge as it is by FastAPI, word for word."""

from typing import Any
from uuid import UUID

import pytest

from bus.kit.refusals import Failed, Unavailable, Unknown, conflict
from bus.kit.values import Money
from bus.orders import AddToCart, CartView
from serve_app.kit.direct import direct_routes
from serve_app.kit.routing import PUBLIC, Caller, Router
from tests.gateway.fakes import Front

ITEM: dict[str, Any] = {"sku": "A-1", "quantity": 2}
JSON = {"Content-Type": "application/json"}
KEY = {"Idempotency-Key": "0123456789abcdef"}
ASKS: tuple[tuple[bytes, dict[str, str]], ...] = (
    (b'{"sku": "A-1", "quantity": 2}', JSON),
    (b'{"sku": "A-1", "quantity": 2}', JSON | KEY),
    (b'{"sku": "A-1", "quantity": 2}', JSON | {"Idempotency-Key": "short"}),
    (b'{"sku": "A-1", "quantity": 2}', JSON | {"Authorization": "Bearer x"}),
    (b'{"sku": "A-1", "quantity": 2}', {"Content-Type": "text/plain"}),
    (b'{"sku": "A-1", "quantity": "2"}', JSON),
    (b'{"sku": "A-1", "quantity": 2, "price": 1}', JSON),
    (b'{"sku": "A-1", "quantity": 0}', JSON),
    (b"{", JSON),
    (b"", {}),
    (b'{"sku": "' + b"A" * (1 << 20) + b'"}', JSON),
)
"""Requests that are good, and bad in every way that the edge knows."""
CART = CartView(id=UUID(int=7), version=1, items=(), total=Money(0, "USD"))


@pytest.mark.parametrize("number", range(len(ASKS)))
async def test_every_request_is_answered_as_the_whole_way_answers_it(
    followed_shop: Front, number: int
) -> None:
    raw, headers = ASKS[number]
    assert await _answered(followed_shop, raw, headers, direct=True) == (
        await _answered(followed_shop, raw, headers, direct=False)
    )


@pytest.mark.parametrize(
    "end",
    [
        conflict("out-of-stock", "Not enough pieces are available."),
        Unavailable("orders"),
        Unknown("orders"),
        Failed("orders"),
        ZeroDivisionError("a bug"),
    ],
    ids=lambda end: type(end).__name__,
)
async def test_every_end_of_an_ask_is_answered_as_the_whole_way_answers_it(
    followed_shop: Front, end: Exception
) -> None:
    followed_shop.asker.answers[AddToCart] = end
    raw = ASKS[0][0]
    direct = await _answered(followed_shop, raw, JSON, direct=True)
    assert direct == await _answered(followed_shop, raw, JSON, direct=False)
    assert direct[0] in (409, 500, 503, 504)


async def test_other_methods_of_its_path_go_the_whole_way(followed_shop: Front) -> None:
    answer = await followed_shop.http.put("/cart/items", json=ITEM)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")


def test_a_route_with_a_parameter_cannot_be_direct() -> None:
    router = Router("trial")

    @router.post("/things/{sku}", access=PUBLIC, direct=True)
    async def touch(sku: str, caller: Caller) -> None:
        """Touch one."""

    with pytest.raises(RuntimeError, match="more than a body and a caller"):
        direct_routes(router.api.routes)


async def _answered(
    shop: Front, raw: bytes, headers: dict[str, str], *, direct: bool
) -> tuple[int, dict[str, str], bytes, list[Any]]:
    """Status, headers and body of an answer, and what a domain was asked for it."""
    shop.asker.asked.clear()
    kept = shop.gateway.direct
    assert ("POST", "/cart/items") in kept
    shop.gateway.direct = kept if direct else {}
    shop.asker.answers.setdefault(AddToCart, CART)
    named = {"X-Request-Id": "request-17", "X-Cart-Token": "t" * 43}
    answer = await shop.http.post(
        "/cart/items", content=raw, headers={**named, **headers}
    )
    shop.gateway.direct = kept
    keyed = "Idempotency-Key" in headers
    asked = [
        (message, keyed and options["id"], options["body_hash"])
        for message, options in shop.asker.asked
    ]
    told = {k: v for k, v in answer.headers.items() if not k.startswith("ratelimit")}
    return answer.status_code, told, answer.content, asked
