"""Kills whichever shard of inventory makes the n-th commit, before or after it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

SETTLED_SECONDS_MAX = 30.0


@dataclass
class Doom:
    """Stops one shard for ever at the n-th commit of them all."""

    at: int
    after: bool
    commits: int = 0
    shard: int = -1
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, s: Any) -> None:
        """Count the commits of all shards from now on."""
        for number in range(s.shard_count):
            self._watch(s.shard("inventory", number), number)

    def _watch(self, shard: Any, number: int) -> None:
        transaction = shard.batches._transaction

        async def doomed(items: Any) -> None:
            self.commits += 1
            mine = self.commits == self.at
            if mine and not self.after:
                await self._stop(number)
            await transaction(items)
            if mine and self.after:
                await self._stop(number)

        shard.batches._transaction = doomed

    async def _stop(self, number: int) -> None:
        self.shard = number
        self.reached.set()
        await asyncio.Event().wait()

    async def kill_when_reached(self, s: Any) -> None:
        """SIGKILL that shard, and start its next incarnation."""
        await self.reached.wait()
        await s.kill("inventory", self.shard)
        await s.restart("inventory", self.shard)


async def settled(s: Any) -> None:
    """Wait until no process of inventory has anything left to do."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLED_SECONDS_MAX
    unfinished = "SELECT count(*) AS n FROM handled WHERE state = 0"
    while (await s.rows("inventory", unfinished))[0]["n"]:
        assert loop.time() < end, "a process does not come to its end"
        await asyncio.sleep(0.02)


async def walk(s: Any, act: Any, check: Any, *, after: bool, commits_max: int) -> int:
    """Act again and again, killed one commit later each time, until it is not met.

    Returns at which commit that was.
    """
    for at in range(1, commits_max):
        doom = Doom(at, after)
        doom.watch(s)
        killer = asyncio.create_task(doom.kill_when_reached(s))
        await act()
        await settled(s)
        await check()
        if not doom.reached.is_set():
            killer.cancel()
            return at
        await killer
    raise AssertionError("the walk does not end")
