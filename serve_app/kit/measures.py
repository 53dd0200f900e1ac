"""What the gateway counts, and how `/metrics` tells it (Prometheus text format)."""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from bus.kit import families
from bus.kit.families import FAMILIES
from bus.kit.metrics import Family, Sample, exposition

ROUTES_MAX = 500
TOLD_LABELS_MAX = 100
COLLECT_SECONDS = 1.0
COLLECT_SECONDS_MAX = 3.0

Collect = Callable[[], Awaitable[Sequence[Sample]]]


class Told:
    """What one kind of news comes to, by its labels."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.values: dict[tuple[tuple[str, str], ...], int] = {}

    def add(self, labels: dict[str, str], value: int) -> None:
        """Set a value; labels beyond the bound are not counted."""
        pairs = _pairs(labels)
        if pairs in self.values or len(self.values) < TOLD_LABELS_MAX:
            self.values[pairs] = value


class Measures:
    """Counters of one replica since it started.

    `domains` says which domain a route's template belongs to.
    """

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._requests: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = {}
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self.domains: dict[str, str] = {}
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
            counts = self._buckets[route] = [0] * (len(families.SECONDS) + 1)
        counts[bisect_left(families.SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def count(self, family: Family, **labels: str) -> None:
        """One more of what was told over the bus."""
        told = self._told.setdefault(family.name, Told(family))
        told.add(labels, told.values.get(_pairs(labels), 0) + 1)

    def show(self, family: Family, value: int, **labels: str) -> None:
        """How something stands, as it was last told over the bus."""
        self._told.setdefault(family.name, Told(family)).add(labels, value)

    def text(self, near_bytes: int, others: Iterable[Sample] = ()) -> str:
        """All of it, and what others have told, in Prometheus' text format."""
        mine = [*self._counts(), *self._rest(near_bytes), *self._news()]
        return exposition(self._families(), [*mine, *others])

    def _families(self) -> list[Family]:
        known = {family.name for family in FAMILIES}
        told = [one.family for _, one in sorted(self._told.items())]
        return [*FAMILIES, *(family for family in told if family.name not in known)]

    def _counts(self) -> Iterator[Sample]:
        for (method, route, status), count in self._requests.items():
            labels = {"method": method, "route": route, "status": str(status)}
            labels["domain"] = self._domain(route)
            yield self._of(families.HTTP_REQUESTS, count, **labels)
        for route, counts in self._buckets.items():
            pairs = (
                ("replica", self._replica),
                ("route", route),
                ("domain", self._domain(route)),
            )
            values = (*counts, self._seconds[route])
            yield Sample(families.HTTP_SECONDS.name, pairs, values)

    def _domain(self, route: str) -> str:
        return self.domains.get(route, "gateway")

    def _rest(self, near_bytes: int) -> Iterator[Sample]:
        values = {
            families.IN_FLIGHT: self.in_flight,
            families.BUSY: self.refused_busy,
            families.NEAR_HITS: self.near_hits,
            families.NEAR_MISSES: self.near_misses,
            families.NEAR_BYTES: near_bytes,
            families.STREAMS_OPEN: self.streams_open,
            families.STREAMS_REFUSED: self.streams_refused,
            families.STREAM_LOOKS: self.stream_looks,
            families.STREAM_EVENTS: self.stream_lines,
        }
        for family, value in values.items():
            yield self._of(family, value)
        for reason, count in self.streams_ended.items():
            yield self._of(families.STREAMS_ENDED, count, reason=reason)

    def _news(self) -> Iterator[Sample]:
        for told in self._told.values():
            for pairs, value in told.values.items():
                yield self._of(told.family, value, **dict(pairs))

    def _of(self, family: Family, value: float, **labels: str) -> Sample:
        pairs = (("replica", self._replica), *labels.items())
        return Sample(family.name, pairs, (value,))


class Collected:
    """What the shards told last; asked again at most once in COLLECT_SECONDS.

    However many ask at once, the shards are asked once. One that does not answer is
    missing, and when none does what was told before is not told again.
    """

    def __init__(self, collect: Collect, clock: Callable[[], float]) -> None:
        self._collect = collect
        self._clock = clock
        self._at = float("-inf")
        self._asking = asyncio.Lock()
        self._samples: Sequence[Sample] = ()

    async def samples(self) -> Sequence[Sample]:
        """What they tell, at most COLLECT_SECONDS old."""
        async with self._asking:
            if self._clock() - self._at >= COLLECT_SECONDS:
                self._samples = await self._ask()
                self._at = self._clock()
            return self._samples

    async def _ask(self) -> Sequence[Sample]:
        try:
            async with asyncio.timeout(COLLECT_SECONDS_MAX):
                return await self._collect()
        except TimeoutError:
            return ()


def _pairs(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(labels.items()))
