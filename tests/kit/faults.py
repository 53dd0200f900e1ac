"""What tests do to a shop: kill, freeze, lose, and look."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import asyncpg

from actors.kit.asker import Asker
from actors.kit.lane import Address, ShardGone
from actors.kit.shard import Shard
from bus.kit.addressing import slot_of
from tests.kit.local import LocalShop
from tests.kit.toy import facts

WAIT_SECONDS_MAX = 8.0


class Doom:
    """Stops a shard for ever at its n-th batch, before or after the commit."""

    def __init__(self, shard: Shard, at: int = 1, *, after: bool) -> None:
        self.reached = asyncio.Event()
        self._at, self._after, self._count = at, after, 0
        self._transaction = shard.batches._transaction
        shard.batches._transaction = self._doomed  # type: ignore[method-assign]

    async def _doomed(self, items: Any) -> None:
        self._count += 1
        mine = self._count == self._at
        if mine and not self._after:
            await self._stop()
        await self._transaction(items)
        if mine:
            await self._stop()

    async def _stop(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


class Answerless:
    """Shards whose answers are lost after the commit, as after a kill."""

    def __init__(self, shop: LocalShop, monkeypatch: Any) -> None:
        self.left = 0
        self._receive = shop.transport.receive
        monkeypatch.setattr(shop.transport, "receive", self._lose)

    async def _lose(self, address: Address, envelope: bytes) -> bytes:
        answers = await self._receive(address, envelope)
        if self.left:
            self.left -= 1
            raise ShardGone(str(address))
        return answers


def lose_commits(monkeypatch: Any, count: int = 1, *, happens: bool = True) -> None:
    """The next commits get no answer: the connection breaks."""
    commit = asyncpg.transaction.Transaction.commit
    left = [count]

    async def lost(self: Any) -> None:
        if not left[0]:
            await commit(self)
            return
        left[0] -= 1
        if happens:
            await commit(self)
        self._connection.terminate()
        raise asyncpg.exceptions.ConnectionDoesNotExistError("the line is cut")

    monkeypatch.setattr(asyncpg.transaction.Transaction, "commit", lost)


def caller(shop: LocalShop) -> Callable[..., Any]:
    """`ask` of another process."""
    return Asker(shop.reach(), lambda _: shop.shard_count, shop.clock).ask


def names(shard: int, count: int = 1, shards: int = 2) -> list[str]:
    """Names whose slots belong to a shard, each in a slot of its own."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        name = f"name-{number}"
        slot = slot_of(name)
        if slot % shards == shard:
            found.setdefault(slot, name)
        number += 1
    return list(found.values())


async def journal(shop: LocalShop, domain: str = "toy") -> list[tuple[str, str]]:
    """All effects, in order."""
    return facts(await shop.rows(domain, "SELECT * FROM journal ORDER BY n"))


async def until(check: Callable[[], Any], seconds: float = WAIT_SECONDS_MAX) -> None:
    """Wait for something to become true, which may be a coroutine function's answer."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while True:
        answer = check()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return
        assert loop.time() < end, "it does not come true"
        await asyncio.sleep(0.02)


async def check_outbox(shop: LocalShop, domain: str = "toy") -> None:
    """Each slot's numbers and each entity's sequence have no gap and no double."""
    rows = await shop.rows(domain, "SELECT slot, n FROM outbox ORDER BY slot, n")
    by_slot: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_slot[row["slot"]].append(row["n"])
    for numbers in by_slot.values():
        assert numbers == list(range(1, len(numbers) + 1))
    by_entity: dict[str, list[int]] = defaultdict(list)
    for event in await shop.events(domain):
        by_entity[event["subject"]].append(int(event["sequence"]))
    for numbers in by_entity.values():
        assert numbers == list(range(1, len(numbers) + 1))
