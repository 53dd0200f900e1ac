"""The queue behind the transactions: what is committed is handed to SMTP in batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from bus.kit.refusals import ENDS
from bus.kit.tasks import end_tasks

BATCH_MAX = 128
QUEUE_MAX = 20_000
REFILL_MAX = 2_000
CONNECTIONS_MAX = 4
SECURITY_CONNECTIONS_MAX = 2
HELP_SECONDS = 0.25
GATHER_SECONDS = 0.05
REST_SECONDS = 1.0

Deliver = Callable[[Any, Sequence[UUID]], Awaitable[None]]
Refill = Callable[[int], Awaitable[list[tuple[UUID, bool]]]]


class Outgoing:
    """Ids of messages that wait to be sent, and the tasks that send them.

    Security mail has a line and connections of its own, so nothing else delays it.
    One batch of a line goes at a time, and what arrives meanwhile gathers; a batch
    that takes longer than `HELP_SECONDS` gets company, up to the line's connections.
    Ordinary mail also gathers for `GATHER_SECONDS` when the line is idle: nobody
    notices, and at 300 mails a second it saves a third of their CPU and half of the
    transactions.

    The queue is a wake-up, not the truth: the rows are. It is bounded; what has no
    room is read back by `refill` when the queue is empty, as it is at the start.
    """

    def __init__(self, deliver: Deliver, refill: Refill, log: Any) -> None:
        self._refill = refill
        self._log = log
        self._known: set[UUID] = set()
        self._missed = True
        self._lines = {
            True: _Line(deliver, SECURITY_CONNECTIONS_MAX, 0, self._left, log),
            False: _Line(deliver, CONNECTIONS_MAX, GATHER_SECONDS, self._left, log),
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._hungry = asyncio.Event()

    def start(self, connect: Callable[[], Any]) -> None:
        """Begin to send; `connect` makes a connection."""
        for line in self._lines.values():
            line.open(connect)
            self._tasks.append(asyncio.create_task(line.run()))
        self._tasks.append(asyncio.create_task(self._read_back()))
        self._hungry.set()

    async def stop(self) -> None:
        """Send nothing more; what is under way may come again after the next start."""
        await end_tasks(self._tasks)
        for line in self._lines.values():
            await line.close()

    def add(self, security: bool, ids: Iterable[UUID]) -> None:
        """Send these once their transaction is committed; what is known is skipped."""
        line = self._lines[security]
        for message_id in ids:
            if message_id in self._known:
                continue
            if len(self._known) >= QUEUE_MAX:
                self._missed = True
                return
            self._known.add(message_id)
            line.put(message_id)

    def _left(self, ids: Sequence[UUID], *, again: bool) -> None:
        """A batch has ended; `again`: it did not, and must be read back."""
        self._known.difference_update(ids)
        self._missed |= again
        if self._missed and not any(self._lines.values()):
            self._hungry.set()

    async def _read_back(self) -> None:
        while True:
            await self._hungry.wait()
            self._hungry.clear()
            try:
                found = await self._refill(REFILL_MAX)
            except (OSError, TimeoutError, *ENDS) as error:
                self._log.warning("queue-not-read", error=repr(error))
                await asyncio.sleep(REST_SECONDS)
                self._hungry.set()
                continue
            self._missed = len(found) == REFILL_MAX
            for security in (True, False):
                self.add(security, (one for one, first in found if first is security))
            # Whatever failed and is read back at once would spin.
            await asyncio.sleep(REST_SECONDS)


class _Line:
    """One queue, its connections and its batches under way."""

    def __init__(
        self,
        deliver: Deliver,
        connections_max: int,
        gather_seconds: float,
        left: Callable[..., None],
        log: Any,
    ) -> None:
        self._deliver = deliver
        self._connections_max = connections_max
        self._gather_seconds = gather_seconds
        self._left = left
        self._log = log
        self._waiting: deque[UUID] = deque()
        self._wake = asyncio.Event()
        self._free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        self._all: list[Any] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def open(self, connect: Callable[[], Any]) -> None:
        """Make the connections; each opens itself when it is first used."""
        for _ in range(self._connections_max):
            self._all.append(connect())
            self._free.put_nowait(self._all[-1])

    async def close(self) -> None:
        """End what is under way, and all connections."""
        await end_tasks(self._under_way)
        for connection in self._all:
            connection.close()

    def put(self, message_id: UUID) -> None:
        """One more waits."""
        self._waiting.append(message_id)
        self._wake.set()

    async def run(self) -> None:
        """One batch after another, beside each other only when they are slow."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                if len(self._waiting) < BATCH_MAX:
                    await asyncio.sleep(self._gather_seconds)
                connection = await self._free.get()
                count = min(BATCH_MAX, len(self._waiting))
                ids = [self._waiting.popleft() for _ in range(count)]
                task = asyncio.create_task(self._one(connection, ids))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                await asyncio.wait({task}, timeout=HELP_SECONDS)

    async def _one(self, connection: Any, ids: Sequence[UUID]) -> None:
        again = True
        try:
            await self._deliver(connection, ids)
            again = False
        except ENDS as error:
            # A step that did not run: these are read back from the rows.
            self._log.warning("batch-not-sent", count=len(ids), error=repr(error))
        except Exception as error:  # noqa: BLE001 - a bug: logged once, here
            self._log.error("batch-not-sent", count=len(ids), exc_info=error)
        finally:
            self._free.put_nowait(connection)
            self._left(ids, again=again)
