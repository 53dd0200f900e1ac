"""What a stream is of: lines with positions, read from a domain after the last sent."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Depends, Header, Query

from bus.kit.refusals import FieldError
from serve_app.kit.problems import Problem

LINES_MAX = 100
POSITION_MAX = 10**18 - 1

_POSITION = re.compile(r"[0-9]{1,18}")
_encoder = msgspec.json.Encoder()

View = TypeVar("View")


class Line(msgspec.Struct, frozen=True):
    """One event of a stream: its position, its name, and what it shows."""

    id: int
    event: str
    view: Any

    def encoded(self) -> bytes:
        """The event as the stream carries it (HTML, Server-sent events)."""
        data = _encoder.encode(self.view)  # JSON of one line
        return b"id: %d\nevent: %s\ndata: %s\n\n" % (self.id, self.event.encode(), data)


Look = Callable[[int | None], Awaitable[Sequence[Line]]]


class Feed(Generic[View]):
    """What a route of a stream returns: whose lines, and how to find them.

    `look(after)` reads at most `LINES_MAX` lines whose position is above `after`, the
    lowest first; None: of a reader who has nothing yet. It runs again and again with
    the right of the one who asked, so that a right that ends ends the stream. An event
    that `Router.wakes` ties to the same `kind` and `key` says that it may find more.
    """

    def __init__(self, kind: str, key: object, look: Look, after: int | None) -> None:
        self.kind = kind
        self.topic = topic_of(kind, key)
        self.look = look
        self.after = after


def topic_of(kind: str, key: object) -> str:
    """What streams of a kind are woken by."""
    return f"{kind}:{key}"


def _resume(
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="The `id` of the last event that arrived: go on after it.",
        ),
    ] = None,
    after: Annotated[
        int | None,
        Query(
            ge=0,
            le=POSITION_MAX,
            description="The same, for a first connection; the header comes first.",
        ),
    ] = None,
) -> int | None:
    if not last_event_id:
        return after
    if _POSITION.fullmatch(last_event_id) is None:
        raise Problem(
            422,
            "invalid-request",
            "Some fields are not acceptable.",
            [FieldError("last-event-id", "invalid-event-id", "Not an id of a stream")],
        )
    return int(last_event_id)


ResumeAfter = Annotated[int | None, Depends(_resume)]
"""A stream's parameter of this type is what its reader has already; None: nothing."""
