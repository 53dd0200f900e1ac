"""Handing over: a standby answers before a shard's process is renewed."""

import asyncio
from typing import Any

import pytest

from actors.kit import held, lane, reception, standby, tenure
from actors.kit.lane import Address, ShardGone
from bus.kit.addressing import new_id
from tests.kit.faults import caller, check_outbox, journal, names, until
from tests.kit.test_standby import TOY, adopted, epochs, resends
from tests.kit.toy import BEGUN, Note, RunErrand, Stall, Tell, close_gate

ROUNDS_MIN = 3


class Load:
    """Two callers who note and tell in both shards, one thing after another."""

    def __init__(self, s: Any) -> None:
        self.done: dict[str, int] = dict.fromkeys([*names(0, 2), *names(1, 2)], 0)
        self._ending = asyncio.Event()
        asks = [s.ask, caller(s)]
        self._going = [
            asyncio.ensure_future(self._run(asks[number % 2], name))
            for number, name in enumerate(self.done)
        ]

    async def goes_on(self) -> None:
        """Everybody is answered again, some times."""
        before = dict(self.done)
        await until(lambda: all(self.done[n] >= before[n] + ROUNDS_MIN for n in before))

    async def end(self) -> None:
        self._ending.set()
        await asyncio.gather(*self._going)

    async def _run(self, ask: Any, name: str) -> None:
        while not self._ending.is_set():
            noted = await ask(Note(name=name))
            self.done[name] += 1
            assert noted.total == self.done[name]
            await ask(Tell(name=name, subjects=(name,)))


async def stalling(s: Any, name: str) -> tuple["asyncio.Future[Any]", asyncio.Event]:
    """The first shard works on something that does not end before the gate opens."""
    gate = close_gate(f"stall:{name}")
    stalled = asyncio.ensure_future(s.ask(Stall(name=name)))
    await until(lambda: f"stall:{name}" in BEGUN)
    return stalled, gate


async def test_a_shard_is_handed_over_and_comes_back_under_load(toys: Any) -> None:
    """Guards tenure.py: `self._gone = True`, `await self._stop()`.

    Nobody was fenced: each of the three incarnations had ended before the next began.
    """
    async with toys(standbys=1) as s:
        (before,) = await epochs(s)
        load = Load(s)
        await load.goes_on()
        old = s.shard("toy", 0)
        away = await s.transport.hand_over(TOY)
        assert s.standbys.holding(TOY) == [0]
        assert old.left  # it has ended, and was not fenced
        assert away > 0
        await load.goes_on()  # also those who ask the old process, which lives
        await s.kill("toy", 0)
        await load.goes_on()
        new = await s.restart("toy", 0)
        assert s.standbys.holding(TOY) == []
        await load.goes_on()
        await load.end()
        wanted = sorted(n for n, count in load.done.items() for _ in range(count))
        noted = [name for name, what in await journal(s) if what == "note"]
        assert sorted(noted) == wanted
        assert await epochs(s) == {before + 2}
        assert s.left == []
        assert [one.counts.fenced.value for one in (old, new)] == [0, 0]
        await check_outbox(s)


async def test_what_was_begun_is_answered_and_the_rest_waits(toys: Any) -> None:
    """Guards tenure.py: `await self._held.drain()`, `await self._given.wait()`."""
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        stalled, gate = await stalling(s, one)
        before = resends(s)
        giving = asyncio.ensure_future(s.transport.hand_over(TOY))
        receives = s.transport.receives
        asking = asyncio.ensure_future(caller(s)(Note(name=two)))
        await asyncio.sleep(0.15)
        assert not giving.done()
        assert not asking.done()
        assert s.transport.receives <= receives + 2
        gate.set()
        assert await giving > 0
        await stalled
        assert (await asking).total == 1
        assert resends(s) == before
        assert sorted(await journal(s)) == sorted([(one, "stalled"), (two, "note")])


async def test_a_process_goes_on_where_its_shard_is_handed_over(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards tenure.py: `self._held.cut()`: who waits for its answer asks again."""
    monkeypatch.setattr(reception, "COLLECT_SECONDS", 60.0)
    async with toys(standbys=1) as s:
        name = names(0)[0]
        gate = close_gate("errand:1")
        key = new_id(name)
        asking = asyncio.ensure_future(s.ask(RunErrand(name=name, id=key), id=key))
        await until(lambda: "errand:1" in BEGUN)
        assert await s.transport.hand_over(TOY) > 0
        gate.set()
        async with asyncio.timeout(5):
            assert (await asking).total == 3
        assert sorted(await journal(s)) == sorted(set(await journal(s)))


async def test_where_no_standby_has_room_nothing_changes(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards tenure.py: `if not await self._adopting.is_ready(…)`; it comes back."""
    monkeypatch.setattr(standby, "ADOPTED_MAX", 0)
    async with toys(standbys=1) as s:
        before = await epochs(s)
        assert await s.transport.hand_over(TOY) is None
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
        assert await epochs(s) == before
        monkeypatch.setattr(standby, "ADOPTED_MAX", 1)
        assert await s.transport.hand_over(TOY) > 0
        assert await epochs(s) == {epoch + 1 for epoch in before}


async def test_without_standbys_nothing_is_handed_over(toys: Any) -> None:
    async with toys() as s:
        before = await epochs(s)
        assert await s.transport.hand_over(TOY) is None
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
        assert await epochs(s) == before


async def test_who_asks_twice_hears_of_one_handing_over(toys: Any) -> None:
    """Guards tenure.py: `self._handing is None`."""
    async with toys(standbys=1) as s:
        (before,) = await epochs(s)
        both = await asyncio.gather(*(s.transport.hand_over(TOY) for _ in range(2)))
        assert both[0] == both[1] > 0
        assert await s.transport.hand_over(TOY) == both[0]
        assert await epochs(s) == {before + 1}


async def test_a_process_that_nobody_renews_ends_by_itself(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards tenure.py: `self._end()`; the standby answers for as long as it takes."""
    monkeypatch.setattr(tenure, "END_SECONDS", 0.1)
    async with toys(standbys=1) as s:
        assert await s.transport.hand_over(TOY) > 0
        await until(lambda: s.ended == [TOY])
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
        assert s.standbys.holding(TOY) == [0]


@pytest.mark.parametrize("count", [1, 2])
async def test_a_standby_that_dies_in_the_middle_loses_nothing(
    toys: Any, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """Guards tenure.py: `self._ending = …`, before anything can go wrong."""
    monkeypatch.setattr(tenure, "END_SECONDS", 0.1)
    async with toys(standbys=count) as s:
        one, two = names(0, 2)
        stalled, gate = await stalling(s, one)
        giving = asyncio.ensure_future(s.transport.hand_over(TOY))
        asking = asyncio.ensure_future(caller(s)(Note(name=two)))
        await asyncio.sleep(0.1)
        (first, *others) = s.adopting()._order(TOY)
        await s.standbys.kill(first)
        gate.set()
        if others:
            assert await giving > 0
            assert s.standbys.holding(TOY) == others
        else:
            with pytest.raises(ShardGone):
                await giving
            await until(lambda: s.ended == [TOY])
            await s.kill("toy", 0)  # as it has ended itself
            await s.restart("toy", 0)
        await stalled
        assert (await asking).total == 1
        assert sorted(await journal(s)) == sorted([(one, "stalled"), (two, "note")])


async def test_a_process_that_dies_in_the_middle_is_adopted(toys: Any) -> None:
    """What it had begun, and what waited for its end, acts once in the standby."""
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        stalled, gate = await stalling(s, one)
        giving = asyncio.ensure_future(s.transport.hand_over(TOY))
        asking = asyncio.ensure_future(caller(s)(Note(name=two)))
        await asyncio.sleep(0.1)
        await s.kill("toy", 0)
        gate.set()
        async with asyncio.timeout(5):
            await stalled
            assert (await asking).total == 1
            await giving
        assert s.standbys.holding(TOY) == [0]
        assert sorted(await journal(s)) == sorted([(one, "stalled"), (two, "note")])


async def test_a_process_that_cannot_end_is_fenced(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards tenure.py: `async with asyncio.timeout(STOP_SECONDS_MAX)`."""
    monkeypatch.setattr(tenure, "STOP_SECONDS_MAX", 0.1)
    async with toys(standbys=1) as s:
        (before,) = await epochs(s)
        old = s.shard("toy", 0)
        stop, old.stop = old.stop, asyncio.Event().wait
        try:
            async with asyncio.timeout(5):
                assert await s.transport.hand_over(TOY) > 0
        finally:
            old.stop = stop
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
        assert await epochs(s) == {before + 1}
        await until(lambda: len(s.left) == 1)


async def test_a_process_that_freezes_in_the_middle_is_replaced(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thawed, it has nothing to give: the newest incarnation stays the owner."""
    monkeypatch.setattr(lane, "SILENT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(lane, "PING_SECONDS_MAX", 0.1)
    monkeypatch.setattr(held, "DRAIN_SECONDS_MAX", 30.0)
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        old = s.shard("toy", 0)
        stalled, gate = await stalling(s, one)
        giving = asyncio.ensure_future(s.transport.hand_over(TOY))
        await until(lambda: s.transport.tenures[TOY]._held.closing)
        s.transport.frozen[TOY] = asyncio.Event()
        async with asyncio.timeout(5):
            assert (await caller(s)(Note(name=two))).total == 1
        new = s.shard("toy", 0)
        assert new is not old
        owned = await epochs(s)
        gate.set()
        await asyncio.wait({giving})
        async with asyncio.timeout(5):
            await stalled
            assert (await s.ask(Note(name=two))).total == 2
        assert await epochs(s) == owned
        assert not new.left
        assert s.standbys.holding(TOY) == []
        assert sorted(await journal(s)) == sorted(
            [(one, "stalled"), (two, "note"), (two, "note")]
        )


async def test_a_standby_is_renewed_when_it_holds_nothing(
    toys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards standby.py: `while self._held and …` in `idle`."""
    async with toys(standbys=1) as s:
        assert await s.standbys.ask(0, "idle")
        await adopted(s)
        waiting = asyncio.ensure_future(s.standbys.ask(0, "idle"))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        await s.restart("toy", 0)
        assert await waiting
        await s.kill("toy", 1)
        monkeypatch.setattr(standby, "IDLE_SECONDS_MAX", 0.1)
        assert (await s.ask(Note(name=names(1)[0]))).total == 1
        assert s.standbys.holding(Address(("toy", 1))) == [0]
        async with asyncio.timeout(5):
            assert not await s.standbys.ask(0, "idle")
