"""The slope of what is held, and when it counts as bounded."""

import pytest

from persistence.kit.entities import ENTITIES_MAX
from scripts.benching.soaking.slopes import (
    MEGABYTE,
    Held,
    Trend,
    aims_of,
    slope,
    trend_of,
)


def _held(seconds: float, megabytes: float, files: int = 10) -> Held:
    return Held(
        seconds=seconds,
        processes=1,
        resident=int(megabytes * MEGABYTE),
        unique=int(megabytes * MEGABYTE),
        files=files,
        connections=3,
    )


def _trend(samples: list[Held]) -> dict[str, Trend]:
    return {"orders/0": trend_of(samples)}


def test_a_slope_is_that_of_the_best_line() -> None:
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2.0
    assert slope([(0, 0), (1, 4), (2, 2)]) == 1.0
    assert slope([(3, 7), (3, 9)]) == 0.0


def test_what_fills_while_it_warms_up_does_not_count() -> None:
    warming = [_held(n * 60, 10.0 * n) for n in range(4)]
    level = [_held(n * 60, 40.0) for n in range(4, 11)]
    trend = trend_of(warming + level)
    assert (trend.slope_mb_per_hour, trend.days_share) == (0.0, 0.0)
    assert trend.samples == 7


def test_a_leak_of_a_megabyte_a_minute_is_sixty_an_hour() -> None:
    trend = trend_of([_held(n * 60, 100.0 + n) for n in range(11)])
    assert trend.slope_mb_per_hour == pytest.approx(60.0)
    assert trend.days_share == pytest.approx(60.0 * 24 / 110)


def test_a_few_samples_are_no_trend() -> None:
    with pytest.raises(ValueError, match="are no trend"):
        trend_of([_held(n, 1.0) for n in range(5)])
    with pytest.raises(ValueError, match="0 samples"):
        trend_of([])


def test_a_leak_misses_its_aim_and_a_cache_that_fills_is_the_reason() -> None:
    leaking = _trend([_held(n * 60, 100.0 + n) for n in range(11)])
    memory, files, connections = aims_of(leaking, {"orders/0": 7})
    assert not memory.met
    assert memory.reason == f"its cache holds 7 of at most {ENTITIES_MAX} entities"
    assert (files.met, connections.met) == (True, True)
    memory, *_ = aims_of(leaking, {"orders/0": ENTITIES_MAX})
    assert memory.reason == ""


def test_files_that_are_left_open_miss_their_aim() -> None:
    leaving = _trend([_held(n * 60, 100.0, files=10 + n) for n in range(11)])
    memory, files, _ = aims_of(leaving, {})
    assert memory.met
    assert files.figure == pytest.approx(20 / 14)
    assert not files.met
