"""Tending: a server that ended by itself is started again, for as long as we run.

So is one that lives and takes nothing any more, as JetStream after a full disk.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, runtime_checkable

from scripts.embedded.nats import NatsError
from scripts.embedded.place import PostgresError
from scripts.embedded.process import Identity
from scripts.launcher.failures import Failure

LOOK_SECONDS = 0.2
AGAIN_SECONDS = 0.5
AGAIN_SECONDS_MAX = 10.0
STUCK_LOOK_SECONDS = 2.0
CALM_SECONDS = 60.0

InThread = Callable[..., Awaitable[Any]]
"""Runs a function in a thread that lives as long as the server may."""


class Server(Protocol):
    """A process that was started here, and can be started again."""

    def running(self) -> Identity | None:
        """The process, while it lives."""

    def prepare(self) -> None:
        """Everything that a start needs."""

    def launch(self) -> None:
        """Start it; returns at once."""

    def wait(self) -> None:
        """Wait until it answers."""

    def stop(self) -> None:
        """End what is left of it and wait."""


@runtime_checkable
class Sticking(Protocol):
    """A server that may live and yet do nothing until it is started again."""

    def stuck(self) -> str:
        """Why a new start would help, in words; "" while it is well."""


class Looks:
    """When to look whether a server is stuck: rarely, and ever less if it stays so."""

    def __init__(self) -> None:
        self._pause = STUCK_LOOK_SECONDS
        self._next_at = self._started_at = 0.0

    def due(self) -> bool:
        """Whether it is time for one."""
        now = time.monotonic()
        if now < self._next_at:
            return False
        self._next_at = now + STUCK_LOOK_SECONDS
        return True

    def put_off(self) -> None:
        """It has been started again; if that was not long ago, let more time pass."""
        now = time.monotonic()
        calm = now - self._started_at > CALM_SECONDS
        self._pause = STUCK_LOOK_SECONDS if calm else 2 * self._pause
        self._pause = min(self._pause, AGAIN_SECONDS_MAX)
        self._started_at, self._next_at = now, now + self._pause


class Tending:
    """Looks after servers, each by itself: one that does not start delays no other.

    `again` hears of each that was started again. What cannot be started is tried until
    `stop()`, with pauses up to `AGAIN_SECONDS_MAX`: without it nothing is sold, and
    what keeps it from starting (a full disk) may pass.
    """

    def __init__(
        self,
        in_thread: InThread,
        *,
        again: Callable[[str, Server], None],
        say: Callable[[str], None],
    ) -> None:
        self._in_thread, self._again, self._say = in_thread, again, say
        self._tasks: list[asyncio.Task[None]] = []

    def tend(self, name: str, server: Server) -> None:
        """Look after a server that runs."""
        self._tasks.append(asyncio.create_task(self._tend(name, server)))

    async def stop(self) -> None:
        """Look after nothing any more; a start under way goes on in its thread."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def _tend(self, name: str, server: Server) -> None:
        pause, looks = AGAIN_SECONDS, Looks()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            why = await self._why(server, looks)
            if not why:
                continue
            self._say(f"[yellow]![/] {name}: {why}; it is started again")
            try:
                await self._in_thread(start_again, server)
            except (Failure, NatsError, PostgresError, OSError) as error:
                self._say(f"[yellow]![/] {name}: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, AGAIN_SECONDS_MAX)
                continue
            pause = AGAIN_SECONDS
            self._again(name, server)

    async def _why(self, server: Server, looks: Looks) -> str:
        """Why it must be started again; "" while it is well."""
        if await self._in_thread(server.running) is None:
            return "it has ended"
        if not isinstance(server, Sticking) or not looks.due():
            return ""
        why: str = await self._in_thread(server.stuck)
        if why:
            looks.put_off()
        return why


def start_again(server: Server) -> None:
    """Clear away what is left of it, start it, wait until it answers."""
    server.stop()
    server.prepare()
    server.launch()
    server.wait()
