"""The aims of the scenes are of 64 clients in a closed loop, and say why if missed."""

import msgspec
import pytest

from scripts.benching.aims import Side
from scripts.benching.measuring import Measured
from scripts.benching.scene_aims import scene_aims
from tests.bench.test_verdicts import _load, _measured

AT_64 = msgspec.structs.replace(_measured(_load()), clients=64)


def _doctored(**changes: object) -> Measured:
    return msgspec.structs.replace(AT_64, **changes)


def test_orders_are_held_against_nothing_and_against_their_cost() -> None:
    ratio, cost = scene_aims(
        [_doctored(ratio=0.2, cpu_ms_each={"Postgres": 2.5, "orders/0": 1.75})]
    )
    assert (ratio.key, ratio.figure, ratio.aim, ratio.met) == (
        *("orders-by-noop", 0.2, 0.25),
        False,
    )
    assert (cost.key, cost.figure, cost.aim, cost.side) == (
        *("order-cpu", 4.25, 4.0),
        Side.AT_MOST,
    )
    assert cost.words() == (
        "missed: processor time of one order over all processes but the load client: "
        "4.25 CPU-ms, at most 4 CPU-ms (4.2 CPU-ms each: Postgres 2.50, orders/0 1.75; "
        "load client 1.00)"
    )
    assert ratio.reason.startswith("1 orders a second beside 2 requests a second that")


def test_checkouts_are_forty_times_what_vendure_does() -> None:
    (aim,) = scene_aims([_doctored(scene="checkout", per_second=351.0)])
    assert (aim.key, aim.aim, aim.met) == ("checkouts", 352.0, False)
    (aim,) = scene_aims([_doctored(scene="checkout", per_second=352.0)])
    assert aim.met


@pytest.mark.parametrize(
    "other",
    [{"clients": 16}, {"asked_per_second": 100.0}, {"scene": "cart"}],
)
def test_other_loads_have_none_of_these_aims(other: dict[str, object]) -> None:
    assert list(scene_aims([_doctored(**other)])) == []
