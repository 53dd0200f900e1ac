"""Adopting: how callers reach a shard by way of a standby while its process is dead."""

import asyncio
import zlib
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Protocol

from actors.kit.lane import Address, ShardEnded, ShardGone, Transport

ADOPT_SECONDS_MAX = 0.7
"""How long a report is waited for: less than a lane waits for a sign of life."""
SILENT_SECONDS_MAX = 0.2
SILENCES_MAX = 3
HAND_BACK_LOOKS_MAX = 8
HAND_BACK_LOOK_SECONDS = 1.0


class Standbys(Protocol):
    """How the standbys are reached; raises ShardGone where a process is not there."""

    async def ask(self, number: int, method: str, *values: Any) -> Any:
        """Call a method of a standby."""

    async def replace(self, number: int) -> None:
        """Kill a standby that is silent, so that it is started again."""


class Adopting:
    """A transport over another one: what it finds dead, it has adopted.

    All callers ask the `count` standbys in the same order, so that one death leads to
    one adoption; where it leads to two, the fence decides.
    """

    def __init__(self, direct: Transport, standbys: Standbys, count: int) -> None:
        self._direct = direct
        self._standbys = standbys
        self._count = count
        self._ways: dict[Address, int] = {}
        self._silences: Counter[int] = Counter()

    async def receive(self, address: Address, envelope: bytes) -> bytes:
        """Hand over an envelope, to the shard or to who answers for it."""
        way = self._ways.get(address)
        if way is None:
            return await self._direct.receive(address, envelope)
        data: bytes = await self._by(address, way, "receive", address, envelope)
        return data

    async def collect(self, address: Address, lane: str) -> bytes:
        """Wait for tickets."""
        way = self._ways.get(address)
        if way is None:
            return await self._direct.collect(address, lane)
        data: bytes = await self._by(address, way, "collect", address, lane)
        return data

    async def ping(self, address: Address) -> None:
        """Wait for a sign of life of who answers; a shard that is dead is reported."""
        way = self._ways.get(address)
        if way is not None:
            await self._by(address, way, "ping")
            return
        try:
            await self._direct.ping(address)
        except ShardEnded:
            raise
        except ShardGone:
            if not await self.report(address):
                raise

    async def report(self, address: Address) -> bool:
        """Say that a shard is dead; whether a standby has adopted it."""
        number = await self._first(address, "adopt")
        if number is None:
            return False
        self._ways[address] = number
        return True

    async def is_ready(self, address: Address) -> bool:
        """Whether a standby would adopt the shard, if it were reported now."""
        return await self._first(address, "has_room") is not None

    async def replace(self, address: Address) -> None:
        """Kill who is silent: the shard's process, or the standby in its place."""
        way = self._ways.pop(address, None)
        if way is None:
            await self._direct.replace(address)
        else:
            await self._standbys.replace(way)

    async def health(self, address: Address) -> Any:
        """How a shard is that a standby holds; raises ShardGone where none does."""
        for number in self._order(address):
            try:
                return await self._standbys.ask(number, "health", address)
            except ShardGone:
                continue
        raise ShardGone(str(address))

    async def hand_back(self, address: Address) -> None:
        """Have every standby let the shard go.

        One that does not answer is not waited for: the fence is there for that.
        """
        await asyncio.gather(*(self._back(n, address) for n in range(self._count)))

    async def _back(self, number: int, address: Address) -> None:
        asking = self._standbys.ask(number, "hand_back", address)
        task = asyncio.ensure_future(_or_gone(asking))
        for _ in range(HAND_BACK_LOOKS_MAX):
            done, _ = await asyncio.wait({task}, timeout=HAND_BACK_LOOK_SECONDS)
            if done:
                task.result()
                return
            if await self._is_silent(number):
                break
        task.cancel()

    async def _first(self, address: Address, method: str) -> int | None:
        """The first standby that answers yes; None too where one is only slow."""
        for number in self._order(address):
            try:
                async with asyncio.timeout(ADOPT_SECONDS_MAX):
                    said = await self._standbys.ask(number, method, address)
            except ShardGone:
                continue
            except TimeoutError:
                await self._look_after(number)
                return None
            if said:
                return number
        return None

    async def _look_after(self, number: int) -> None:
        """One that stays silent is of no use to anybody, and nobody else looks."""
        if not await self._is_silent(number):
            self._silences.pop(number, None)
            return
        self._silences[number] += 1
        if self._silences[number] >= SILENCES_MAX:
            self._silences.pop(number)
            await self._standbys.replace(number)

    async def _is_silent(self, number: int) -> bool:
        try:
            async with asyncio.timeout(SILENT_SECONDS_MAX):
                await self._standbys.ask(number, "ping")
        except TimeoutError:
            return True
        except ShardGone:
            return False  # it is being started again: its calls will say so
        return False

    async def _by(self, address: Address, way: int, method: str, *values: Any) -> Any:
        """Ask the standby; the way is forgotten when it does not hold the shard."""
        try:
            return await self._standbys.ask(way, method, *values)
        except ShardGone:
            self._ways.pop(address, None)
            raise

    def _order(self, address: Address) -> list[int]:
        first = zlib.crc32(str(address).encode())
        return [(first + step) % self._count for step in range(self._count)]


async def _or_gone(asking: Coroutine[Any, Any, Any]) -> None:
    """What a standby holds that is not there, it holds no more."""
    try:
        await asking
    except ShardGone:
        return
