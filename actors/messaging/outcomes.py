"""How a message's handing over ends, and who is told of it."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from bus.kit.values import Value

NOTE_SECONDS = 1.0


class Failure(Value, frozen=True):
    """Why a message was not taken: a code without the server's words.

    Servers repeat the address in their words, and a reason goes into events. A server
    that wants to be left alone says for how long: `after_seconds`.
    """

    reason: str
    permanent: bool
    after_seconds: float = 0.0


Outcome = Failure | None
"""None: the server has taken the message."""

Ended = dict[UUID, Outcome]
Note = Callable[[Ended], Awaitable[None]]


class Ends:
    """The outcomes of a batch, noted together where they come fast.

    Where they come slowly none waits longer than `NOTE_SECONDS` for another, so that a
    crash sends few messages twice.
    """

    def __init__(self, note: Note) -> None:
        self.count = 0
        self._note = note
        self._ended: Ended = {}
        self._clock = asyncio.get_running_loop().time
        self._noted_at = self._clock()

    async def add(self, message_id: UUID, outcome: Outcome) -> None:
        """One more has ended."""
        self.count += 1
        self._ended[message_id] = outcome
        if self._clock() - self._noted_at >= NOTE_SECONDS:
            await self.flush()

    async def flush(self) -> None:
        """Note what is not noted yet."""
        ended, self._ended = self._ended, {}
        if ended:
            await self._note(ended)
        self._noted_at = self._clock()
