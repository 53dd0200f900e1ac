"""What a client does in each scene, and when each operation begins."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from aiohttp import web

from scripts.benching.desk import BY_DOMAIN, BY_EDGE, refuser
from scripts.benching.drawing import drawn, zipf
from scripts.benching.load import Starts, run
from scripts.benching.running import PARTS
from scripts.benching.scenes import SCENES, Task, Visit
from tests.conftest import free_port

SKUS = tuple(f"S-{number}" for number in range(50))


@asynccontextmanager
async def _shop(seconds: float = 0.0) -> AsyncIterator[tuple[str, list[Any]]]:
    """Answers everything well, after some time; what it was asked, in order."""
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        cart = request.headers.get("X-Cart-Token")
        asked.append((request.method, request.path, cart, body))
        await asyncio.sleep(seconds)
        status = 201 if request.path == "/orders" else 200
        said = {"id": str(len(asked)), "cart_token": f"cart-{len(asked)}"}
        return web.json_response(said, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


def _task(url: str, scene: str, requests_max: int, **more: Any) -> Task:
    given = {"clients": 1, "seconds": 30.0, "skus": SKUS} | more
    return Task(url=url, scene=scene, requests_max=requests_max, **given)


async def test_a_checkout_is_a_cart_of_two_items_and_then_an_order() -> None:
    async with _shop() as (url, asked):
        load = await run(_task(url, "checkout", 2))
    assert load.good == len(load.order_ids) == 2
    for first, second, order, number in ((*asked[:3], 1), (*asked[3:], 4)):
        assert [each[:3] for each in (first, second, order)] == [
            ("POST", "/cart/items", None),
            ("POST", "/cart/items", f"cart-{number}"),
            ("POST", "/orders", f"cart-{number}"),
        ]
        assert first[3]["sku"] != second[3]["sku"]
        assert "items" not in order[3]
    assert {kind: len(each) for kind, each in load.by_kind.items()} == {
        "add": 4,
        "order": 2,
    }


async def test_a_cart_is_filled_changed_and_shown_by_one_guest() -> None:
    async with _shop() as (url, asked):
        load = await run(_task(url, "cart", 1))
    sku = asked[0][3]["sku"]
    assert [each[:3] for each in asked] == [
        ("POST", "/cart/items", None),
        ("PUT", f"/cart/items/{sku}", "cart-1"),
        ("GET", "/cart", "cart-1"),
    ]
    assert (load.good, load.order_ids) == (1, [])


async def test_of_ten_in_the_mix_one_buys() -> None:
    async with _shop() as (url, asked):
        visits = (Visit("product", "/products/a"),)
        load = await run(_task(url, "mixed", 400, visits=visits, clients=4))
    counted = Counter(path for _, path, _, _ in asked)
    assert counted.total() == load.good == 400
    assert 20 <= counted["/orders"] <= 65
    assert counted["/products/a"] == 400 - counted["/orders"]


async def test_a_replay_orders_up_to_twenty_lines_and_few_skus_most() -> None:
    async with _shop() as (url, asked):
        await run(_task(url, "replay", 200, clients=4))
    lines = [[item["sku"] for item in body["items"]] for *_, body in asked]
    assert {len(skus) for skus in lines} == set(range(1, 21))
    assert all(len(skus) == len(set(skus)) for skus in lines)
    counted = Counter(sku for skus in lines for sku in skus)
    assert counted["S-0"] > 2 * counted["S-49"]


def test_zipf_wants_the_nth_an_nth_as_often() -> None:
    assert zipf(4) == pytest.approx([1, 1 + 1 / 2, 1 + 1 / 2 + 1 / 3, 25 / 12])
    dice = random.Random(1)
    counted = Counter(drawn(dice, "abcd", zipf(4), 1)[0] for _ in range(10_000))
    for rank, letter in enumerate("abcd", 1):
        assert counted[letter] / 10_000 == pytest.approx(12 / 25 / rank, abs=0.02)


def test_all_skus_can_be_drawn_at_once() -> None:
    assert sorted(drawn(random.Random(1), "abcd", zipf(4), 4)) == list("abcd")


def test_at_a_fixed_rate_operations_are_due_whatever_came_of_the_last() -> None:
    task = _task("", "noop", 100, seconds=1.0, rate=4.0)
    starts = Starts(task, begun=10.0)
    assert [starts.take(now) for now in (10.0, 10.0, 99.0, 99.0, 99.0)] == [
        10.0,
        10.25,
        10.5,
        10.75,
        None,
    ]


def test_a_closed_loop_starts_at_once_until_time_or_count_is_up() -> None:
    starts = Starts(_task("", "noop", 2, seconds=1.0), begun=10.0)
    assert [starts.take(now) for now in (10.5, 10.6, 10.7)] == [10.5, 10.6, None]
    assert Starts(_task("", "noop", 2, seconds=1.0), begun=10.0).take(11.0) is None


async def test_an_open_loop_counts_the_wait_for_a_slow_shop_in() -> None:
    """One client, answers of 50 ms, due each 10 ms: the n-th waits 40 ms more."""
    async with _shop(seconds=0.05) as (url, _):
        slow = await run(_task(url, "noop", 8, rate=100.0))
        kept = await run(_task(url, "noop", 4, rate=10.0))
    waits = [late - early for early, late in pairwise(slow.milliseconds)]
    assert all(wait > 20 for wait in waits)
    assert slow.milliseconds[-1] > 8 * 50 - 7 * 10
    assert max(slow.by_kind["noop"]) < slow.milliseconds[-1]
    assert kept.milliseconds[-1] < slow.milliseconds[-1] / 2


async def test_an_open_loop_keeps_its_rate() -> None:
    async with _shop() as (url, asked):
        begun = time.perf_counter()
        load = await run(_task(url, "noop", 10**6, rate=50.0, seconds=0.5, clients=8))
    assert time.perf_counter() - begun >= 0.48
    assert len(asked) == load.good == 25


def test_who_refused_is_told_by_the_order_that_was_made() -> None:
    assert refuser(409, b'{"code": "out-of-stock", "order_id": "1"}') == BY_DOMAIN
    assert refuser(409, b'{"code": "out-of-stock"}') == BY_EDGE
    assert refuser(409, b'{"code": "price-changed"}') == "answered 409 price-changed"
    assert refuser(503, b"") == "answered 503"


def test_every_scene_of_the_command_is_there() -> None:
    from scripts.benching.commands import What

    of_clients = SCENES.keys() - {"noop"}
    runs = {"growth", "soak", "marketplace"}  # of these scenes, and of more
    assert {what.value for what in What} == of_clients | PARTS.keys() | runs
