"""An aim says what it is held against, and on which side of it a figure is good."""

import msgspec
import pytest

from scripts.benching.aims import Aim, Side


@pytest.mark.parametrize(
    ("figure", "side", "met"),
    [
        (0.26, Side.AT_LEAST, True),
        (0.25, Side.AT_LEAST, True),
        (0.24, Side.AT_LEAST, False),
        (0.26, Side.AT_MOST, False),
        (0.25, Side.AT_MOST, True),
        (0.24, Side.AT_MOST, True),
    ],
)
def test_an_aim_is_met_on_its_good_side(figure: float, side: Side, met: bool) -> None:
    aim = Aim(key="a", what="orders by noop", figure=figure, aim=0.25, side=side)
    assert aim.met is met


def test_a_missed_aim_says_why_and_a_met_one_does_not() -> None:
    missed = Aim(key="a", what="an order", figure=5.5, aim=4, side=Side.AT_MOST)
    missed = msgspec.structs.replace(missed, unit="CPU-ms", reason="the disk is slow")
    assert missed.words() == (
        "missed: an order: 5.5 CPU-ms, at most 4 CPU-ms (the disk is slow)"
    )
    met = msgspec.structs.replace(missed, figure=3.25)
    assert met.words() == "met: an order: 3.25 CPU-ms, at most 4 CPU-ms"
