"""When everything that an order set off has happened: the end of a bench's clock."""

import asyncio
from typing import Any

import asyncpg
import msgspec

from bus.kit.streams import EVENTS
from scripts.auditing import streaming
from scripts.auditing.place import Place
from scripts.benching.lag import read_lags
from scripts.launcher.environment import BANK

POLL_SECONDS = 0.05
APPLIED_SECONDS_MAX = 120.0

_TOLD = """SELECT coalesce(sum(last), 0)::bigint FROM
  (SELECT (SELECT n FROM outbox WHERE outbox.slot = slots.slot
           ORDER BY n DESC LIMIT 1) AS last FROM slots) AS slot"""
_UNSETTLED = "SELECT count(*) FROM orders WHERE stage NOT IN ('SETTLED', 'AWAITING')"
_QUEUED = "SELECT count(*) FROM messages WHERE status = 'QUEUED'"


class Mark(msgspec.Struct, frozen=True):
    """How many events were told, and the stream's last number, at one moment."""

    told: int
    streamed: int


class Watch:
    """Connections that see whether anything is still under way."""

    def __init__(self, databases: dict[str, Any], nats: Any) -> None:
        self._databases = databases
        self._nats = nats
        self.js = nats.jetstream(timeout=streaming.FETCH_SECONDS_MAX)

    @classmethod
    async def open(cls, place: Place) -> "Watch":
        """Connect to all domains' databases and to NATS."""
        urls = {name: url for name, url in place.urls.items() if name != BANK}
        opened = await asyncio.gather(*(asyncpg.connect(url) for url in urls.values()))
        nats = await streaming.connect(place.nats_url)
        return cls(dict(zip(urls, opened, strict=True)), nats)

    async def close(self) -> None:
        """End all connections."""
        for connection in self._databases.values():
            await connection.close()
        await self._nats.close()

    async def mark(self) -> Mark:
        """What was told and published so far."""
        told = await asyncio.gather(
            *(one.fetchval(_TOLD) for one in self._databases.values())
        )
        return Mark(sum(told), await self.streamed())

    async def streamed(self) -> int:
        """The stream's last number."""
        last: int = (await self.js.stream_info(EVENTS)).state.last_seq
        return last

    async def lags(self, before: Mark, after: Mark) -> list[float]:
        """What the events in between took into the stream, in ms."""
        return await read_lags(self._nats, before.streamed, after.streamed)

    async def wait(self, before: Mark) -> bool:
        """Wait until all that was told since is published, consumed and mailed.

        Orders settled, mails handed over, every event of the outboxes in the stream,
        nothing owed to a consumer. False when that took too long.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + APPLIED_SECONDS_MAX
        while loop.time() < end:
            if await self._is_done(before):
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    async def _is_done(self, before: Mark) -> bool:
        if await self._databases["orders"].fetchval(_UNSETTLED):
            return False
        if any((await streaming.owed(self._nats)).values()):
            return False
        if await self._databases["messaging"].fetchval(_QUEUED):
            return False
        now = await self.mark()
        return now.told - before.told == now.streamed - before.streamed
