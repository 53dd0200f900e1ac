"""Findings: what is suspected, what stands, what was told, and what is mended."""

from collections.abc import Iterable
from typing import NamedTuple

from bus.kit.books import Found

CONFIRM_SECONDS = 3.0
"""How long a difference must stand: what is under way has passed by then."""
LOOKS_MIN = 2
KEPT_MAX = 2_000

Scope = tuple[str, str]
"""What was looked at: a unit and its key, or a domain's own checks."""


class Suspicion:
    """One finding: since when it stands, and how often it was seen."""

    __slots__ = ("confirmed", "looks", "since", "told")

    def __init__(self, now: float) -> None:
        self.since = now
        self.looks = 0
        self.confirmed = False
        self.told = False


class Open(NamedTuple):
    """A finding that stands."""

    found: Found
    scope: Scope


class Findings:
    """All that is suspected or stands, by what it was found at."""

    def __init__(self) -> None:
        self._by_scope: dict[Scope, dict[Found, Suspicion]] = {}
        self.dropped = 0

    def note(
        self, scope: Scope, found: Iterable[Found], now: float, *, calm_since: float
    ) -> list[Found]:
        """What a look at `scope` has said; returns what is confirmed by it.

        What is no longer said is mended. A difference counts from when all was calm:
        while a domain is away others wait for it, and afterwards they catch up.
        """
        # Taken out and put in at the end: what was looked at longest ago stands first.
        known = self._by_scope.pop(scope, {})
        kept = {one: known.get(one) or Suspicion(now) for one in found}
        if not kept:
            return []
        if not known and len(self._by_scope) >= KEPT_MAX:
            self.dropped += 1
            return []
        self._by_scope[scope] = kept
        return [one for one, it in kept.items() if self._confirms(it, now, calm_since)]

    def disturb(self, scope: Scope, now: float) -> None:
        """What was found at `scope` has changed since: it must stand anew."""
        for suspicion in self._by_scope.get(scope, {}).values():
            if not suspicion.confirmed:
                suspicion.since = now

    def untold(self) -> list[Open]:
        """What stands and nobody was told of yet."""
        return [
            Open(found, scope)
            for scope, some in self._by_scope.items()
            for found, it in some.items()
            if it.confirmed and not it.told
        ]

    def tell(self, one: Open) -> None:
        """Somebody was told of it."""
        if one.found in self._by_scope.get(one.scope, {}):
            self._by_scope[one.scope][one.found].told = True

    def scopes(self, unit: str) -> list[str]:
        """The keys of a unit at which something is suspected or stands.

        Those that were looked at longest ago come first.
        """
        return [key for name, key in self._by_scope if name == unit]

    def standing(self) -> dict[Found, Scope]:
        """All that stands."""
        return {
            found: scope
            for scope, some in self._by_scope.items()
            for found, it in some.items()
            if it.confirmed
        }

    def _confirms(self, it: Suspicion, now: float, calm_since: float) -> bool:
        """Whether it is confirmed by this look."""
        it.looks += 1
        stands = now - max(it.since, calm_since) >= CONFIRM_SECONDS
        if it.confirmed or not stands or it.looks < LOOKS_MIN:
            return False
        it.confirmed = True
        return True
