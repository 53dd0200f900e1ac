"""The queue behind the transactions: what is committed is handed over in batches."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from bus.kit.refusals import ENDS
from bus.kit.tasks import end_tasks
from bus.kit.values import Value

BATCH_MAX = 128
BATCH_SECONDS_MAX = 2.0
BATCH_FIRST = 16
QUEUE_MAX = 20_000
REFILL_MAX = 2_000
CONNECTIONS_MAX = 4
SECURITY_CONNECTIONS_MAX = 2
HELP_SECONDS = 0.25
GATHER_SECONDS = 0.05
REST_SECONDS = 1.0


class Line(Value, frozen=True):
    """What waits for nobody else: each channel's security messages, and its others."""

    channel: str
    security: bool


LINES = tuple(
    Line(channel, security)
    for channel in ("email", "sms")
    for security in (True, False)
)

Deliver = Callable[[Any, Sequence[UUID]], Awaitable[None]]
Refill = Callable[[Line, int], Awaitable[list[UUID]]]


class Outgoing:
    """Ids of messages that wait to be sent, and the tasks that send them.

    A line has a queue and connections of its own, so that neither a slow mail server
    nor a thousand promotions delay a code, and mail never delays an SMS.
    """

    def __init__(self, deliver: Deliver, refill: Refill, log: Any) -> None:
        self._queues = {line: _Queue(line, deliver, refill, log) for line in LINES}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, connect: Callable[[Line], Any]) -> None:
        """Begin to send; `connect` makes a line's connection."""
        for line, queue in self._queues.items():
            queue.open(lambda line=line: connect(line))  # type: ignore[misc]
            self._tasks.append(asyncio.create_task(queue.run()))
            self._tasks.append(asyncio.create_task(queue.read_back()))

    async def stop(self) -> None:
        """Send nothing more; what is under way may come again after the next start."""
        await end_tasks(self._tasks)
        for queue in self._queues.values():
            await queue.close()

    def add(self, line: Line, ids: Iterable[UUID]) -> None:
        """Send these once their transaction is committed; what is known is skipped."""
        self._queues[line].add(ids)


class _Queue:
    """One line's queue, its connections and its batches under way.

    One batch goes at a time, and what arrives meanwhile gathers; a batch that takes
    longer than `HELP_SECONDS` gets company, up to the line's connections. A batch is
    as large as the server takes in `BATCH_SECONDS_MAX`, so that nothing waits long
    behind others on one connection. Ordinary messages also gather for
    `GATHER_SECONDS` when the line is idle: nobody notices, and at 300 mails a second
    it saves a third of their CPU and half of the transactions.

    The queue is a wake-up, not the truth: the rows are. It is bounded; what has no
    room is read back by `refill` when the queue is empty, as it is at the start.
    """

    def __init__(self, line: Line, deliver: Deliver, refill: Refill, log: Any) -> None:
        self._line = line
        self._deliver = deliver
        self._refill = refill
        self._log = log
        self._connections_max = CONNECTIONS_MAX
        self._gather_seconds = GATHER_SECONDS
        if line.security:
            self._connections_max, self._gather_seconds = SECURITY_CONNECTIONS_MAX, 0
        self._size = BATCH_FIRST
        self._known: set[UUID] = set()
        self._waiting: deque[UUID] = deque()
        self._missed = True
        self._wake = asyncio.Event()
        self._hungry = asyncio.Event()
        self._free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
        self._all: list[Any] = []
        self._under_way: set[asyncio.Task[None]] = set()

    def open(self, connect: Callable[[], Any]) -> None:
        """Make the connections; each opens itself when it is first used."""
        for _ in range(self._connections_max):
            self._all.append(connect())
            self._free.put_nowait(self._all[-1])
        self._hungry.set()

    async def close(self) -> None:
        """End what is under way, and all connections."""
        await end_tasks(self._under_way)
        for connection in self._all:
            connection.close()

    def add(self, ids: Iterable[UUID]) -> None:
        """More wait."""
        for message_id in ids:
            if message_id in self._known:
                continue
            if len(self._known) >= QUEUE_MAX:
                self._missed = True
                return
            self._known.add(message_id)
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
                count = min(self._size, len(self._waiting))
                ids = [self._waiting.popleft() for _ in range(count)]
                task = asyncio.create_task(self._one(connection, ids))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                await asyncio.wait({task}, timeout=HELP_SECONDS)

    async def read_back(self) -> None:
        """Read what had no room, or did not end, whenever the queue is empty."""
        while True:
            await self._hungry.wait()
            self._hungry.clear()
            try:
                found = await self._refill(self._line, REFILL_MAX)
            except (OSError, TimeoutError, *ENDS) as error:
                self._log.warning("queue-not-read", error=repr(error))
                await asyncio.sleep(REST_SECONDS)
                self._hungry.set()
                continue
            self._missed = len(found) == REFILL_MAX
            self.add(found)
            # Whatever failed and is read back at once would spin.
            await asyncio.sleep(REST_SECONDS)

    async def _one(self, connection: Any, ids: Sequence[UUID]) -> None:
        again = True
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            await self._deliver(connection, ids)
            again = False
        except ENDS as error:
            # A step that did not run: these are read back from the rows.
            self._log.warning("batch-not-sent", count=len(ids), error=repr(error))
        except Exception as error:  # noqa: BLE001 - a bug: logged once, here
            self._log.error("batch-not-sent", count=len(ids), exc_info=error)
        finally:
            each = max((clock() - begun) / len(ids), 0.000_1)
            self._size = max(1, min(BATCH_MAX, int(BATCH_SECONDS_MAX / each)))
            self._free.put_nowait(connection)
            self._left(ids, again=again)

    def _left(self, ids: Sequence[UUID], *, again: bool) -> None:
        """A batch has ended; `again`: it did not, and must be read back."""
        self._known.difference_update(ids)
        self._missed |= again
        if self._missed and not self._waiting:
            self._hungry.set()
