"""What the gateway counts, and how `/metrics` tells it (Prometheus text format)."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
ROUTES_MAX = 500
TOLD_LABELS_MAX = 100


class Told:
    """What one kind of news comes to, by its labels."""

    def __init__(self, kind: str, words: str) -> None:
        self.kind = kind
        self.words = words
        self.values: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, labels: dict[str, str], value: int) -> None:
        """Set a value; labels beyond the bound are not counted."""
        pairs = _pairs(labels)
        if pairs in self.values or len(self.values) < TOLD_LABELS_MAX:
            self.values[pairs] = value


class Measures:
    """Counters of one replica since it started."""

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self.in_flight = 0
        self.refused_busy = 0
        self.near_hits = 0
        self.near_misses = 0
        self.streams_open = 0
        self.streams_refused = 0
        self.stream_looks = 0
        self.stream_lines = 0
        self.streams_ended: Counter[str] = Counter()
        self._told: dict[str, Told] = {}

    def record(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; `route` is the template, never the path itself."""
        self._requests[method, route, status] += 1
        counts = self._buckets.get(route)
        if counts is None:
            if len(self._buckets) >= ROUTES_MAX:
                return
            counts = self._buckets[route] = [0] * (len(BUCKETS_SECONDS) + 1)
        counts[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def count(self, name: str, words: str, **labels: str) -> None:
        """One more of what was told over the bus."""
        told = self._told.setdefault(name, Told("counter", words))
        told.add(labels, told.values.get(_pairs(labels), 0) + 1)

    def show(self, name: str, words: str, value: int, **labels: str) -> None:
        """How something stands, as it was last told over the bus."""
        self._told.setdefault(name, Told("gauge", words)).add(labels, value)

    def text(self, near_bytes: int) -> str:
        """All of it in Prometheus' text format."""
        parts = (
            self._counts(),
            self._times(),
            self._rest(near_bytes),
            self._ends(),
            self._news(),
        )
        return "\n".join([*(line for part in parts for line in part), ""])

    def _counts(self) -> Iterator[str]:
        yield "# HELP souk_http_requests_total Requests answered."
        yield "# TYPE souk_http_requests_total counter"
        for (method, route, status), count in sorted(self._requests.items()):
            labels = self._labels(method=method, route=route, status=str(status))
            yield f"souk_http_requests_total{labels} {count}"

    def _times(self) -> Iterator[str]:
        name = "souk_http_request_seconds"
        yield f"# HELP {name} Time from a request's head to its answer's end."
        yield f"# TYPE {name} histogram"
        for route, counts in sorted(self._buckets.items()):
            total = 0
            for bound, count in zip((*BUCKETS_SECONDS, "+Inf"), counts, strict=True):
                total += count
                labels = self._labels(route=route, le=str(bound))
                yield f"{name}_bucket{labels} {total}"
            labels = self._labels(route=route)
            yield f"{name}_sum{labels} {self._seconds[route]:.6f}"
            yield f"{name}_count{labels} {total}"

    def _rest(self, near_bytes: int) -> Iterator[str]:
        values = (
            ("in_flight", "gauge", self.in_flight, "Requests being worked on."),
            ("busy_total", "counter", self.refused_busy, "Requests refused as busy."),
            ("near_hits_total", "counter", self.near_hits, "Answers from memory."),
            (
                "near_misses_total",
                "counter",
                self.near_misses,
                "Near routes not there.",
            ),
            ("near_bytes", "gauge", near_bytes, "Bytes of answers kept in memory."),
            ("streams_open", "gauge", self.streams_open, "Event streams now open."),
            (
                "streams_refused_total",
                "counter",
                self.streams_refused,
                "Event streams that found no place.",
            ),
            (
                "stream_looks_total",
                "counter",
                self.stream_looks,
                "Times that event streams asked for more.",
            ),
            (
                "stream_events_total",
                "counter",
                self.stream_lines,
                "Events sent on streams.",
            ),
        )
        for name, kind, value, words in values:
            yield f"# HELP souk_gateway_{name} {words}"
            yield f"# TYPE souk_gateway_{name} {kind}"
            yield f"souk_gateway_{name}{self._labels()} {value}"

    def _ends(self) -> Iterator[str]:
        name = "souk_gateway_streams_ended_total"
        yield f"# HELP {name} Event streams that ended, by why."
        yield f"# TYPE {name} counter"
        for reason, count in sorted(self.streams_ended.items()):
            yield f"{name}{self._labels(reason=reason)} {count}"

    def _news(self) -> Iterator[str]:
        for name, told in sorted(self._told.items()):
            yield f"# HELP souk_{name} {told.words}"
            yield f"# TYPE souk_{name} {told.kind}"
            for pairs, value in sorted(told.values.items()):
                yield f"souk_{name}{self._labels(**dict(pairs))} {value}"

    def _labels(self, **labels: str) -> str:
        pairs = {"replica": self._replica, **labels}
        inside = ",".join(
            f'{name}="{_escaped(value)}"' for name, value in pairs.items()
        )
        return f"{{{inside}}}"


def _pairs(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
