"""Rate and latency over time, in few slices, whatever a load does."""

import pytest

from scripts.benching.series import SLICE_SECONDS, SLICES_MAX, STEP, Series


def test_a_slice_has_what_ended_in_it() -> None:
    series = Series()
    for number in range(8):
        series.note(0.01 + number / 100, 10.0 * (number + 1))
    series.note(0.1, None)
    series.note(0.3, 5.0)
    first, second = series.moments(0.5)
    assert (first.at_seconds, second.at_seconds) == (0.125, 0.375)
    assert (first.done_per_second, first.other_per_second) == (32.0, 4.0)
    assert (second.done_per_second, second.other_per_second) == (4.0, 0.0)
    assert first.p50_ms == pytest.approx(50, rel=STEP - 1)
    assert first.p99_ms == pytest.approx(80, rel=STEP - 1)
    assert second.p50_ms == second.p99_ms == pytest.approx(5, rel=STEP - 1)


def test_a_long_load_has_longer_slices_and_loses_nothing() -> None:
    series = Series()
    for second in range(600):
        series.note(float(second), 1.0)
    assert len(series.slices) <= SLICES_MAX
    assert series.seconds == 8.0
    assert sum(one.good for one in series.slices) == 600
    moments = series.moments(600.0)
    assert moments[0].done_per_second == moments[-1].done_per_second == 1.0


def test_what_is_left_at_the_end_is_no_rate_of_its_own() -> None:
    series = Series()
    for at in (0.1, 0.2, SLICE_SECONDS + 0.01):
        series.note(at, 1.0)
    (only,) = series.moments(SLICE_SECONDS + 0.05)
    assert only.done_per_second == pytest.approx(3 / (SLICE_SECONDS + 0.05))


def test_loads_are_added_up_at_the_time_at_which_each_was() -> None:
    early, late = Series(), Series()
    early.note(0.1, 1.0)
    late.note(0.1, 1.0)
    late.note(40.0, None)  # by now a slice of it is longer than one of the other
    early.add(late, 1.0)
    assert early.seconds == 0.5
    assert [one.good for one in early.slices[:3]] == [1, 0, 1]
    assert [number for number, one in enumerate(early.slices) if one.other] == [82]


def test_nothing_is_drawn_of_no_load() -> None:
    assert Series().moments(1.0) == []
