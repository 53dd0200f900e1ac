"""The crowd, a process of its own: opens connections, holds them, says what came.

`python -m scripts.benching.crowding.crowd` does what each line of its input says.
"""

import asyncio
import itertools
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
import uvloop

from scripts.benching.crowding.holding import (
    ASK_AGAIN_SECONDS,
    Followed,
    Held,
    request,
)
from scripts.benching.errands import Errands, errands, serve_lines
from scripts.benching.load import share_of
from scripts.launcher.failures import Failure

OPENED_AT_ONCE = 100
OPEN_SECONDS_MAX = 20.0
FILES_BESIDE = 200
KNOCKS_AT_ONCE = 100
"""How many come at a time past the limit; those that are let in stay."""

IDLE = "/health/live"

Some = TypeVar("Some", bound=Held)


class Stream(msgspec.Struct, frozen=True):
    """A stream that is followed, and by whom."""

    path: str
    headers: dict[str, str]


class Open(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Open these, one after another kind; they stay open."""

    url: str
    streams: list[Stream]
    idle: int


class Look(msgspec.Struct, frozen=True, tag=True):
    """Say what the streams got, and what is still open."""


class Knock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Open more until `refused` of them were turned away, or `most` were opened."""

    refused: int
    most: int


class Close(msgspec.Struct, frozen=True, tag=True):
    """End all connections."""


Order = Open | Look | Knock | Close


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How the crowd stands; `ids` are the events of each stream, in its order.

    `told` are those that were answered with `Retry-After`. Of a knock only: `refused`
    by what they were answered; one that is "closed" was ended without a word, "silent"
    waited.
    """

    streams: int = 0
    idle: int = 0
    statuses: dict[int, int] = {}
    ids: list[list[int]] = []
    let_in: int = 0
    refused: dict[str, int] = {}
    told: int = 0
    answered_p99_ms: float = 0.0


class Crowd:
    """The connections of this process."""

    def __init__(self) -> None:
        self._streams: list[Followed] = []
        self._idle: list[Held] = []
        self._address = ("", 0)
        self._asking: asyncio.Task[None] | None = None

    async def do(self, line: bytes) -> bytes:
        """One order."""
        order = msgspec.json.decode(line, type=Order)
        match order:
            case Open():
                seen = await self._open(order)
            case Knock():
                seen = await self._knock(order)
            case Close():
                seen = await self._close()
            case _:
                seen = self._look()
        return msgspec.json.encode(seen)

    async def _open(self, order: Open) -> Seen:
        may_open(len(order.streams) + order.idle)
        parts = urlsplit(order.url)
        self._address = (parts.hostname or "", parts.port or 80)
        streams = [Followed(request(one.path, one.headers)) for one in order.streams]
        idle = [Held(request(IDLE, {})) for _ in range(order.idle)]
        self._streams = await self._connect(streams)
        self._idle = await self._connect(idle)
        if self._idle:
            self._asking = asyncio.create_task(self._keep())
        return self._look()

    async def _connect(self, wanted: list[Some]) -> list[Some]:
        """Open these, some at a time, and wait for their answers, but not for ever."""
        loop = asyncio.get_running_loop()
        for start in range(0, len(wanted), OPENED_AT_ONCE):
            some = wanted[start : start + OPENED_AT_ONCE]
            opening = (
                loop.create_connection(partial(_same, one), *self._address)
                for one in some
            )
            ends = await asyncio.gather(*opening, return_exceptions=True)
            for one, end in zip(some, ends, strict=True):
                if isinstance(end, BaseException):
                    one.connection_lost(None)
            await asyncio.wait({one.answered for one in some}, timeout=OPEN_SECONDS_MAX)
        return wanted

    async def _keep(self) -> None:
        """Let each idle one ask now and then, spread over the time.

        Each has its time: on a busy machine a pause takes longer than it should.
        """
        begun, each = time.monotonic(), ASK_AGAIN_SECONDS / max(len(self._idle), 1)
        for turn in itertools.count():
            for number, one in enumerate(self._idle):
                due = begun + turn * ASK_AGAIN_SECONDS + number * each
                if (early := due - time.monotonic()) > 0:
                    await asyncio.sleep(early)
                one.ask()

    async def _knock(self, order: Knock) -> Seen:
        came: list[Held] = []
        turned: list[Held] = []
        while len(turned) < order.refused and len(came) < order.most:
            some = [Held(request(IDLE, {})) for _ in range(KNOCKS_AT_ONCE)]
            came += await self._connect(some)
            turned += [one for one in some if one.status != 200]
        times = [one.answered.result() for one in turned if one.answered.done()]
        seen = Seen(
            let_in=len(came) - len(turned),
            refused=dict(Counter(_ended(one) for one in turned)),
            told=sum(one.retry_after for one in turned),
            answered_p99_ms=share_of(times, 0.99),
        )
        for one in came:
            one.close()
        return seen

    async def _close(self) -> Seen:
        if self._asking is not None:
            self._asking.cancel()
        for one in (*self._streams, *self._idle):
            one.close()
        self._streams, self._idle = [], []
        return self._look()

    def _look(self) -> Seen:
        return Seen(
            streams=sum(_lives(one) for one in self._streams),
            idle=sum(_lives(one) for one in self._idle),
            statuses=dict(Counter(one.status for one in (*self._streams, *self._idle))),
            told=sum(one.retry_after for one in (*self._streams, *self._idle)),
            ids=[one.ids for one in self._streams],
        )


def may_open(count: int) -> None:
    """Raise this process' bound of files to what so many connections take.

    Raises `Failure` where the machine does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count + FILES_BESIDE:
        raise Failure(f"{count} connections take more files than `ulimit -Hn` {hard}")
    wanted = max(soft, count + FILES_BESIDE) if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def crowd() -> AsyncIterator["Gathered"]:
    """Such a process, ended afterwards with all its connections."""
    async with errands("scripts.benching.crowding.crowd") as sent:
        yield Gathered(sent)


class Gathered:
    """A crowd in another process."""

    def __init__(self, sent: Errands) -> None:
        self._sent = sent

    async def do(self, order: Order) -> Seen:
        """Have it done; raises `Failure` when the process has ended over it."""
        line = msgspec.json.encode(order)
        return msgspec.json.decode(await self._sent.say("crowd", line), type=Seen)


def _same(one: Some) -> Some:
    return one


def _lives(one: Held) -> bool:
    return one.status == 200 and not one.closed


def _ended(one: Held) -> str:
    if one.status:
        return f"answered {one.status}"
    return "closed" if one.closed else "silent"


def main() -> None:
    """Serve."""
    uvloop.run(serve_lines(Crowd().do))


if __name__ == "__main__":
    main()
