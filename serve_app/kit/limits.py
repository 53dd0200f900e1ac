"""How often a caller may ask: by address, by account, and by route."""

import heapq
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from uuid import UUID

import msgspec

from bus.kit.outside import Limit
from serve_app.kit.clients import Client
from serve_app.kit.problems import Problem

BUCKETS_MAX = 50_000
SWEPT_SHARE = 10
# How far one bucket can be overdrawn by what other replicas tell, in windows.
OVERDRAWN_WINDOWS_MAX = 2

# What watches the shop is never turned away by its own limits.
UNLIMITED = frozenset({"/health/live", "/health/ready", "/metrics"})

Headers = tuple[tuple[bytes, bytes], ...]


class Bucket:
    """All callers' counts under one limit, by GCRA (ITU-T I.371; "leaky bucket").

    A caller's one number is the time at which its bucket is whole again; each request
    moves it by `window / quota` seconds, and it may lie a window ahead at most. A
    caller whose time has passed needs no number. Past BUCKETS_MAX those that owe least
    are forgotten first, so that who is over a limit stays so.
    """

    __slots__ = (
        "_full",
        "_item",
        "_seconds",
        "_window",
        "limit",
        "policy",
        "shared",
        "taken",
    )

    def __init__(self, limit: Limit, *, shared: bool = False) -> None:
        self.limit = limit
        self.shared = shared
        # What was let pass here since it was last told to the other replicas.
        self.taken: dict[int, int] = {}
        self._window = float(limit.window_seconds)
        self._seconds = self._window / limit.quota
        self._full: dict[int, float] = {}
        # Limits' names hold no quotes and no backslashes (`bus.kit.outside`).
        self._item = f'"{limit.name}"'
        self.policy = f"{self._item};q={limit.quota};w={limit.window_seconds}".encode()

    def __len__(self) -> int:
        return len(self._full)

    def wait_seconds(self, who: int, now: float) -> float:
        """How long `who` has to wait; 0 or less: not at all."""
        full = self._full.get(who)
        if full is None:
            return 0.0
        # A hair of rounding must not refuse the last request of a quota.
        return full + self._seconds - now - self._window - 1e-6

    def take(self, who: int, now: float, count: int = 1) -> None:
        """Count `count` requests of `who`."""
        if self.shared:
            self.taken[who] = self.taken.get(who, 0) + count
        self._move(who, now, count)

    def hear(self, who: int, now: float, count: int) -> None:
        """Count what another replica let pass."""
        most = self.limit.quota * OVERDRAWN_WINDOWS_MAX
        self._move(who, now, max(0, min(count, most)))
        latest = now + self._window * OVERDRAWN_WINDOWS_MAX
        self._full[who] = min(self._full[who], latest)

    def state(self, who: int, now: float) -> bytes:
        """The item of `RateLimit`: what is left, and in how long it is all back."""
        ahead = self._full.get(who, now) - now
        if ahead <= 0:
            return f"{self._item};r={self.limit.quota};t=0".encode()
        left = int((self._window - ahead) / self._seconds + 1e-6)
        return f"{self._item};r={max(0, left)};t={math.ceil(ahead)}".encode()

    def _move(self, who: int, now: float, count: int) -> None:
        full = self._full.get(who)
        if full is None:
            if len(self._full) >= BUCKETS_MAX:
                self._sweep(now)
            full = now
        self._full[who] = max(full, now) + count * self._seconds

    def _sweep(self, now: float) -> None:
        self._full = {who: at for who, at in self._full.items() if at > now}
        if len(self._full) > BUCKETS_MAX - BUCKETS_MAX // SWEPT_SHARE:
            least = heapq.nsmallest(
                BUCKETS_MAX // SWEPT_SHARE, self._full, self._full.__getitem__
            )
            for who in least:
                del self._full[who]


class Counted(msgspec.Struct):
    """The buckets that a request was counted in, and as whom."""

    now: float
    route: Bucket | None = None
    exempt: bool = False
    buckets: list[tuple[Bucket, int]] = []

    def headers(self) -> Headers:
        """`RateLimit` and `RateLimit-Policy` of all of them.

        As draft-ietf-httpapi-ratelimit-headers-10 has them: lists of structured
        fields (RFC 9651), `t` in seconds.
        """
        if len(self.buckets) == 1:
            bucket, who = self.buckets[0]
            state = bucket.state(who, self.now)
            return ((b"ratelimit", state), (b"ratelimit-policy", bucket.policy))
        if not self.buckets:
            return ()
        states = [bucket.state(who, self.now) for bucket, who in self.buckets]
        policies = [bucket.policy for bucket, _ in self.buckets]
        return (
            (b"ratelimit", b", ".join(states)),
            (b"ratelimit-policy", b", ".join(policies)),
        )


class Limits:
    """The limits of one replica; `refused` is told the name of each that was met."""

    def __init__(
        self,
        limits: Iterable[Limit],
        *,
        shared: bool = False,
        refused: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.buckets = {each.name: Bucket(each, shared=shared) for each in limits}
        self._refused = refused
        self._clock = clock
        self._address = self.buckets.get("address")
        self._account = self.buckets.get("account")
        self._routes: dict[tuple[str, str], Bucket] = {}
        self._patterns: dict[str, list[tuple[re.Pattern[str], Bucket]]] = {}
        for name, bucket in self.buckets.items():
            method, _, path = name.partition(" ")
            if "{" in path:
                parts = (re.escape(p) for p in re.split(r"\{\w*\}", path))
                pattern = re.compile("[^/]+".join(parts))
                self._patterns.setdefault(method, []).append((pattern, bucket))
            elif path:
                self._routes[method, path] = bucket

    def begin(self, method: str, path: str) -> Counted:
        """A request that is counted nowhere yet."""
        route = self._routes.get((method, path))
        if route is None and method in self._patterns:
            route = self._matching(method, path)
        return Counted(self._clock(), route, path in UNLIMITED)

    def count_address(self, counted: Counted, client: Client) -> None:
        """Count a request by where it comes from; raises Problem 429 past a limit."""
        if counted.exempt:
            return
        wanted = []
        if self._address is not None:
            wanted.append((self._address, client.number))
        if counted.route is not None and counted.route.limit.per == "address":
            wanted.append((counted.route, client.number))
        self._count(counted, wanted)

    def count_caller(
        self, counted: Counted, client: Client, person: UUID | None
    ) -> None:
        """Count it by who is signed in, now that this is known; raises as above."""
        route = counted.route
        if counted.exempt or (person is None and route is None):
            return
        wanted = []
        if self._account is not None and person is not None:
            wanted.append((self._account, _number(person)))
        if route is not None and route.limit.per != "address":
            if person is not None:
                wanted.append((route, _number(person)))
            elif route.limit.per == "caller":
                wanted.append((route, client.number))
        self._count(counted, wanted)

    def hear(self, name: str, counts: Mapping[int, int]) -> None:
        """Another replica let these pass under a limit."""
        bucket = self.buckets.get(name)
        if bucket is not None:
            now = self._clock()
            for who, count in counts.items():
                bucket.hear(who, now, count)

    def _matching(self, method: str, path: str) -> Bucket | None:
        for pattern, bucket in self._patterns[method]:
            if pattern.fullmatch(path):
                return bucket
        return None

    def _count(self, counted: Counted, wanted: list[tuple[Bucket, int]]) -> None:
        """Look first, count then: what is refused takes from no bucket."""
        now = counted.now
        counted.buckets.extend(wanted)
        for bucket, who in wanted:
            wait = bucket.wait_seconds(who, now)
            if wait > 0:
                self._refused(bucket.limit.name)
                raise _too_many(bucket, wait)
        for bucket, who in wanted:
            bucket.take(who, now)


def _number(person: UUID) -> int:
    """A person in 64 bits, which is what messages carry."""
    return (person.int >> 64) ^ (person.int & 0xFFFFFFFFFFFFFFFF)


def _too_many(bucket: Bucket, wait_seconds: float) -> Problem:
    seconds = max(1, math.ceil(wait_seconds))
    return Problem(
        429,
        "too-many-requests",
        f"Too many requests. Ask again in {seconds} s.",
        headers={"Retry-After": str(seconds)},
        violated_policies=[bucket.limit.name],
    )
