"""What the browse bench looks at, and what it counts."""

import csv
import io
import random
from collections import Counter

import msgspec
import pytest
from aiohttp import web
from rich.console import Console
from slugify import slugify

from bus.products.sheets import EXPORTED, column_name, money_of
from persistence.products.words import distance
from scripts.benching.browsing import (
    SHARES,
    VISITS,
    Browsed,
    _figures,
    mistype,
    show_browsing,
    visits_of,
)
from scripts.benching.catalogue import read_shelves, slug_of, wares
from scripts.benching.filling import sheet_of
from scripts.benching.load import Load, run
from scripts.benching.measuring import errors_of
from scripts.benching.scenes import Task, Visit
from scripts.launcher import proved
from tests.conftest import free_port


def test_the_catalogue_is_the_same_each_time_and_no_name_comes_twice() -> None:
    goods = list(wares(2_000))
    assert goods == list(wares(2_000))
    assert len({ware.draft.name for ware in goods}) == 2_000
    skus = [each.sku for ware in goods for each in ware.draft.variants]
    assert len(skus) == len(set(skus)) > 2_000
    assert {ware.path for ware in goods} == {shelf.path for shelf in read_shelves()}
    for ware in goods:
        choices = [tuple(each.options.items()) for each in ware.draft.variants]
        assert len(choices) == len(set(choices))
        assert ware.pieces.keys() == {each.sku for each in ware.draft.variants}


def test_visits_are_shared_out_as_they_are_said_to_be() -> None:
    goods = list(wares(1_000))
    visits = visits_of(goods)
    assert visits == visits_of(goods)
    counted = Counter(visit.kind for visit in visits)
    for kind, share in SHARES.items():
        assert abs(counted[kind] / VISITS - share) < 0.02
    lists = [visit.path for visit in visits if visit.kind == "list"]
    assert all("category=" in path and "facets=true" in path for path in lists)


def test_a_mistype_is_one_mistake() -> None:
    dice = random.Random(1)
    for ware in wares(200):
        words = ware.draft.name.lower()
        assert distance(words, mistype(dice, words)) == 1


async def test_visits_are_timed_by_kind_and_fresh_ones_pass_the_cache_by() -> None:
    headers: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        headers.append(request.headers.get("Cache-Control"))
        return web.Response(status=200 if request.query["q"] == "a b" else 404)

    app = web.Application()
    app.router.add_get("/products", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    visits = (Visit("good", "/products?q=a%20b"), Visit("gone", "/products?q=c"))
    try:
        load = await run(
            Task(
                url=f"http://127.0.0.1:{port}",
                clients=2,
                seconds=30,
                requests_max=40,
                scene="browse",
                visits=visits,
                fresh=True,
            )
        )
    finally:
        await runner.cleanup()
    assert set(headers) == {"no-cache"}
    assert load.by_kind.keys() == {"good", "answered 404"}
    assert len(load.by_kind["good"]) == load.good == load.statuses[200]
    assert load.statuses[200] + load.statuses[404] == 40


def test_the_figures_are_a_table_for_people_and_for_the_proof(
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = Load(
        statuses={200: 3, 503: 1},
        errors={},
        milliseconds=[1.0, 2.0, 3.0, 4.0],
        order_ids=[],
        begun_at=0.0,
        ended_at=2.0,
        cpu_seconds=0.0,
        by_kind={"product": [1.0, 2.0], "list": [3.0], "answered 503": [4.0]},
    )
    near, past = _figures(load) | {"hits": 0.25}, _figures(load)
    assert (past["all per second"], past["product p99 ms"]) == (2.0, 2.0)
    assert errors_of(load) == {"answered 503": 1}
    one = Browsed(
        clients=4,
        noop_per_second=100.0,
        noop_p50_ms=1.0,
        near=near,
        past=past,
        errors=errors_of(load),
    )
    show_browsing(Console(width=100), [one])
    said = capsys.readouterr().out
    assert "25% were answered from the near cache" in said
    assert "errors: {'answered 503': 1}" in said
    lines = proved._figures({"measured": [msgspec.to_builtins(one)]})
    assert any(line.startswith("| near: product p99 ms | 2") for line in lines)


def test_the_catalogue_is_a_sheet_that_the_shop_reads_as_it_is_meant() -> None:
    goods = list(wares(40))
    rows = list(csv.DictReader(io.StringIO(sheet_of(goods).decode())))
    assert len(rows) == sum(len(ware.draft.variants) for ware in goods)
    assert set(rows[0]) == {column_name(column) for column in EXPORTED}
    by_sku = {row["Variant SKU"]: row for row in rows}
    for ware in goods:
        first = by_sku[ware.draft.variants[0].sku]
        assert first["Title"] == ware.draft.name
        assert first["Product Category"] == slug_of(ware.path)
        for variant in ware.draft.variants:
            row = by_sku[variant.sku]
            assert money_of(row["Variant Price"], "USD") == variant.price
            assert row["Variant Inventory Qty"] == str(ware.pieces[variant.sku])
            assert row["Handle"] == slugify(ware.draft.name)
            values = [row[f"Option{number} Value"] for number in (1, 2, 3)]
            assert [one for one in values if one] == [*variant.options.values()]
