"""Facts that were heard of: a request may act on one while it is fresh."""

import time
from collections import OrderedDict
from collections.abc import Callable
from contextvars import ContextVar

FACTS_MAX = 50_000
AGE_SECONDS_MAX = 1.0


class Facts:
    """Names of what is so, and when that was last known; the oldest go first.

    A fact that is no longer fresh is kept as a reason to ask, and no more than that.
    """

    def __init__(
        self,
        *,
        facts_max: int = FACTS_MAX,
        age_seconds_max: float = AGE_SECONDS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._facts_max = facts_max
        self._age_seconds_max = age_seconds_max
        self._clock = clock
        self._known: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def now(self) -> float:
        """The time of these facts: when an ask begins whose reply will be one."""
        return self._clock()

    def note(self, name: str, at: float | None = None) -> None:
        """It is so, as was known `at` (now, where that is not given)."""
        self._known[name] = self._clock() if at is None else at
        self._known.move_to_end(name)
        while len(self._known) > self._facts_max:
            self._known.popitem(last=False)

    def drop(self, name: str) -> None:
        """It is so no longer."""
        self._known.pop(name, None)

    def clear(self) -> None:
        """Nothing can be trusted: what has changed may not have been heard."""
        self._known.clear()

    def is_fresh(self, name: str) -> bool:
        """Whether it was so a moment ago."""
        at = self._known.get(name)
        return at is not None and self._clock() - at <= self._age_seconds_max


FACTS: ContextVar[Facts | None] = ContextVar("souk_facts", default=None)
"""The facts of the gateway that answers the request which runs now."""
