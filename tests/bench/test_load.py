"""The load client counts what was answered, within its bounds."""

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from scripts.benching.commands import counts
from scripts.benching.load import Load, Task, in_process, run, wish
from scripts.benching.measuring import Measured
from scripts.benching.processes import Usage, group_of
from scripts.benching.tables import show
from scripts.launcher.failures import Failure
from tests.conftest import free_port

SKUS = ("A", "B", "C")


@asynccontextmanager
async def answering(*statuses: int) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that answers orders with these statuses in turn, and noop with 204."""
    taken: list[Any] = []

    async def order(request: web.Request) -> web.Response:
        taken.append(await request.json())
        status = statuses[(len(taken) - 1) % len(statuses)]
        return web.json_response({"id": f"order-{len(taken)}"}, status=status)

    async def noop(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/orders", order)
    app.router.add_get("/dev/noop", noop)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", taken
    finally:
        await runner.cleanup()


async def test_only_orders_that_were_made_count_as_orders() -> None:
    async with answering(201, 503, 201) as (url, taken):
        load = await run(
            Task(url=url, clients=3, seconds=30, requests_max=9, skus=SKUS)
        )
    assert load.statuses == {201: 6, 503: 3}
    assert len(load.order_ids) == len(set(load.order_ids)) == load.good == 6
    assert len(taken) == len(load.milliseconds) == 9
    assert load.errors == {}


async def test_every_order_is_another_guests() -> None:
    async with answering(201) as (url, taken):
        await run(Task(url=url, clients=2, seconds=30, requests_max=8, skus=SKUS))
    assert len({body["email"] for body in taken}) == 8


async def test_the_time_ends_a_load_too() -> None:
    async with answering(201) as (url, _):
        load = await run(Task(url=url, clients=1, seconds=0.2, requests_max=10**6))
    assert 0.2 <= load.seconds < 5
    assert load.good == load.statuses[204] > 0


async def test_a_shop_that_does_not_answer_is_counted_by_its_error() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    load = await run(Task(url=url, clients=1, seconds=5, requests_max=2, skus=SKUS))
    assert load.errors == {"ClientConnectorError": 2}
    assert load.order_ids == []


async def test_the_client_runs_in_a_process_of_its_own() -> None:
    async with answering(201) as (url, taken):
        load = await in_process(
            Task(url=url, clients=2, seconds=30, requests_max=4, skus=SKUS)
        )
    assert len(load.order_ids) == len(taken) == 4
    assert load.cpu_seconds > 0


def test_a_wish_has_one_or_two_items_and_no_sku_twice() -> None:
    dice = random.Random(1)
    wishes: list[Any] = [wish(dice, SKUS) for _ in range(100)]
    assert {len(one["items"]) for one in wishes} == {1, 2}
    for one in wishes:
        skus = [item["sku"] for item in one["items"]]
        assert len(skus) == len(set(skus))
    assert json.dumps(wishes[0])


def test_the_share_of_latencies_is_that_of_the_sorted_ones() -> None:
    load = Load(
        statuses={},
        errors={},
        milliseconds=[float(n) for n in range(100, 0, -1)],
        order_ids=[],
        begun_at=0.0,
        ended_at=1.0,
        cpu_seconds=0.0,
    )
    assert (load.at(0.5), load.at(0.99)) == (51.0, 100.0)


@pytest.mark.parametrize("text", ["", "0", "a", "1,,2", "5000", "-1"])
def test_bad_numbers_of_clients_are_refused(text: str) -> None:
    with pytest.raises(Failure, match="--clients takes numbers from 1 to 1024"):
        counts(text)


def test_a_process_is_known_by_its_command_line() -> None:
    assert group_of("ray::ServeReplica:gateway:gateway") == "gateway"
    assert group_of("postgres: orders orders 127.0.0.1(57944) idle") == "Postgres"
    assert group_of("/x/nats-server -c nats.conf") == "NATS"
    assert group_of("/x/python -m scripts.bank --port 1") == "bank"
    assert group_of("ray::DashboardAgent") == "Ray, the rest"


def test_what_a_process_spends_is_its_groups() -> None:
    before = Usage(os.getpid(), {os.getpid(): "tests/0"})
    total = sum(n * n for n in range(400_000))
    spent = Usage(os.getpid(), {os.getpid(): "tests/0"}).since(before)
    assert total > 0
    assert 0 < spent["tests/0"] < 10


def test_sessions_that_ended_are_not_counted_twice() -> None:
    before, after = Usage(os.getpid(), {}), Usage(os.getpid(), {})
    before.seconds, before.groups = {1: 2.0, 2: 1.0}, {1: "Postgres", 2: "Postgres"}
    after.seconds, after.groups = {1: 3.5}, {1: "Postgres"}  # 2 ended after 1.2 s
    assert after.since(before) == {"Postgres": 0.5}


def test_the_tables_name_errors_and_what_was_not_applied(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from rich.console import Console

    one = Measured(
        clients=16,
        orders=100,
        orders_per_second=50.0,
        answered_per_second=55.0,
        applied_after_seconds=0.25,
        applied=False,
        p50_ms=12.5,
        p99_ms=40.0,
        errors={"503": 2},
        noop_per_second=1000.0,
        noop_p50_ms=1.0,
        ratio=0.05,
        cpu_ms_per_order={"orders/0": 1.25, "gateway": 0.5},
        client_cpu_ms_per_order=0.4,
        batch_sizes={"orders/0": 3.5},
        calls_per_order={"orders/0": 0.25},
    )
    show(Console(width=100), [one])
    said = " ".join(capsys.readouterr().out.split())
    assert "16 100 50 55 12.5 40.0 2 1000 0.050 0.25" in said
    assert "orders/0 1.25 gateway 0.50 the shop 1.75" in said
    assert "16 clients: 2 of 503" in said
    assert "16 clients: not all was applied in time" in said
