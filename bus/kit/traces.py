"""Traces: spans of OpenTelemetry where a collector is configured, else next to nothing.

The parent of a span is the `traceparent` of the running context, so a trace goes on
wherever that goes: over lanes, into rows that wait, with events. No attribute holds
anything of a person: names, ids of messages and statements without their values.
"""

import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from bus.kit.context import CURRENT, Context

LINKS_MAX = 32
STATEMENT_CHARACTERS_MAX = 2_000

OTLP_PATH = "v1/traces"


class Span:
    """A piece of work; this one is of a process that traces nothing."""

    __slots__ = ()
    traceparent: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        where: TracebackType | None = None,
    ) -> None:
        return None

    def note(self, **attributes: str | float | bool) -> None:
        """Say more of it; `_` in a name becomes `.`, and `__` a plain `_`."""

    def rename(self, name: str) -> None:
        """Call it otherwise."""

    def link(self, other: "Span") -> None:
        """Name another span that has to do with this one."""

    def fail(self, kind: str) -> None:
        """It has failed, in this way."""

    def end(self, error: object = None) -> None:
        """It is over; an exception as a value says that it failed."""


NO_SPAN = Span()

Begin = Callable[..., Span]
_begin: Begin | None = None


def turn_on(begin: Begin | None) -> None:
    """Make spans with `begin` from now on; None: make none."""
    global _begin  # noqa: PLW0603 - one process, one tracer
    _begin = begin


def are_on() -> bool:
    """Whether this process makes spans."""
    return _begin is not None


def span(name: str, kind: str = "internal", **attributes: Any) -> Span:
    """A span for a `with` block, whose work is done in its context.

    What nobody's request led to is not traced.
    """
    if _begin is None or CURRENT.get().traceparent is None:
        return NO_SPAN
    return _Block(name, kind, CURRENT.get(), (), attributes)


def within(
    context: Context,
    name: str,
    kind: str = "server",
    *,
    root: bool = False,
    **attributes: Any,
) -> Span:
    """Like `span`, for work that came with a context; a `root` may begin a trace."""
    if _begin is None or not (context.traceparent or root):
        CURRENT.set(context)
        return NO_SPAN
    return _Block(name, kind, context, (), attributes)


def joint(name: str, spans: Iterable[Span], **attributes: Any) -> Span:
    """A span for work that is done for many at once.

    It hangs under the first one that is sampled, and links to the others, which link
    to it: from each of their traces one finds the way.
    """
    if _begin is None:
        return NO_SPAN
    sampled = [one for one in spans if is_sampled(one.traceparent)]
    if not sampled:
        return NO_SPAN
    first = Context(CURRENT.get().request_id, sampled[0].traceparent)
    others = tuple(sampled[1 : LINKS_MAX + 1])
    return _Block(name, "internal", first, others, attributes)


def begin(
    name: str,
    kind: str = "internal",
    parent: str | None = None,
    *,
    root: bool = False,
    **attributes: Any,
) -> Span:
    """A span until its `end`; the running context stays. A `root` begins a trace."""
    if _begin is None or not (parent or root):
        return NO_SPAN
    return _begin(name, kind, parent, (), attributes)


def is_sampled(traceparent: str | None) -> bool:
    """Whether somebody collects the spans of this trace."""
    return bool(traceparent) and int((traceparent or "")[-2:], 16) & 1 == 1


def log_statement(statement: Any) -> None:
    """A span of a statement that asyncpg has just run (its LoggedQuery)."""
    parent = CURRENT.get().traceparent
    if _begin is None or not is_sampled(parent):
        return
    text = " ".join(statement.query.split())[:STATEMENT_CHARACTERS_MAX]
    ended_at = time.time_ns()
    made = _begin(
        text.partition(" ")[0].upper().rstrip(";"),
        "client",
        parent,
        (),
        {"db_system_name": "postgresql", "db_query_text": text},
        ended_at - int(statement.elapsed * 1e9),
    )
    made.end(statement.exception)


class _Block(Span):
    """A span that is begun and ended by its block."""

    __slots__ = ("_given", "_made", "_token", "traceparent")

    def __init__(
        self,
        name: str,
        kind: str,
        context: Context,
        others: tuple[Span, ...],
        attributes: dict[str, Any],
    ) -> None:
        self._given = (name, kind, context, others, attributes)

    def __enter__(self) -> Self:
        name, kind, context, others, attributes = self._given
        parents = (context.traceparent, others, attributes)
        self._made = _begin(name, kind, *parents) if _begin else NO_SPAN
        for other in others:
            other.link(self._made)
        self.traceparent = self._made.traceparent
        trace = self.traceparent or context.traceparent
        inner = Context(context.request_id, trace, context.actor)
        self._token = CURRENT.set(inner)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        where: TracebackType | None = None,
    ) -> None:
        CURRENT.reset(self._token)
        self._made.end(error)

    def note(self, **attributes: str | float | bool) -> None:
        """Say more of it."""
        self._made.note(**attributes)

    def rename(self, name: str) -> None:
        """Call it otherwise."""
        self._made.rename(name)

    def fail(self, kind: str) -> None:
        """It has failed, in this way."""
        self._made.fail(kind)

    def link(self, other: Span) -> None:
        """Name another span that has to do with this one."""
        self._made.link(other)
