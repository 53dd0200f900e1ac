"""Metrics: what a part of the shop counts, cheaply, and as samples that travel.

On the hot path a count is one addition to an attribute. Samples are read from another
thread: nothing here is a lock, and every reading is one step of the interpreter.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Literal

from bus.kit.values import Value

SERIES_MAX = 500
OTHER = "other"

Labels = tuple[tuple[str, str], ...]


class Family(Value, frozen=True, kw_only=True):
    """One metric by its name: what it is, and the labels of its series.

    `buckets` are the upper bounds of a histogram; it has none if it is not one.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    words: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class Sample(Value, frozen=True, array_like=True):
    """One series as it stands: its value; of a histogram its counts, then its sum."""

    family: str
    labels: Labels
    values: tuple[float, ...]


class Counter:
    """What only grows; add to `value`."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0

    def read(self) -> tuple[float, ...]:
        """The count."""
        return (self.value,)


class Histogram:
    """How often values fell into each bucket, and their sum."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def read(self) -> tuple[float, ...]:
        """The counts of the buckets, then the sum."""
        return (*self._counts, self._sum)


class Gauge:
    """How something stands, asked of `look` when somebody wants to know."""

    __slots__ = ("_look",)

    def __init__(self, look: Callable[[], float]) -> None:
        self._look = look

    def read(self) -> tuple[float, ...]:
        """The value now."""
        return (float(self._look()),)


class Meters:
    """The series of one part of the shop; `labels` stand on all of them."""

    def __init__(self, **labels: str) -> None:
        self._labels = tuple(labels.items())
        self._series: dict[tuple[str, Labels], Counter | Histogram | Gauge] = {}
        self._counts: dict[str, int] = {}

    def counter(self, family: Family, **labels: str) -> Counter:
        """The counter of these labels; keep it where it is added to often."""
        key = self._key(family, labels)
        found = self._series.get(key)
        if not isinstance(found, Counter):
            found = self._series[key] = Counter()
        return found

    def histogram(self, family: Family, **labels: str) -> Histogram:
        """The histogram of these labels; keep it where it is added to often."""
        key = self._key(family, labels)
        found = self._series.get(key)
        if not isinstance(found, Histogram):
            found = self._series[key] = Histogram(family.buckets)
        return found

    def gauge(self, family: Family, look: Callable[[], float], **labels: str) -> None:
        """Tell what `look` says; a gauge of the same labels gives way."""
        self._series[self._key(family, labels)] = Gauge(look)

    def samples(self) -> list[Sample]:
        """All series as they stand."""
        # A copy is made at one go; what is listed pair by pair may change meanwhile.
        series = list(self._series.copy().items())
        return [Sample(name, labels, one.read()) for (name, labels), one in series]

    def _key(self, family: Family, labels: dict[str, str]) -> tuple[str, Labels]:
        """The series' key; past SERIES_MAX of a family all new ones are one."""
        key = (family.name, (*self._labels, *labels.items()))
        if key in self._series:
            return key
        count = self._counts.get(family.name, 0)
        if count >= SERIES_MAX:
            rest = tuple((name, OTHER) for name in labels)
            return (family.name, (*self._labels, *rest))
        self._counts[family.name] = count + 1
        return key


def exposition(families: Iterable[Family], samples: Iterable[Sample]) -> str:
    """Samples in Prometheus' text format 0.0.4; those of no family are left out.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.family, []).append(sample)
    lines: list[str] = []
    for family in families:
        of_it = found.get(family.name)
        if not of_it:
            continue
        lines.append(f"# HELP {family.name} {_escaped_words(family.words)}")
        lines.append(f"# TYPE {family.name} {family.kind}")
        for sample in sorted(of_it, key=lambda one: one.labels):
            if family.kind == "histogram":
                lines += _buckets(family, sample)
            else:
                value = _number(sample.values[0])
                lines.append(f"{family.name}{_inside(sample.labels)} {value}")
    return "\n".join([*lines, ""])


def _buckets(family: Family, sample: Sample) -> list[str]:
    *counts, total = sample.values
    lines, seen = [], 0.0
    for bound, count in zip((*family.buckets, None), counts, strict=True):
        seen += count
        le = "+Inf" if bound is None else _number(bound)
        labels = _inside((*sample.labels, ("le", le)))
        lines.append(f"{family.name}_bucket{labels} {_number(seen)}")
    labels = _inside(sample.labels)
    lines.append(f"{family.name}_sum{labels} {total:.6f}")
    lines.append(f"{family.name}_count{labels} {_number(seen)}")
    return lines


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _inside(labels: Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels)
    return f"{{{pairs}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _escaped_words(words: str) -> str:
    return words.replace("\\", "\\\\").replace("\n", "\\n")
