"""How many requests of a heavy route may be under way: as many as do not queue long.

Past saturation each further request only makes all wait longer, until clients give up
and the work was for nothing. So what would queue too long is refused while that is
still cheap. The measure is delay, as in CoDel (RFC 8289) and LEDBAT (RFC 6817), moved
by additive increase and multiplicative decrease: how much longer a request takes than
when there is little to do. A slow provider is no queue: it is there at rest as well.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

import msgspec

from serve_app.kit.declared import declared_of

UNDER_WAY_MIN = 64
"""So many are never refused: a batch in every shard, and no queue yet."""
UNDER_WAY_FIRST = 256
DELAY_SECONDS_MAX = 0.15
HELD_SECONDS_MAX = 0.5
"""Who takes longer waits for somebody outside, and gives its place back."""
AT_REST_MAX = 8
WINDOW_SECONDS = 0.2
SAMPLES_MIN, SAMPLES_MAX = 10, 1_000
SHRINK, GROW, LEARN = 0.9, 0.05, 0.2


class Window(msgspec.Struct):
    """What was seen since the limit was last thought over."""

    began_at: float
    seconds: list[float] = []
    peak: int = 0
    was_full: bool = False


class Admission:
    """The places of one route in one replica; `most` is what they never exceed."""

    def __init__(
        self, *, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._clock = clock
        self._places: dict[int, float] = {}
        self._last = 0
        self._window = Window(clock())
        self.limit = float(min(UNDER_WAY_FIRST, most))
        self.rest_seconds = 0.0

    @property
    def under_way(self) -> int:
        """How many places are taken."""
        return len(self._places)

    def enter(self) -> int | None:
        """A place, by its number; None: there is none, refuse."""
        now = self._clock()
        if len(self._places) >= self.limit:
            self._take_back(now)
            if len(self._places) >= self.limit:
                self._window.was_full = True
                return None
        self._last += 1
        self._places[self._last] = now
        self._window.peak = max(self._window.peak, len(self._places))
        return self._last

    def leave(self, place: int, *, done: bool) -> None:
        """Its request was answered; only those that were `done` say how long it takes.

        A refusal is quick, and says nothing of how long the others wait.
        """
        began_at = self._places.pop(place, None)
        if began_at is None:  # given back before
            return
        now = self._clock()
        window = self._window
        if done and len(window.seconds) < SAMPLES_MAX:
            window.seconds.append(now - began_at)
        old = now - window.began_at >= WINDOW_SECONDS
        if old and len(window.seconds) >= SAMPLES_MIN:
            self._think(window)
            self._window = Window(now, peak=len(self._places))

    def _think(self, window: Window) -> None:
        usual = median(window.seconds)
        if window.peak <= AT_REST_MAX:
            slower = usual > self.rest_seconds > 0
            step = (usual - self.rest_seconds) * LEARN if slower else None
            self.rest_seconds = usual if step is None else self.rest_seconds + step
        if usual - self.rest_seconds > DELAY_SECONDS_MAX:
            least = min(UNDER_WAY_MIN, self._most)
            self.limit = max(float(least), self.limit * SHRINK)
        elif window.was_full:
            self.limit = min(float(self._most), self.limit + self.limit * GROW)

    def _take_back(self, now: float) -> None:
        """The places of those that hold them too long; the oldest come first."""
        while self._places:
            place, began_at = next(iter(self._places.items()))
            if now - began_at <= HELD_SECONDS_MAX:
                break
            del self._places[place]


def admissions(routes: Iterable[Any], most: int) -> Mapping[tuple[str, str], Admission]:
    """The places of each paced route, by method and path."""
    found = {}
    for route in routes:
        declared = declared_of(route)
        if declared is not None and declared.paced:
            (method,) = route.methods
            found[method, route.path] = Admission(most=most)
    return found
