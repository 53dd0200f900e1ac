"""The load client counts what was answered, within its bounds."""

import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest
from aiohttp import web

from scripts.auditing.place import Place
from scripts.benching.commands import counts
from scripts.benching.load import Load, in_process, merged, run, shared_out
from scripts.benching.processes import Usage, group_of
from scripts.benching.ray_load import as_ray_tasks
from scripts.benching.scenes import Task, some, wish
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
            Task(
                url=url,
                clients=3,
                seconds=30,
                requests_max=9,
                scene="orders",
                skus=SKUS,
            )
        )
    assert load.statuses == {201: 6, 503: 3}
    assert len(load.order_ids) == len(set(load.order_ids)) == load.good == 6
    assert len(taken) == 9
    assert len(load.milliseconds) == 6
    assert {kind: len(each) for kind, each in load.by_kind.items()} == {
        "order": 6,
        "answered 503": 3,
    }
    assert load.errors == {}
    (moment,) = load.moments()
    assert moment.done_per_second * load.seconds == pytest.approx(6)
    assert moment.other_per_second * load.seconds == pytest.approx(3)
    assert moment.p50_ms == pytest.approx(load.at(0.5), rel=0.05)


async def test_every_order_is_another_guests() -> None:
    async with answering(201) as (url, taken):
        await run(
            Task(
                url=url,
                clients=2,
                seconds=30,
                requests_max=8,
                scene="orders",
                skus=SKUS,
            )
        )
    assert len({body["email"] for body in taken}) == 8


async def test_the_time_ends_a_load_too() -> None:
    async with answering(201) as (url, _):
        load = await run(Task(url=url, clients=1, seconds=0.2, requests_max=10**6))
    assert 0.2 <= load.seconds < 5
    assert load.good == load.statuses[204] > 0


async def test_a_shop_that_does_not_answer_is_counted_by_its_error() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    load = await run(
        Task(url=url, clients=1, seconds=5, requests_max=2, scene="orders", skus=SKUS)
    )
    assert load.errors == {"ClientConnectorError": 2}
    assert load.order_ids == []


async def test_the_client_runs_in_a_process_of_its_own() -> None:
    async with answering(201) as (url, taken):
        load = await in_process(
            Task(
                url=url,
                clients=2,
                seconds=30,
                requests_max=4,
                scene="orders",
                skus=SKUS,
            )
        )
    assert len(load.order_ids) == len(taken) == 4
    assert load.cpu_seconds > 0


async def test_what_several_processes_counted_is_counted_together() -> None:
    async with answering(201, 503) as (url, _):
        task = Task(url=url, clients=1, seconds=30, requests_max=4, scene="orders")
        task = msgspec.structs.replace(task, skus=SKUS)
        one, other = await run(task), await run(task)
    both = merged([one, other])
    assert both.statuses == {201: 4, 503: 4}
    assert both.order_ids == one.order_ids + other.order_ids
    assert both.by_kind["order"] == one.by_kind["order"] + other.by_kind["order"]
    assert (both.good, len(both.by_kind["answered 503"])) == (4, 4)
    assert (both.begun_at, both.ended_at) == (one.begun_at, other.ended_at)
    counts = [(each.good, each.other) for each in both.series.slices]
    assert tuple(map(sum, zip(*counts, strict=True))) == (4, 4)
    assert both.pids == [os.getpid(), os.getpid()]


def test_what_is_shared_out_is_the_whole() -> None:
    task = Task(url="", clients=5, seconds=1, requests_max=11, rate=9.0, seed=5)
    parts = shared_out(task, 3)
    assert [part.clients for part in parts] == [2, 2, 1]
    assert [part.requests_max for part in parts] == [4, 4, 3]
    assert [part.rate for part in parts] == [3.0, 3.0, 3.0]
    assert len({part.seed for part in parts}) == 3
    assert len(shared_out(msgspec.structs.replace(task, clients=2), 8)) == 2


def test_a_wish_has_one_or_two_items_and_no_sku_twice() -> None:
    dice = random.Random(1)
    wishes: list[Any] = [wish(some(dice, SKUS)) for _ in range(100)]
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


def test_a_load_client_that_ray_runs_costs_the_shop_nothing() -> None:
    mine = os.getpid()
    assert mine in Usage(mine, {}).seconds
    assert mine not in Usage(mine, {}, apart=[mine]).seconds


async def test_a_load_on_ray_needs_a_cluster() -> None:
    task = Task(url="", clients=1, seconds=1, requests_max=1)
    with pytest.raises(Failure, match="no cluster was found"):
        await as_ray_tasks(task, 1, cast(Place, None), None)


def test_sessions_that_ended_are_not_counted_twice() -> None:
    before, after = Usage(os.getpid(), {}), Usage(os.getpid(), {})
    before.seconds, before.groups = {1: 2.0, 2: 1.0}, {1: "Postgres", 2: "Postgres"}
    after.seconds, after.groups = {1: 3.5}, {1: "Postgres"}  # 2 ended after 1.2 s
    assert after.since(before) == {"Postgres": 0.5}
