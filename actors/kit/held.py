"""A shard that a process answers for, and the calls that it works on."""

import asyncio
from collections.abc import Awaitable

from actors.kit.lane import ShardGone
from actors.kit.shard import Shard

DRAIN_SECONDS_MAX = 0.5


class Held:
    """What a process holds; `closing` says that it takes nothing new."""

    shard: Shard

    def __init__(self) -> None:
        self.closing = False
        self.receiving: set[asyncio.Task[bytes]] = set()
        self.collecting: set[asyncio.Task[bytes]] = set()

    async def call(
        self, beside: set[asyncio.Task[bytes]], work: Awaitable[bytes]
    ) -> bytes:
        """Wait for an answer; raises ShardGone when the shard ends before it."""
        task = asyncio.ensure_future(work)
        beside.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if self.closing and task.cancelled():
                raise ShardGone("it was given away") from None
            task.cancel()
            raise
        finally:
            beside.discard(task)

    async def drain(self) -> None:
        """Answer what was begun; what takes longer is asked again elsewhere."""
        if self.receiving and not self.shard.left:
            await asyncio.wait(self.receiving, timeout=DRAIN_SECONDS_MAX)

    def cut(self) -> None:
        """Let all who wait for an answer know that it comes from another."""
        for call in [*self.receiving, *self.collecting]:
            call.cancel()
