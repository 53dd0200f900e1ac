"""Asks that wait go together in one call; each gets its answer when it is known.

The natural batching of design §3: no timer and no delay when idle, larger calls under
load. The next call goes as soon as the one before it was taken, not when it is
answered, so a slow answer never holds a fresh ask back.
"""

import asyncio
from collections import deque
from typing import Any, Generic, TypeVar

import aiohttp
import msgspec

from bus.kit.tasks import end_tasks
from bus.kit.values import Value

LINES_MAX = 500
WAITING_MAX = 10_000
CALLS_MAX = 512
TAKEN_SECONDS_MAX = 0.25
ANSWER_BYTES_MAX = 1 << 16


class AnswerLine(Value, frozen=True, kw_only=True):
    """A line of an answer; what else it says depends on what was asked."""

    key: str | None
    status: str
    code: str | None = None


Answered = TypeVar("Answered", bound=AnswerLine)


class NoAnswer(Exception):
    """What became of the ask is not known."""


class Lines(Generic[Answered]):
    """The asks of one address."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        answered: type[Answered],
        log: Any,
        call_seconds_max: float,
    ) -> None:
        self._session = session
        self._url = url
        self._decoder = msgspec.json.Decoder(answered)
        self._log = log
        self._call_seconds_max = call_seconds_max
        self._waiting: deque[tuple[str, bytes, asyncio.Future[Answered]]] = deque()
        self._free = asyncio.Semaphore(CALLS_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = False

    async def ask(self, key: str, line: bytes, timeout_seconds: float) -> Answered:
        """The answer to `line`; raises NoAnswer when there is none in time."""
        if len(self._waiting) >= WAITING_MAX:
            raise NoAnswer("too many are waiting")
        future: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, line, future))
        if not self._sending:
            self._sending = True
            self._begin(self._send())
        try:
            async with asyncio.timeout(timeout_seconds):
                return await future
        except TimeoutError:
            raise NoAnswer("no answer in time") from None

    async def close(self) -> None:
        """End all calls; whoever waits gets NoAnswer."""
        await end_tasks(self._tasks)
        for _, _, future in self._waiting:
            if not future.done():
                future.set_exception(NoAnswer("closed"))

    def _begin(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self) -> None:
        """Send what waits, call after call, until nothing does."""
        try:
            while self._waiting:
                await self._free.acquire()
                taken = asyncio.Event()
                self._begin(self._call(self._next(), taken))
                try:
                    async with asyncio.timeout(TAKEN_SECONDS_MAX):
                        await taken.wait()
                except TimeoutError:
                    continue  # it is slow to take calls; more may go beside this one
        finally:
            self._sending = False

    def _next(self) -> dict[str, tuple[bytes, list[asyncio.Future[Answered]]]]:
        """The lines of the next call, without those that nobody waits for any more."""
        lines: dict[str, tuple[bytes, list[asyncio.Future[Answered]]]] = {}
        while self._waiting and len(lines) < LINES_MAX:
            key, line, future = self._waiting.popleft()
            if not future.done():
                lines.setdefault(key, (line, []))[1].append(future)
        return lines

    async def _call(
        self,
        lines: dict[str, tuple[bytes, list[asyncio.Future[Answered]]]],
        taken: asyncio.Event,
    ) -> None:
        body = b"\n".join(line for line, _ in lines.values())
        try:
            if lines:
                async with asyncio.timeout(self._call_seconds_max):
                    await self._exchange(body, lines, taken)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            unanswered = sum(any(not f.done() for f in fs) for _, fs in lines.values())
            if unanswered:
                self._log.warning(
                    "provider-call-failed", error=repr(error), lines=unanswered
                )
        finally:
            taken.set()
            self._free.release()
            for _, futures in lines.values():
                _fail(futures)

    async def _exchange(
        self,
        body: bytes,
        lines: dict[str, tuple[bytes, list[asyncio.Future[Answered]]]],
        taken: asyncio.Event,
    ) -> None:
        """Make one call and hand out its answers as they come."""
        async with self._session.post(self._url, data=body) as response:
            taken.set()
            if response.status not in (200, 422):
                raise aiohttp.ClientResponseError(
                    response.request_info, (), status=response.status
                )
            async for raw in response.content:
                self._hand_out(raw, lines)

    def _hand_out(
        self, raw: bytes, lines: dict[str, tuple[bytes, list[asyncio.Future[Answered]]]]
    ) -> None:
        try:
            answer = self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._log.error("provider-answer-unreadable", bytes=len(raw))
            return
        if answer.key not in lines:
            self._log.error("provider-answer-unasked", status=answer.status)
            return
        for future in lines[answer.key][1]:
            if not future.done():
                future.set_result(answer)


def _fail(futures: "list[asyncio.Future[Any]]") -> None:
    for future in futures:
        if not future.done():
            future.set_exception(NoAnswer("the call ended without an answer"))
