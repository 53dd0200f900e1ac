"""Reading: queries run beside the batches, many of one type in one statement."""

import asyncio
from urllib.parse import urlsplit

import pytest

from actors.kit import domain
from actors.kit.reading import NO_DATABASE, ROUNDS_MAX
from bus.kit.audit import list_audit
from bus.kit.refusals import Failed, Unavailable
from persistence.kit.database import Database
from tests.kit.faults import caller, names, until
from tests.kit.toy import BEGUN, Look, Note, Peek, Stall, close_gate
from tests.kit.toy_domain import Toy


async def test_a_query_does_not_wait_for_a_batch(toys) -> None:
    """Guards reading.py: `async with self._shard.database.read() as db`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Note(name=name))
        gate = close_gate(f"stall:{name}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=name)))
        await until(lambda: f"stall:{name}" in BEGUN)
        async with asyncio.timeout(6):
            assert (await caller(s)(Look(name=name))).total == 1
            assert (await s.ask(Peek(name=name))).total == 1
        gate.set()
        await stalled


async def test_a_query_of_nobodys_key_waits_for_the_next_incarnation(toys) -> None:
    """Guards asker.py: `if type(message).key` where a shard says that it has left."""
    async with toys(shards=1) as s:
        s.shard("toy").left = True  # fenced, and not yet gone
        asking = asyncio.ensure_future(s.ask(list_audit("toy")(limit=1)))
        await asyncio.sleep(0.2)
        assert not asking.done()
        await s.restart("toy", 0)
        async with asyncio.timeout(6):
            assert (await asking).items == ()


@pytest.mark.parametrize("poison", ["bad", "short"])
async def test_a_query_that_breaks_its_round_fails_alone(toys, poison) -> None:
    """Guards reading.py: `await self._round(handler, [each])`, `len(answers) != …`."""
    async with toys(shards=1) as s:
        wanted = names(0, 10, 1)
        await asyncio.gather(*(s.ask(Note(name=name)) for name in wanted))
        asks = [s.ask(Peek(name=name)) for name in (*wanted, poison)]
        async with asyncio.timeout(8):
            ends = await asyncio.gather(*asks, return_exceptions=True)
        assert [end.total for end in ends[:-1]] == [1] * 10
        assert isinstance(ends[-1], Failed)


async def test_queries_gather_while_others_are_read(toys) -> None:
    """Guards reading.py: `if self._rounds[handler] < ROUNDS_MAX`."""
    async with toys(shards=1) as s:
        name = names(0)[0]
        gate = close_gate("peek 1")
        asks = []
        for count in range(1, 21):  # one after another, by as many callers
            asks.append(asyncio.ensure_future(caller(s)(Peek(name=name))))
            await until(lambda count=count: s.transport.receives == count)
        await asyncio.sleep(0.1)
        assert BEGUN == ["peek 1"] * ROUNDS_MAX
        gate.set()
        assert [noted.total for noted in await asyncio.gather(*asks)] == [0] * 20
        sizes = [int(line.split()[1]) for line in BEGUN]
        assert sum(sizes) == 20
        assert len(sizes) <= ROUNDS_MAX + 2


async def test_a_server_that_turns_us_away_is_not_a_bug_of_ours(toys) -> None:
    """Guards database.py: `with _connecting():`, for reads and for writes."""
    async with toys() as s:
        elsewhere = urlsplit(s.urls["toy"])._replace(path="/closed").geturl()
        database = Database(elsewhere, "souk:toy/0:x")
        assert not await database.answers()
        for attempt in (database.read().__aenter__, database.writer):
            with pytest.raises(ConnectionRefusedError, match="does not exist"):
                await attempt()
        assert database.readers_in_use == database.readers_waiting == 0
        await database.close()


async def test_a_domain_whose_start_finds_no_database_starts_again(
    toys, monkeypatch
) -> None:
    """Guards domain.py: `except Unavailable as error` in `begin`."""
    started: list[int] = []

    async def start(self: Toy) -> None:
        started.append(self.shard)
        if started.count(self.shard) == 1:
            raise Unavailable(NO_DATABASE)

    monkeypatch.setattr(domain, "START_AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(Toy, "start", start)
    async with toys() as s:
        assert sorted(started) == [0, 0, 1, 1]
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
