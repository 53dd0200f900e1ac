"""What the bench has its own processes do, and what they say of it: a line each way.

Answers have a pipe of their own: whatever else prints in such a process, at any time,
a library of its Ray or its database, goes where errors go and into no answer.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import msgspec

from bus.kit.refusals import ENDS, Refusal
from scripts.benching.load import cpu_seconds, share_of
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure

ERRAND_SECONDS_MAX = 600.0
END_SECONDS_MAX = 30.0
LINE_BYTES_MAX = 64 << 20
OPERATIONS_MAX = 1_000_000
ANSWERS = "SOUK_BENCH_ANSWERS"
"""Names the pipe's end, by its number, to the process that is to write to it."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done over and over: by so many at a time, for so long.

    What it is depends on who is sent; see there.
    """

    what: str
    callers: int = 1
    seconds: float = 0.0
    skus: tuple[str, ...] = ()


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an errand; `count` is of what went well.

    `begun_at` and `ended_at` are in seconds since the epoch, for another process.
    """

    count: int
    begun_at: float
    ended_at: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    cpu_seconds: float = 0.0
    errors: dict[str, int] = {}
    ids: list[str] = []

    @property
    def seconds(self) -> float:
        """From the first beginning to the last end."""
        return self.ended_at - self.begun_at

    @property
    def per_second(self) -> float:
        """How many went well a second."""
        return self.count / self.seconds if self.seconds > 0 else 0.0


class Row(msgspec.Struct, frozen=True):
    """A line for people: what was done, how often a second, and how long one took."""

    what: str
    per_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None


def row_of(what: str, turns: list[Done]) -> Row:
    """The middle of several turns, figure by figure."""
    return Row(
        what,
        median(one.per_second for one in turns),
        median(one.p50_ms for one in turns),
        median(one.p99_ms for one in turns),
    )


async def over_and_over(errand: Errand, act: Callable[[], Awaitable[Any]]) -> Done:
    """A closed loop: each caller begins its next one when its last one has ended."""
    took: list[float] = []
    errors: Counter[str] = Counter()
    begun_at, begun, spent = time.time(), time.perf_counter(), cpu_seconds()

    async def caller() -> None:
        while (since := time.perf_counter()) - begun < errand.seconds:
            if len(took) + errors.total() >= OPERATIONS_MAX:
                return
            try:
                await act()
            except ENDS as error:
                errors[name_of(error)] += 1
                continue
            took.append((time.perf_counter() - since) * 1000)

    await asyncio.gather(*(caller() for _ in range(errand.callers)))
    return Done(
        count=len(took),
        begun_at=begun_at,
        ended_at=time.time(),
        p50_ms=share_of(took, 0.5),
        p99_ms=share_of(took, 0.99),
        cpu_seconds=cpu_seconds() - spent,
        errors=dict(errors),
    )


def name_of(error: BaseException) -> str:
    """How an end that is no reply is counted: a refusal by its code."""
    return error.code if isinstance(error, Refusal) else type(error).__name__


class Errands:
    """A process that does one errand after another."""

    def __init__(
        self, process: asyncio.subprocess.Process, answers: asyncio.StreamReader
    ) -> None:
        self._process = process
        self._answers = answers

    async def do(self, errand: Errand) -> Done:
        """Have it done; raises `Failure` when the process has ended over it."""
        line = await self.say(errand.what, msgspec.json.encode(errand))
        return msgspec.json.decode(line, type=Done)

    async def say(self, what: str, line: bytes) -> bytes:
        """What it says to a line about `what`; raises `Failure` as above."""
        if self._process.stdin is None:
            raise Failure("the bench's process has no input")
        self._process.stdin.write(line + b"\n")
        try:
            async with asyncio.timeout(ERRAND_SECONDS_MAX):
                said = await self._answers.readline()
        except TimeoutError:
            raise Failure(f"{what} took too long") from None
        if not said:
            raise Failure(f"the process that was to do {what} has ended")
        return said


@asynccontextmanager
async def errands(
    module: str, *words: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Errands]:
    """A process of this module, ended afterwards: it ends with its input."""
    async with _answers() as (answers, end):
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *words),
                cwd=ROOT,
                env={**(os.environ if environ is None else environ), ANSWERS: str(end)},
                stdin=asyncio.subprocess.PIPE,
                stdout=sys.__stderr__,
                pass_fds=(end,),
            )
        finally:
            os.close(end)  # it has its own: with that the answers end
        try:
            yield Errands(process, answers)
        finally:
            await _end(process)


@asynccontextmanager
async def _answers() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A pipe to be read from here; its other end is for who takes it to close."""
    begin, end = os.pipe()
    answers = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(answers), os.fdopen(begin, "rb", 0)
    )
    try:
        yield answers, end
    finally:
        transport.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def serve(do: Callable[[Errand], Awaitable[Done]]) -> None:
    """In such a process: do what each line of the input says, until it ends."""

    async def one(line: bytes) -> bytes:
        return msgspec.json.encode(await do(msgspec.json.decode(line, type=Errand)))

    await serve_lines(one)


async def serve_lines(answer: Callable[[bytes], Awaitable[bytes]]) -> None:
    """In such a process: answer each line of the input with one, until it ends."""
    with os.fdopen(int(os.environ[ANSWERS]), "wb") as answers:
        os.set_inheritable(answers.fileno(), False)
        while line := await asyncio.to_thread(sys.stdin.buffer.readline):
            answers.write(await answer(line) + b"\n")
            answers.flush()
