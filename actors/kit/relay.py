"""The relay: from the outbox to the bridge, in each slot's order, without a gap."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from actors.kit.counts import Counts
from bus.kit.values import Value
from persistence.kit import outbox
from persistence.kit.database import CONNECTION_LOST, Db
from persistence.kit.outbox import OutboxRow

RELAY_ROWS_MAX = 20_000
OFFERED_MAX = 1_000
PUBLISH_ROWS_MAX = 1_000
GATHER_MIN = 4
GATHER_TIMES = 1
GATHER_SECONDS_MAX = 0.05
RETRY_SECONDS = 0.3
LOOK_SECONDS = 5.0
LOOK_SECONDS_MAX = 2.0


class Published(Value, frozen=True, array_like=True):
    """What the bridge published: the last number of each slot, and the stream seen.

    `created` and `sequence` are the stream's creation time and its last number; rows
    after the first failure of a slot were not sent.
    """

    upto: dict[int, int]
    created: str = ""
    sequence: int = 0
    failed: str = ""


Publish = Callable[[list[OutboxRow]], Awaitable[Published]]


class Relay:
    """Hands committed events to the bridge; at most RELAY_ROWS_MAX wait in memory."""

    def __init__(
        self,
        read: Callable[[], AbstractAsyncContextManager[Db]],
        publish: Publish,
        *,
        counts: Counts,
        log: Any,
        published: Callable[[dict[int, int]], None],
        stream_seen: Callable[[str, int], Awaitable[bool]],
    ) -> None:
        self._read = read
        self._publish = publish
        self._counts = counts
        self._log = log
        self._published = published
        self._stream_seen = stream_seen
        self._last: dict[int, int] = {}
        self._sent: dict[int, int] = {}
        self._waiting: dict[int, deque[OutboxRow]] = {}
        self._rows = 0
        self._offered: dict[int, deque[tuple[int, float]]] = {}
        self._wake = asyncio.Event()

    @property
    def backlog(self) -> int:
        """How many committed events are not published yet."""
        last = self._last.copy()  # metrics read it from another thread
        return sum(n - self._sent.get(slot, 0) for slot, n in last.items())

    def own(self, tails: dict[int, tuple[int, int]]) -> None:
        """Take over slots: their last number, and the last that was published."""
        for slot, (last, sent) in tails.items():
            self._last[slot], self._sent[slot] = last, sent
            self._drop(slot)
        self._wake.set()

    def disown(self, slot: int) -> None:
        """Another shard publishes this slot from now on."""
        self._drop(slot)
        self._last.pop(slot, None)
        self._offered.pop(slot, None)
        self._sent.pop(slot, None)

    def rewind(self, before: dict[int, int]) -> None:
        """Publish again all that comes after these numbers."""
        for slot, n in before.items():
            if slot in self._sent:
                self._sent[slot] = min(n, self._sent[slot])
                self._drop(slot)
        self._wake.set()

    def learn(self, last_n: dict[int, int]) -> None:
        """Events were committed that nobody offered: they are read back."""
        for slot, n in last_n.items():
            if slot in self._sent:
                self._last[slot] = max(n, self._last[slot])
        self._wake.set()

    def offer(self, rows: list[OutboxRow]) -> None:
        """Take rows that have just been committed, in order."""
        now = time.monotonic()
        for row in rows:
            if row.slot not in self._sent:
                continue  # it has moved: its new owner publishes it
            waiting = self._waiting.setdefault(row.slot, deque())
            follows = waiting[-1].n if waiting else self._sent.get(row.slot, 0)
            if follows == row.n - 1 and self._rows < RELAY_ROWS_MAX:
                waiting.append(row)
                self._rows += 1
            self._last[row.slot] = row.n
            offered = self._offered.setdefault(row.slot, deque(maxlen=OFFERED_MAX))
            offered.append((row.n, now))
        self._wake.set()

    async def look(self) -> tuple[str, int]:
        """When the stream was made, and its last number; ("", 0): nobody says."""
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                reply = await self._publish([])
        except (ConnectionError, TimeoutError) as error:
            self._log.warning("stream-unseen", error=repr(error))
            return "", 0
        return reply.created, reply.sequence

    async def run(self) -> None:
        """Publish for ever; what fails is tried again from the first unacknowledged.

        At the start, after a failure and when nothing comes for a while it first asks
        whether the stream is still the same: into a younger one, also after a restore,
        the rows before must go first.
        """
        look = True
        while True:
            try:
                if look:
                    await self._send([])
                    look = False
                while rows := await self._next():
                    began_at = time.monotonic()
                    await self._send(rows)
                    await self._gather(len(rows), time.monotonic() - began_at)
            except (*CONNECTION_LOST, ConnectionError) as error:
                self._counts.publish_failures.value += 1
                self._log.warning(
                    "relay-waits", error=repr(error), backlog=self.backlog
                )
                look = True
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()
            look = not await self._woken() or look

    async def _gather(self, count: int, seconds: float) -> None:
        """Under load, rest GATHER_TIMES as long as publishing took.

        A call costs about the same for one event as for hundreds. On a machine with
        time to spare it is over in milliseconds, and so is the rest; on a busy one it
        takes longer, and more events share the next. A backlog is never rested on.
        """
        if count >= GATHER_MIN and self.backlog < PUBLISH_ROWS_MAX:
            await asyncio.sleep(min(GATHER_TIMES * seconds, GATHER_SECONDS_MAX))

    async def _woken(self) -> bool:
        """Wait for something to publish; False when nothing came for a while."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _send(self, rows: list[OutboxRow]) -> None:
        reply = await self._publish(rows)
        marks = {}
        for slot, n in reply.upto.items():
            if n > self._sent.get(slot, n):
                self._count(slot, n)
                self._sent[slot] = marks[slot] = n
                self._discard(slot, n)
        self._published(marks)
        if reply.created and not await self._stream_seen(reply.created, reply.sequence):
            self._log.warning("stream-is-younger", created=reply.created)
        if reply.failed:
            raise ConnectionError(reply.failed)

    async def _next(self) -> list[OutboxRow]:
        """The next rows of every slot, from memory or else from the database.

        Each slot has its share: one that is stuck holds up none of the others.
        """
        rows: list[OutboxRow] = []
        behind = [s for s, n in self._last.items() if self._sent.get(s, n) < n]
        room = max(1, PUBLISH_ROWS_MAX // max(1, len(behind)))
        unread: dict[int, int] = {}
        for slot in behind:
            if slot not in self._sent:
                continue  # it moved away meanwhile
            waiting = self._waiting.get(slot)
            if waiting and waiting[0].n == self._sent[slot] + 1:
                rows.extend(row for row, _ in zip(waiting, range(room), strict=False))
            else:
                self._drop(slot)
                unread[slot] = self._sent[slot]
        if unread:
            async with self._read() as db:
                rows.extend(await outbox.unpublished(db, unread, room))
        return rows

    def _count(self, slot: int, upto: int) -> None:
        """So many are acknowledged, each so long after its commit."""
        self._counts.published.value += upto - self._sent[slot]
        now, offered = time.monotonic(), self._offered.get(slot)
        while offered and offered[0][0] <= upto:
            self._counts.publish_lag_seconds.observe(now - offered.popleft()[1])

    def _discard(self, slot: int, upto: int) -> None:
        waiting = self._waiting.get(slot)
        while waiting and waiting[0].n <= upto:
            waiting.popleft()
            self._rows -= 1

    def _drop(self, slot: int) -> None:
        self._rows -= len(self._waiting.pop(slot, ()))
