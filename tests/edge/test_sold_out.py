"""Lines known to be sold out are refused at the edge: no order, no key used up."""

from collections.abc import Iterator
from typing import Any

import pytest

from bus.inventory import StockReplenished, StockSoldOut
from serve_app.app import routers
from serve_app.kit.facts import Facts
from tests.edge.front import Front, key, order
from tests.gateway.fakes import Hands


@pytest.fixture
def clock(front: Front) -> Iterator[Hands]:
    """The time of the facts; the edge hears nothing but what a test tells it."""
    hands, before = Hands(), front.gateway.facts
    front.gateway.facts = Facts(clock=hands)
    yield hands
    front.gateway.facts = before


def hear(front: Front, event: Any) -> None:
    """Tell the edge of an event, as its ear would."""
    for router in routers():
        for kind, note in router.hearing:
            if isinstance(event, kind):
                note(front.gateway.facts, event)


async def orders(front: Front) -> int:
    rows = await front.shop.rows("orders", "SELECT count(*) AS n FROM orders")
    return int(rows[0]["n"])


async def test_a_line_known_to_be_sold_out_is_refused_without_an_order(
    front: Front, clock: Hands
) -> None:
    ada, bob = await front.person(), await front.person()
    a, b = await front.goods(1, 5)
    await ada.call("POST /orders", 201, order((a, 1)))
    hear(front, StockSoldOut(sku=a, available=0))
    before, once = await orders(front), key()
    for headers in ({}, once, once):
        problem = await bob.call("POST /orders", 409, order((b, 1), (a, 1)), **headers)
        assert problem["code"] == "out-of-stock"
        assert [(e["field"], e["detail"]) for e in problem["errors"]] == [
            (a, "0 available")
        ]
    guest = order((a, 1), email="g@example.com")
    assert await front.guest.code("POST /orders", 409, guest) == "out-of-stock"
    assert await orders(front) == before
    await bob.call("POST /orders", 201, order((b, 1)), **once)  # it was not used up


async def test_a_key_that_was_used_before_gets_its_first_answer(
    front: Front, clock: Hands
) -> None:
    ada, once = await front.person(), key()
    (a,) = await front.goods(1)
    placed = await ada.call("POST /orders", 201, order((a, 1)), **once)
    hear(front, StockSoldOut(sku=a, available=0))
    again = await ada.call("POST /orders", 201, order((a, 1)), **once)
    assert again == placed
    assert await ada.code("POST /orders", 409, order((a, 1)), **key()) == "out-of-stock"


async def test_a_fact_that_has_grown_old_is_asked_for_anew(
    front: Front, clock: Hands
) -> None:
    sam, ada = await front.person("SELLER"), await front.person()
    (a,) = await front.goods(0, seller=sam)
    hear(front, StockSoldOut(sku=a, available=0))
    before = await orders(front)
    clock.now += 1.1
    assert await ada.code("POST /orders", 409, order((a, 1))) == "out-of-stock"
    assert await orders(front) == before
    assert front.gateway.facts.is_fresh(a)
    # Pieces that came without a word being heard are seen a second later.
    await sam.call(f"PUT /inventory/{a}", 200, {"on_hand": 2, "reason": "delivery"})
    assert await ada.code("POST /orders", 409, order((a, 1))) == "out-of-stock"
    clock.now += 1.1
    await ada.call("POST /orders", 201, order((a, 1)))
    assert a not in front.gateway.facts


async def test_what_is_heard_to_be_there_again_can_be_bought_at_once(
    front: Front, clock: Hands
) -> None:
    ada = await front.person()
    (a,) = await front.goods(3)
    hear(front, StockSoldOut(sku=a, available=0))
    hear(front, StockReplenished(sku=a, available=3, threshold=0))
    await ada.call("POST /orders", 201, order((a, 1)))


async def test_what_inventory_tells_is_what_the_edge_hears(
    front: Front, clock: Hands
) -> None:
    ada = await front.person()
    (a,) = await front.goods(1)
    await ada.call("POST /orders", 201, order((a, 1)))
    told = [e for e in await front.shop.events("inventory") if e["subject"] == a]
    names = [e["type"].split(".")[1] for e in told]
    heard = {kind.message_name for r in routers() for kind, _ in r.hearing}
    assert [name for name in names if name in heard] == [
        "stock_replenished",
        "stock_sold_out",
    ]


async def test_a_product_shows_what_is_available_a_second_ago_at_most(
    front: Front,
) -> None:
    hands, near = Hands(), front.gateway.near
    before, near._clock = near._clock, hands
    near.clear()
    hands.now += 0.1
    try:
        sam = await front.person("SELLER")
        (a,) = await front.goods(5, seller=sam)
        await sam.call(f"PUT /inventory/{a}", 200, {"delta": 1, "reason": "found"})
        found = await sam.call("GET /products?seller=" + str(sam.user_id), 200)
        page = f"GET /products/{found['items'][0]['id']}"
        assert (await front.guest.call(page, 200))["available"] == 6
        await sam.call(f"PUT /inventory/{a}", 200, {"delta": -4, "reason": "lost"})
        assert (await sam.call(page, 200))["available"] == 2  # its seller sees at once
        assert (await front.guest.call(page, 200))["available"] == 6
        hands.now += 1.0
        assert (await front.guest.call(page, 200))["available"] == 2
        cart = front.guest.holding(X_Cart_Token="a-token-of-a-guest-1234567890")
        line = await cart.call("POST /cart/items", 200, {"sku": a, "quantity": 3})
        assert line["items"][0]["warnings"] == ["short-stock"]
    finally:
        near._clock = before
        near.clear()
