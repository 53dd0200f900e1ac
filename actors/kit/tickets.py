"""Tickets: answers that come later than their envelope."""

import asyncio
from collections import OrderedDict
from typing import Any
from uuid import UUID

from actors.kit.wire import Outcome, pack

LANES_MAX = 4_096


class Tickets:
    """Finished answers by lane, until a reply or a `collect` takes them along."""

    def __init__(self) -> None:
        self._finished: OrderedDict[str, list[tuple[UUID, Outcome]]] = OrderedDict()
        self._waiting: dict[str, asyncio.Event] = {}

    def expect(self, lane: str, ticket: UUID, answer: "asyncio.Future[Any]") -> None:
        """Give the lane the answer once there is one."""
        answer.add_done_callback(lambda done: self._finish(lane, ticket, done.result()))

    def take(self, lane: str) -> list[tuple[UUID, Outcome]]:
        """What has finished for this lane since it last asked."""
        return self._finished.pop(lane, [])

    async def wait(self, lane: str, seconds: float) -> list[tuple[UUID, Outcome]]:
        """Like `take`, but waits up to `seconds` for the first one."""
        if lane not in self._finished:
            event = self._waiting.setdefault(lane, asyncio.Event())
            event.clear()
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                return []
            await asyncio.sleep(0)  # what finished in the same moment goes along
        return self.take(lane)

    def _finish(self, lane: str, ticket: UUID, answer: Any) -> None:
        self._finished.setdefault(lane, []).append((ticket, pack(answer)))
        if len(self._finished) > LANES_MAX:
            self._finished.popitem(last=False)  # its caller is long gone
        if event := self._waiting.get(lane):
            event.set()
