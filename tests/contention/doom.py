"""Kills a shard of any domain before or after one of its commits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.contention.market import Market

PLACES_MAX = 40


class Doom:
    """Stops one shard of a domain for ever at the domain's n-th commit."""

    def __init__(self, domain: str, at: int, *, after: bool) -> None:
        self.domain = domain
        self.at = at
        self.after = after
        self.commits = 0
        self.reached: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def watch(self, market: Market) -> None:
        """Count the commits of all shards of the domain together."""
        for number in range(market.shop.shard_count):
            self._watch_shard(market.shop.shard(self.domain, number).batches, number)

    def _watch_shard(self, batches: Any, number: int) -> None:
        transaction = batches._transaction

        async def doomed(items: Any) -> None:
            self.commits += 1
            here = self.commits == self.at and not self.reached.done()
            if here and not self.after:
                await self._stop(number)
            await transaction(items)
            if here and self.after:
                await self._stop(number)

        batches._transaction = doomed

    async def _stop(self, number: int) -> None:
        self.reached.set_result(number)
        await asyncio.Event().wait()


async def walk(
    market: Market, domain: str, act: Callable[[], Awaitable[None]], *, after: bool
) -> int:
    """Act, killed at the first commit, at the second, and so on; how many there were.

    A walk that comes to its end without meeting its kill was the last. After each the
    shop comes to rest within its time, and all books agree.
    """
    for at in range(1, PLACES_MAX):
        doom = Doom(domain, at, after=after)
        doom.watch(market)
        killer = asyncio.create_task(_kill_when_reached(market, doom))
        await act()
        await market.check()
        if not doom.reached.done():
            killer.cancel()
            return at - 1
        await killer
    raise AssertionError("the walk does not end")


async def _kill_when_reached(market: Market, doom: Doom) -> None:
    number = await doom.reached
    await market.shop.kill(doom.domain, number)
    await market.shop.restart(doom.domain, number)
