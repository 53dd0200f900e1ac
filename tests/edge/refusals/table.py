"""The table of refusals: what provokes each, and the status that it comes with."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.edge.scene import Scene

Provoke = Callable[[Scene], Awaitable[Any]]

REFUSALS: dict[str, tuple[int, Provoke]] = {}
"""Code → status, and what provokes it: an answer over HTTP, or a raised Refusal."""


def provokes(code: str, status: int) -> Callable[[Provoke], Provoke]:
    """The function ends in this refusal."""

    def remember(provoke: Provoke) -> Provoke:
        assert code not in REFUSALS, code
        REFUSALS[code] = (status, provoke)
        return provoke

    return remember
