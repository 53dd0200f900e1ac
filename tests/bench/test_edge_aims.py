"""What the edge is held against, and what a shop does past saturation, as aims."""

import asyncio

import msgspec
import pytest
from aiohttp import web

from scripts.benching.desk import BUSY, refuser
from scripts.benching.edge_aims import rate_aims, yardstick_aims
from scripts.benching.flash import Rates
from scripts.benching.load import run
from scripts.benching.overload import Overload
from scripts.benching.postgres_alone import Alone
from scripts.benching.scenes import Task, slug_of
from scripts.benching.yardsticks import Yardsticks
from tests.bench.test_verdicts import _load, _measured
from tests.conftest import free_port

RATES = Rates(
    clients=64, hot_reads=1_000, edge_refusals=800, domain_refusals=199, orders=100
)
BESIDE = Yardsticks(
    clients=64,
    uvicorn_per_second=1_000,
    uvicorn_p50_ms=1,
    serve_per_second=100,
    serve_p50_ms=1,
    flags_per_second=500,
    flags_p50_ms=1,
    postgres=Alone(
        connections=32, single_row_per_second=1, batch=64, batch_per_second=1
    ),
)
OVERLOAD = Overload(
    peak_per_second=600,
    peak_clients=64,
    usual_per_second=480,
    usual_p99_ms=100,
    asked_per_second=1_800,
    over_per_second=540,
    over_p50_ms=100,
    over_p99_ms=200,
    refused=1_000,
    refused_p50_ms=1,
    refused_p99_ms=5,
    other=0,
)


def test_refusals_are_held_against_reads_and_orders() -> None:
    edge, domain = rate_aims(RATES)
    assert (edge.figure, edge.met) == (0.8, True)
    assert (domain.figure, domain.met) == (1.99, False)


def test_the_hot_read_is_held_against_other_servers_and_noop_against_its_flags() -> (
    None
):
    one = msgspec.structs.replace(
        _measured(_load()), noop_per_second=400, answered_per_second=900
    )
    (noop,) = yardstick_aims(one, BESIDE)
    assert (noop.key, noop.figure, noop.met) == ("noop-by-flags", 0.8, True)
    hot = msgspec.structs.replace(one, scene="hot")
    serve, uvicorn, same = yardstick_aims(hot, BESIDE)
    assert (serve.figure, serve.met) == (9.0, False)
    assert (uvicorn.figure, uvicorn.met) == (0.9, True)
    assert same == noop


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, set()),
        ({"over_per_second": 539.0}, {"overload-goodput"}),
        ({"over_p99_ms": 201.0}, {"overload-accepted"}),
        ({"refused_p99_ms": 5.1}, {"overload-refused"}),
        ({"other": 1}, {"overload-told"}),
        ({"refused": 0, "other": 0}, set()),
    ],
)
def test_each_aim_of_an_overload_can_be_missed(
    change: dict[str, float], missed: set[str]
) -> None:
    aims = msgspec.structs.replace(OVERLOAD, **change).aims()
    assert {aim.key for aim in aims if not aim.met} == missed
    assert len(aims) == 4


def test_a_busy_shop_says_when_to_come_again() -> None:
    assert refuser(503, b"", told=True) == BUSY
    assert refuser(503, b"") == "answered 503"
    assert refuser(500, b"", told=True) == "answered 500"


async def test_a_hot_read_is_of_one_page_and_a_busy_answer_is_counted_apart() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        await asyncio.sleep(0)
        if len(asked) % 2:
            return web.Response(status=503, headers={"Retry-After": "1"})
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/products/{slug}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    url = f"http://127.0.0.1:{port}"
    task = Task(
        url=url, scene="hot", clients=1, seconds=30, requests_max=4, skus=("S-1", "S-2")
    )
    try:
        load = await run(task)
    finally:
        await runner.cleanup()
    assert set(asked) == {f"/products/{slug_of('S-1')}"}
    counts = {kind: len(times) for kind, times in load.by_kind.items()}
    assert counts == {"product": 2, BUSY: 2}
    assert load.good == 2
