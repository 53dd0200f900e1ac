"""Tickets: answers that come later than their envelope."""

import asyncio
from collections import OrderedDict
from typing import Any
from uuid import UUID

from actors.kit.wire import Outcome, pack

LANES_MAX = 4_096
ANSWERS_MAX = 40_000
"""Twice as many as there are processes: what nobody has taken is of lanes long gone."""


class Tickets:
    """Finished answers by lane, until a reply or a `collect` takes them along."""

    def __init__(self) -> None:
        self._finished: OrderedDict[str, list[tuple[UUID, Outcome]]] = OrderedDict()
        self._waiting: dict[str, asyncio.Event] = {}
        self._answers = 0

    def expect(self, lane: str, ticket: UUID, answer: "asyncio.Future[Any]") -> None:
        """Give the lane the answer once there is one."""
        answer.add_done_callback(lambda done: self._finish(lane, ticket, done.result()))

    def take(self, lane: str) -> list[tuple[UUID, Outcome]]:
        """What has finished for this lane since it last asked."""
        taken = self._finished.pop(lane, [])
        self._answers -= len(taken)
        return taken

    async def wait(self, lane: str, seconds: float) -> list[tuple[UUID, Outcome]]:
        """Like `take`, but waits up to `seconds` for the first one."""
        if lane not in self._finished:
            event = self._waiting[lane] = asyncio.Event()
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                return []
            finally:
                if self._waiting.get(lane) is event:
                    del self._waiting[lane]
            await asyncio.sleep(0)  # what finished in the same moment goes along
        return self.take(lane)

    def _finish(self, lane: str, ticket: UUID, answer: Any) -> None:
        self._finished.setdefault(lane, []).append((ticket, pack(answer)))
        self._answers += 1
        while len(self._finished) > LANES_MAX or self._answers > ANSWERS_MAX:
            _, dropped = self._finished.popitem(last=False)  # its caller is long gone
            self._answers -= len(dropped)
        if event := self._waiting.get(lane):
            event.set()
