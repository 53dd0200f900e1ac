"""The scenes past HTTP: what they count, leave behind, and object to."""

import asyncio
from typing import Any

import msgspec
import pytest
from rich.console import Console

from bus.inventory import AdjustStock
from bus.kit.refusals import Unknown, conflict
from scripts.benching.aims import Aim
from scripts.benching.asking import Asking, wish
from scripts.benching.commands import What, usual_clients
from scripts.benching.comparing import compare
from scripts.benching.errands import Done, Errand, over_and_over
from scripts.benching.holding import Holds, HoldsRound
from scripts.benching.ordering import Process, ProcessRound
from scripts.benching.pairing import Asks, AsksRound
from scripts.benching.running import CALLERS, PARTS
from scripts.benching.tables import show_inner


def _done(count: int, seconds: float = 1.0, **more: Any) -> Done:
    return Done(count=count, begun_at=100.0, ended_at=100.0 + seconds, **more)


def _holding(hot: int, uniform: int, /, **more: Any) -> HoldsRound:
    given: dict[str, Any] = {
        "single_row_per_second": 10.0,
        "batch_per_second": 400.0,
        "hot": _done(hot),
        "uniform": _done(uniform),
        "hot_told_per_second": hot / 2,
        "kept": hot + uniform,
        "left": 0,
    }
    return HoldsRound(**given | more)


def _holds(*rounds: HoldsRound) -> Holds:
    return Holds(callers=8, connections=32, batch=256, skus=200, rounds=list(rounds))


def _figures(aims: list[Aim]) -> dict[str, tuple[float, bool]]:
    return {aim.key: (aim.figure, aim.met) for aim in aims}


def test_holds_are_held_against_postgres_of_the_same_turn() -> None:
    turns = (_holding(100, 125), _holding(300, 100), _holding(210, 200))
    assert _figures(_holds(*turns).aims()) == {
        "holds-by-single-rows": (21.0, True),
        "holds-by-batches": (0.525, True),
        "holds-hot-by-uniform": (1.05, True),
    }
    slow = _holds(_holding(100, 125))
    assert [met for _, met in _figures(slow.aims()).values()] == [False] * 3
    assert slow.faults() == []


@pytest.mark.parametrize(
    ("turn", "said"),
    [
        (_holding(100, 50, kept=149), "150 holds answered, 149 pieces reserved"),
        (_holding(100, 50, left=1), "1 pieces more are reserved than before"),
        (
            _holding(100, 50, hot=_done(100, errors={"out-of-stock": 2})),
            "holds that were not answered well: {'out-of-stock': 2}",
        ),
    ],
)
def test_holds_that_the_database_does_not_know_do_not_count(
    turn: HoldsRound, said: str
) -> None:
    assert _holds(_holding(1, 1), turn).faults() == [said]


def test_asks_are_held_against_calls_loaded_and_alone() -> None:
    turn = AsksRound(
        asks=_done(20_000),
        calls=_done(1_000),
        idle_asks=_done(500, p50_ms=2.5),
        idle_calls=_done(1_000, p50_ms=1.0),
    )
    asks = Asks(in_flight=64, rounds=[turn])
    assert _figures(asks.aims()) == {
        "asks-by-calls": (20.0, True),
        "idle-ask-by-call": (2.5, False),
    }
    assert asks.faults() == []
    broken = msgspec.structs.replace(turn, calls=_done(1, errors={"Unknown": 1}))
    assert Asks(in_flight=64, rounds=[broken]).faults() == [
        "calls that were not answered well: {'Unknown': 1}"
    ]


def _ordering(**more: Any) -> Process:
    turn = ProcessRound(
        orders=_done(400),
        settled_per_second=360.0,
        workflows=[_done(20), _done(16, seconds=0.5)],
    )
    given = {"callers": 64, "rounds": [turn], "committed": 38, "warmed": 2}
    return Process(**given | more)


def test_an_order_counts_when_it_is_settled_and_a_workflow_when_it_is_committed() -> (
    None
):
    assert _figures(_ordering().aims()) == {"process-by-workflow": (10.0, True)}
    assert _ordering().faults() == []
    assert _ordering(committed=37).faults() == [
        "38 workflows ended, 37 are committed",
    ]


def test_every_scene_past_http_is_one_of_the_command_and_has_its_callers() -> None:
    assert set(CALLERS) <= set(PARTS) <= {what.value for what in What}
    assert usual_clients(What.HOLDS, 0) == "512"
    assert usual_clients(What.ORDERS, 0) == "1,16,64"
    assert usual_clients(What.ORDERS, 5) == "256"


def test_what_was_measured_past_http_is_shown_and_compared() -> None:
    console = Console(record=True, width=110)
    for one in (_holds(_holding(100, 50)), _ordering()):
        show_inner(console, one)
    said = console.export_text()
    assert "holds, 8 at a time, the middle of 1 turns" in said
    assert "DBOS workflows in 2 processes" in said
    then, now = (
        {"measured": [], "aims": msgspec.to_builtins(_holds(turn).aims())}
        for turn in (_holding(100, 50), _holding(200, 50))
    )
    moved = {one.name: one.ratio for one in compare(then, now)}
    assert moved == {
        "aim: holds-by-single-rows": 2.0,
        "aim: holds-by-batches": 2.0,
        "aim: holds-hot-by-uniform": 2.0,
    }


async def test_refusals_and_silences_are_counted_apart_from_what_went_well() -> None:
    ends = iter([None, conflict("sold-out"), Unknown("late"), None])

    async def act() -> None:
        if error := next(ends, None):
            raise error
        await asyncio.sleep(0.001)

    done = await over_and_over(Errand(what="", callers=2, seconds=0.05), act)
    assert done.errors == {"sold-out": 1, "Unknown": 1}
    assert done.count >= 2
    assert 0 < done.p50_ms <= done.p99_ms


async def test_what_the_bench_has_held_leaves_no_more_than_tombstones(shop) -> None:
    async with shop("inventory") as s:
        skus = ("BENCH-1", "BENCH-2")
        for sku in skus:
            await s.ask(AdjustStock(sku=sku, on_hand=1_000_000, reason="bench"))
        asking = Asking(s.ask, pair=None)  # type: ignore[arg-type]
        held = await asking.do(Errand(what="hold", callers=8, seconds=0.1, skus=skus))
        query = "SELECT sum(reserved)::int AS n FROM stock"
        assert held.errors == {}
        assert (await s.rows("inventory", query))[0]["n"] == held.count > 0
        given = await asking.do(Errand(what="give-back"))
        assert given.count == held.count
        assert (await s.rows("inventory", query))[0]["n"] == 0
        holds = await s.rows("inventory", "SELECT DISTINCT state, quantity FROM holds")
        assert [tuple(row.values()) for row in holds] == [("RELEASED", 0)]
        again = await asking.do(Errand(what="give-back"))
        assert again.count == 0


def test_every_order_of_the_bench_is_another_guests() -> None:
    first, second = wish("BENCH-1"), wish("BENCH-1")
    assert first.buyer != second.buyer
    assert first.email != second.email
    assert [(line.sku, line.quantity) for line in first.items] == [("BENCH-1", 1)]
