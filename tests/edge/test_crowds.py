"""Fifty people at the edge: the last pieces, each asked for twice with one key."""

import asyncio
from random import Random
from typing import Any

import pytest

from tests.edge.front import CARD, Front, Person, key, order

PEOPLE = 50
PIECES = 3
SEEDS = [1, *(pytest.param(n, marks=pytest.mark.full) for n in range(2, 8))]


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_last_pieces_go_once_each_though_everybody_clicks_twice(
    front: Front, seed: int
) -> None:
    rng = Random(seed)
    (sku,) = await front.goods(PIECES)
    people = [await front.person() for _ in range(PEOPLE)]

    async def click_twice(person: Person) -> tuple[int, Any]:
        once = key()

        async def click() -> tuple[int, Any]:
            await asyncio.sleep(rng.random() * 0.05)
            answer = await person.send("POST /orders", order((sku, 1)), **once)
            return answer.status_code, answer.json()

        first, second = await asyncio.gather(click(), click())
        running = [one for one in (first, second) if is_running(one)]
        assert len(running) <= 1
        # Whoever was told that it still runs asks again, and gets what the other got.
        again = await person.send("POST /orders", order((sku, 1)), **once)
        ends = [one for one in (first, second) if not is_running(one)]
        for status, body in (*ends, (again.status_code, again.json())):
            assert status == ends[0][0]
            assert name_of(body) == name_of(ends[0][1])
        return ends[0]

    answers = await asyncio.gather(*(click_twice(person) for person in people))
    made = [body for status, body in answers if status == 201]
    refused = [body["code"] for status, body in answers if status == 409]
    assert len({body["id"] for body in made}) == len(made) == PIECES
    assert refused == ["out-of-stock"] * (PEOPLE - PIECES)
    assert await front.available(sku) == 0
    for person in people:
        orders = (await person.call("GET /orders", 200))["items"]
        assert len(orders) <= 1  # the second click made none
    sold = await front.shop.rows(
        "inventory", "SELECT state, quantity FROM holds WHERE sku = $1", sku
    )
    open_holds = [row["quantity"] for row in sold if row["state"] != "RELEASED"]
    assert open_holds == [1] * PIECES


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_refresh_while_the_bank_is_slow_pays_once(
    front: Front, seed: int
) -> None:
    rng = Random(seed)
    (sku,) = await front.goods(PEOPLE)
    ada, once = await front.person(), key()
    slow = order((sku, 1), payment={**CARD, "token": "tok_slow_200"})

    async def refresh() -> int:
        await asyncio.sleep(rng.random() * 0.3)
        return (await ada.send("POST /orders", slow, **once)).status_code

    statuses = await asyncio.gather(*(refresh() for _ in range(PEOPLE)))
    assert set(statuses) <= {201, 409}
    assert statuses.count(201) >= 1
    made = await ada.call("POST /orders", 201, slow, **once)
    assert [one["id"] for one in (await ada.call("GET /orders", 200))["items"]] == [
        made["id"]
    ]
    (payment,) = (await ada.call(f"GET /payments?order_id={made['id']}", 200))["items"]
    assert [attempt["status"] for attempt in payment["attempts"]] == ["SUCCEEDED"]
    assert payment["captured"]["amount"] == 1000
    assert await front.available(sku) == PEOPLE - 1


def is_running(answer: tuple[int, Any]) -> bool:
    """Whether the first request with this key had not ended yet."""
    status, body = answer
    return status == 409 and body["code"] == "request-in-progress"


def name_of(body: Any) -> tuple[Any, Any]:
    """What two answers to one key have in common: the order, or the reason."""
    return body.get("id"), body.get("code")
