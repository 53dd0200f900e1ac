"""All event streams of a replica: their places, what wakes them, what ends them."""

import asyncio
import hashlib
import re
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Scope

from bus.kit.settings import Settings
from serve_app.kit.caller import Caller
from serve_app.kit.clients import client_of
from serve_app.kit.epochs import Epochs
from serve_app.kit.feeds import Feed, topic_of
from serve_app.kit.following import Pace, Stream
from serve_app.kit.identity import Identity
from serve_app.kit.measures import Measures
from serve_app.kit.problems import Problem, unavailable

SUFFIX = "/stream"
ACCESS_COOKIE = "souk_access"
ORDER_COOKIE = "souk_order"
FULL_RETRY_SECONDS = 5

Drains = Callable[[], Awaitable[bool]]


class Ear(Protocol):
    """What hears the events of a kind while somebody follows it."""

    def connected(self) -> bool:
        """True while events are heard."""
        ...

    async def listen(self, kind: str) -> None:
        """Hear the events that wake streams of this kind."""
        ...

    async def silence(self, kind: str) -> None:
        """Nobody follows this kind any more."""
        ...


class Streams:
    """The open streams, bounded, each woken by what its feed is about.

    They are answered outside of Serve's bookkeeping, by `app` itself, and count against
    `streams_max` alone: a stream takes no request's place.
    """

    def __init__(self, settings: Settings, epochs: Epochs, measures: Measures) -> None:
        self.epochs = epochs
        self.measures = measures
        self.pace = Pace()
        self.ear: Ear | None = None
        self.draining = False
        self.app: ASGIApp | None = None
        self._max = settings.streams_max
        self._each_max = settings.streams_each_max
        self._paths: list[re.Pattern[str]] = []
        self._open: set[Stream] = set()
        self._each: Counter[str] = Counter()
        self._by_topic: defaultdict[str, set[Stream]] = defaultdict(set)
        self._kinds: Counter[str] = Counter()
        self._heard: set[str] = set()
        self._attending = asyncio.Lock()
        self._missed = False
        self._made_good_at = float("-inf")
        self._drains: Drains | None = None
        self._watching: asyncio.Task[None] | None = None

    # --- routes --------------------------------------------------------------

    def answer(self, app: ASGIApp, paths: Iterable[str]) -> None:
        """Requests to these paths, as routes write them, are for `app` itself."""
        self.app = app
        self._paths = [re.compile(re.sub(r"\{\w+\}", "[^/]+", path)) for path in paths]

    def route_of(self, scope: Scope) -> ASGIApp | None:
        """What answers a request for a stream; None: it is another request."""
        path = scope["path"]
        if not path.endswith(SUFFIX) or scope["method"] != "GET":
            return None
        if any(each.fullmatch(path) for each in self._paths):
            return self.app
        return None

    # --- places --------------------------------------------------------------

    @asynccontextmanager
    async def place(
        self, scope: Scope, identity: Identity | None, drains: Drains | None
    ) -> AsyncIterator[Stream]:
        """A place for one stream; raises Problem where there is none.

        `drains` says whether Serve has begun to end this replica.
        """
        who = _who(scope["souk.caller"], scope)
        self._admit(who)
        stream = Stream(self, identity)
        self._open.add(stream)
        self._each[who] += 1
        self.measures.streams_open += 1
        self._drains = drains
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield stream
        finally:
            self._open.discard(stream)
            self._each[who] -= 1
            if not self._each[who]:
                del self._each[who]
            self.measures.streams_open -= 1
            await self._leave(stream)

    def _admit(self, who: str) -> None:
        if self.draining or len(self._open) >= self._max:
            self.measures.streams_refused += 1
            raise unavailable("No more streams here. Come back in a moment.")
        if self._each[who] >= self._each_max:
            self.measures.streams_refused += 1
            raise Problem(
                429,
                "too-many-streams",
                f"At most {self._each_max} streams at once.",
                headers={"Retry-After": str(FULL_RETRY_SECONDS)},
            )

    # --- what wakes them -----------------------------------------------------

    async def follow(self, stream: Stream, feed: Feed[Any]) -> None:
        """Wake `stream` from now on when its feed may have more."""
        self._by_topic[feed.topic].add(stream)
        self._kinds[feed.kind] += 1
        await self._attend(feed.kind)

    def wake(self, kind: str, key: object) -> None:
        """Something happened to what these streams are about."""
        for stream in self._by_topic.get(topic_of(kind, key), ()):
            stream.wake()

    def miss(self) -> None:
        """Events may have been missed: soon, but not more often, all look."""
        self._missed = True

    def hears(self) -> bool:
        """True while what happens is heard of."""
        return self.ear is not None and self.ear.connected()

    async def _leave(self, stream: Stream) -> None:
        feed = stream.feed
        if feed is None:
            return
        if stream.began:
            self.measures.streams_ended[stream.ended or "gone"] += 1
        followers = self._by_topic[feed.topic]
        followers.discard(stream)
        if not followers:
            del self._by_topic[feed.topic]
        self._kinds[feed.kind] -= 1
        await self._attend(feed.kind)

    async def _attend(self, kind: str) -> None:
        """Hear a kind's events while somebody follows it: all of them cost time."""
        if self.ear is None:
            return
        async with self._attending:
            if self._kinds[kind] and kind not in self._heard:
                self._heard.add(kind)
                await self.ear.listen(kind)
            elif not self._kinds[kind] and kind in self._heard:
                self._heard.discard(kind)
                await self.ear.silence(kind)

    # --- what ends them ------------------------------------------------------

    def drain(self) -> None:
        """End all; their readers find another replica."""
        self.draining = True
        for stream in tuple(self._open):
            stream.end("draining")

    async def _watch(self) -> None:
        """While there are streams, end each that may not go on."""
        while self._open:
            await asyncio.sleep(self.pace.watch_seconds)
            drains = None if self.draining else self._drains
            if drains is not None and await drains():
                self.drain()
            for stream in tuple(self._open):
                if reason := stream.overdue():
                    stream.end(reason)
            self._make_good()

    def _make_good(self) -> None:
        """Wake all after something was missed; a bus that comes and goes, seldom."""
        now = time.monotonic()
        if not self._missed or now < self._made_good_at + self.pace.away_seconds:
            return
        self._missed, self._made_good_at = False, now
        for stream in self._open:
            stream.wake()


def _who(caller: Caller, scope: Scope) -> str:
    """Whose streams count together: a person's, an order token's, an address'."""
    if caller.user_id is not None:
        return str(caller.user_id)
    if caller.order_token is not None:
        return hashlib.sha256(caller.order_token.encode()).hexdigest()
    return client_of(HTTPConnection(scope))


def cookies_of(scope: Scope) -> dict[str, str]:
    """The cookies that came with a request."""
    pairs = (
        pair.partition("=")
        for name, value in scope["headers"]
        if name == b"cookie"
        for pair in value.decode("latin-1").split(";")
    )
    found: dict[str, str] = {}
    for name, _, value in pairs:
        # The one with the longest path comes first (RFC 6265 §5.4).
        found.setdefault(name.strip(), value.strip().strip('"'))
    return found
