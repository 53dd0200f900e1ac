"""What goes along with a request through every process: its id and its trace."""

import re
from contextvars import ContextVar
from typing import Any

from bus.kit.values import Value


class Context(Value, frozen=True, array_like=True):
    """The request that work is done for; `traceparent` as in W3C Trace Context.

    `actor` is who asks: a person's id, or a name of `bus.kit.audit`.
    """

    request_id: str | None = None
    traceparent: str | None = None
    actor: str | None = None


NONE = Context()

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

CURRENT: ContextVar[Context] = ContextVar("souk_context", default=NONE)
"""The context of the running task."""


def checked_trace(given: Any) -> str | None:
    """A `traceparent` that somebody else gave; None for what is none."""
    fits = isinstance(given, str) and _TRACEPARENT.fullmatch(given)
    return given if fits else None
