"""A pool that grows and shrinks while people ask loses nothing and repeats nothing."""

import asyncio
from typing import Any

from bus.kit.addressing import SLOTS
from persistence.kit import fence
from tests.kit.faults import caller, check_outbox, journal, names, until
from tests.kit.toy import Note, Tell


async def resize(s: Any, count: int) -> None:
    """What `actors.kit.pool.resize` and `end` do, without Ray."""
    before = [number for name, number in s.transport.shards if name == "toy"]
    for number in range(len(before), count):
        await s.restart("toy", number)
    connection = await s.database("toy")
    await fence.assign(connection, count)
    for number in range(max(count, len(before))):
        await s.shard("toy", number).look()
    for number in range(count, len(before)):
        assert await s.shard("toy", number).look() == []
        ended = s.transport.shards.pop(("toy", number))
        await ended.stop()


async def test_from_one_shard_to_three_to_two_under_load_loses_nothing(
    toys: Any,
) -> None:
    """Guards lane.py: `_send_elsewhere`; shard.py: `look`, `self._looking`.

    One caller believes in three shards to the end, and asks the one that is no more.
    """
    async with toys(shards=1) as s:
        wanted = names(0, 4, 3) + names(1, 4, 3) + names(2, 4, 3)
        s.shard_count = 3
        old_fashioned, s.shard_count = caller(s), 1
        asks = [s.ask, old_fashioned]
        done: dict[str, int] = dict.fromkeys(wanted, 0)
        ending = asyncio.Event()

        async def buy(number: int, name: str) -> None:
            while not ending.is_set():
                await asks[number % 2](Note(name=name))
                await asks[number % 2](Tell(name=name, subjects=(name,)))
                done[name] += 1
                await asyncio.sleep(0.01)

        buyers = [asyncio.ensure_future(buy(n, name)) for n, name in enumerate(wanted)]
        for count in (3, 2):
            await asyncio.sleep(0.2)
            await resize(s, count)
            owned = [len(s.shard("toy", n).batches.epochs) for n in range(count)]
            assert sum(owned) == SLOTS
            assert max(owned) - min(owned) <= 1
        await asyncio.sleep(0.2)
        ending.set()
        await asyncio.gather(*buyers)

        assert s.left == []
        assert min(done.values()) > 0
        rows = await s.rows("toy", "TABLE pages")
        assert {row["name"]: row["total"] for row in rows} == done
        assert len(await journal(s)) == sum(done.values())
        await check_outbox(s)
        await until(lambda: len({e["id"] for e in s.published}) == sum(done.values()))
        last = wanted[-1]
        assert (await caller(s)(Note(name=last))).total == done[last] + 1
        assert (await old_fashioned(Note(name=last))).total == done[last] + 2
