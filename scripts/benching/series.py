"""Rate and latency over time, kept by a load client in a bounded number of slices.

A latency is kept as the step of a geometric scale that it falls in, so that slices of
several processes can be added up: a percentile over time is right to STEP.
"""

import math
from collections.abc import Sequence

import msgspec

SLICES_MAX = 120
SLICE_SECONDS = 0.25
STEP = 1.05
LEAST_MS = 0.01


class Slice(msgspec.Struct, kw_only=True):
    """What ended in one span of time; `steps` counts the good ones by latency."""

    good: int = 0
    other: int = 0
    steps: dict[int, int] = {}

    def add(self, more: "Slice") -> None:
        """Take over what another slice of the same span has."""
        self.good += more.good
        self.other += more.other
        for step, count in more.steps.items():
            self.steps[step] = self.steps.get(step, 0) + count

    def at(self, share: float) -> float:
        """The latency that this share of the good ones stayed under, in ms."""
        left = share * self.good
        for step, count in sorted(self.steps.items()):
            left -= count
            if left < 0:
                return LEAST_MS * math.pow(STEP, step + 0.5)
        return 0.0


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """How a load did around one time, in seconds since its begin."""

    at_seconds: float
    done_per_second: float
    other_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


class Series(msgspec.Struct, kw_only=True):
    """Slices of equal length from the begin of a load; twice as long when too many."""

    seconds: float = SLICE_SECONDS
    slices: list[Slice] = []

    def note(self, at_seconds: float, milliseconds: float | None) -> None:
        """An operation ended then: well after so long, or not well (None)."""
        one = self._slice(at_seconds)
        if milliseconds is None:
            one.other += 1
            return
        one.good += 1
        step = int(math.log(max(milliseconds, LEAST_MS) / LEAST_MS, STEP))
        one.steps[step] = one.steps.get(step, 0) + 1

    def add(self, more: "Series", late_seconds: float) -> None:
        """Add up with one that began so much later."""
        while self.seconds < more.seconds:
            self._widen()
        for number, each in enumerate(more.slices):
            self._slice(late_seconds + (number + 0.5) * more.seconds).add(each)

    def moments(self, seconds: float) -> list[Moment]:
        """As rates and percentiles, of a load that took so long."""
        if not self.slices:
            return []
        slices = list(self.slices)
        last = seconds - (len(slices) - 1) * self.seconds
        if len(slices) > 1 and last < self.seconds / 2:
            # Too short a span to be a rate: it goes with the one before.
            slices[-2:] = [_sum(slices[-2:])]
            last += self.seconds
        lengths = [self.seconds] * (len(slices) - 1) + [last]
        return [
            _moment(one, number * self.seconds, length)
            for number, (one, length) in enumerate(zip(slices, lengths, strict=True))
            if length > 0
        ]

    def _slice(self, at_seconds: float) -> Slice:
        while at_seconds >= SLICES_MAX * self.seconds:
            self._widen()
        number = max(0, int(at_seconds / self.seconds))
        while len(self.slices) <= number:
            self.slices.append(Slice())
        return self.slices[number]

    def _widen(self) -> None:
        """Each two slices become one of twice the length."""
        self.seconds *= 2
        pairs = range(0, len(self.slices), 2)
        self.slices = [_sum(self.slices[at : at + 2]) for at in pairs]


def _sum(slices: Sequence[Slice]) -> Slice:
    whole = Slice()
    for each in slices:
        whole.add(each)
    return whole


def _moment(one: Slice, begun: float, length: float) -> Moment:
    return Moment(
        at_seconds=begun + length / 2,
        done_per_second=one.good / length,
        other_per_second=one.other / length,
        p50_ms=one.at(0.5),
        p95_ms=one.at(0.95),
        p99_ms=one.at(0.99),
    )
