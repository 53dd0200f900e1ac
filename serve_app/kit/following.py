"""One event stream: it sends what its feed finds, until something ends it."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bus.kit.refusals import Failed, Refusal, Unavailable, Unknown
from bus.kit.tasks import end_tasks
from serve_app.kit.feeds import LINES_MAX, Feed, Line
from serve_app.kit.identity import Identity
from serve_app.kit.problems import Problem

if TYPE_CHECKING:
    from serve_app.kit.streams import Streams

LIFE_SECONDS_MAX = 3_600
FAILURES_MAX = 20
# What is handed over at once: a server keeps all of it, however slow the reader is.
PART_BYTES_MAX = 16 << 10

_COMMENT = b": \n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class Pace(msgspec.Struct, frozen=True):
    """How often a stream does what.

    A comment is sent, and a look taken, after `comment_seconds` of silence; while no
    events are heard, or looks fail, a look is taken every `away_seconds`. Between two
    looks lie at least `pause_seconds`, so that many hints are one. What cannot be sent
    within `send_seconds_max` has a reader that is too slow. `retry_ms` is how long
    readers wait before they come back, drawn for each so that not all come at once.
    """

    comment_seconds: float = 15.0
    away_seconds: float = 3.0
    pause_seconds: float = 0.1
    send_seconds_max: float = 10.0
    watch_seconds: float = 0.5
    retry_ms: tuple[int, int] = (1_000, 3_000)


class Stream:
    """A reader's place on this replica, from its request to its end.

    Nothing is kept for the reader: what it has not got stands in the database, above
    the position that was sent last. So a hint may be lost, doubled or late, and a
    reader that is cut off misses nothing.
    """

    def __init__(self, streams: "Streams", identity: Identity | None) -> None:
        self.began = False
        self.ended = ""
        self.feed: Feed[Any] | None = None
        self._streams = streams
        self._identity = identity
        self._wake = asyncio.Event()
        self._until = time.time() + LIFE_SECONDS_MAX
        if identity is not None:
            self._until = min(self._until, identity.expires_at)
        self._after: int | None = None
        self._lines: Sequence[Line] = ()
        self._looked_at = self._said_at = float("-inf")
        self._failures = 0

    def wake(self) -> None:
        """There may be something new; often is as good as once."""
        self._wake.set()

    def end(self, reason: str) -> None:
        """Send nothing more; the first reason counts."""
        if not self.ended:
            self.ended = reason
            self._wake.set()

    def overdue(self) -> str:
        """Why the stream may not go on, if memory alone can tell."""
        if time.time() >= self._until:
            return "expired"
        if self._identity is None:
            return ""
        # False, not None: a list that is too old says nothing.
        ended = self._streams.epochs.known(self._identity) is False
        return "revoked" if ended else ""

    async def open(self, feed: Feed[Any]) -> Response:
        """Take the first look, whose refusal is the request's answer."""
        self.feed = feed
        self._after = feed.after
        await self._streams.follow(self, feed)
        self._lines = await self._look(feed)
        return EventStream(self)

    async def flow(self, receive: Receive, send: Send) -> None:
        """Send all there is, then all that comes."""
        if self.feed is None:
            raise RuntimeError("a stream flows that was not opened")
        self.began = True
        listening = asyncio.create_task(self._listen(receive))
        try:
            await self._begin(send)
            while not self.ended:
                more = len(self._lines) >= LINES_MAX
                sent = await self._put(send)
                if not (sent and more) and not self.ended:
                    await self._rest(send)
                if not self.ended:
                    await self._look_again(self.feed)
            if self.ended not in ("gone", "slow"):
                await self._write(send, b"", more=False)
        finally:
            await end_tasks([listening])

    # --- reading -------------------------------------------------------------

    async def _look(self, feed: Feed[Any]) -> Sequence[Line]:
        # A hint that comes from here on is about something that this look may miss.
        self._wake.clear()
        self._looked_at = _now()
        self._streams.measures.stream_looks += 1
        return await feed.look(self._after)

    async def _look_again(self, feed: Feed[Any]) -> None:
        self._lines = ()
        try:
            self._lines = await self._look(feed)
        except Refusal:
            self.end("refused")
        except (Unavailable, Unknown, Failed, TimeoutError):
            self._fail()
        else:
            if not self._lines:
                self._failures = 0

    def _fail(self) -> None:
        """The domain does not answer: later it may."""
        self._failures += 1
        if self._failures > FAILURES_MAX:
            self.end("failed")

    # --- writing -------------------------------------------------------------

    async def _begin(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": list(_HEADERS)}
        )
        retry = random.randint(*self._streams.pace.retry_ms)  # noqa: S311 - no secret
        await self._write(send, b"retry: %d\n\n" % retry)

    async def _put(self, send: Send) -> bool:
        """Send the lines that were found, if the reader still may have them."""
        lines, self._lines = self._lines, ()
        if not lines or not await self._may():
            return False
        self._failures = 0
        part = bytearray()
        for n, line in enumerate(lines, 1):
            part += line.encoded()
            if n < len(lines) and len(part) < PART_BYTES_MAX:
                continue
            await self._write(send, bytes(part))
            if self.ended:
                return False
            self._after = line.id
            part.clear()
        self._streams.measures.stream_lines += len(lines)
        return True

    async def _may(self) -> bool:
        if self._identity is not None:
            try:
                await self._streams.epochs.check(self._identity)
            except Problem as problem:
                if problem.status == 401:
                    self.end("revoked")
                else:
                    self._fail()
                return False
        return not self.ended

    async def _rest(self, send: Send) -> None:
        """Wait for a hint, or until it is time to look or to say that one lives."""
        pace = self._streams.pace
        at = self._said_at + pace.comment_seconds
        if self._failures or not self._streams.hears():
            at = min(at, _now() + pace.away_seconds)
        try:
            async with asyncio.timeout(at - _now()):
                await self._wake.wait()
        except TimeoutError:
            if _now() >= self._said_at + pace.comment_seconds:
                await self._write(send, _COMMENT)
        pause = self._looked_at + pace.pause_seconds - _now()
        if pause > 0 and not self.ended:
            await asyncio.sleep(pause)

    async def _write(self, send: Send, body: bytes, *, more: bool = True) -> None:
        message = {"type": "http.response.body", "body": body, "more_body": more}
        try:
            async with asyncio.timeout(self._streams.pace.send_seconds_max):
                await send(message)
        except TimeoutError:
            self.end("slow")
        except OSError:
            self.end("gone")
        self._said_at = _now()

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass  # a body that nobody asked for
        self.end("gone")


class EventStream(Response):
    """The response that a stream is."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    async def __call__(
        self,
        scope: Scope,  # noqa: ARG002 - ASGI's
        receive: Receive,
        send: Send,
    ) -> None:
        """Flow until the end."""
        await self._stream.flow(receive, send)


def _now() -> float:
    return time.monotonic()
