"""Standbys: who is dead is answered for, once, and gets its keys back."""

import asyncio
from typing import Any

import pytest

from actors.kit import adopting, lane, reception, standby
from actors.kit.lane import Address
from actors.kit.reach import answered_for
from bus.kit.addressing import SLOTS, new_id
from bus.kit.families import FAMILIES
from bus.kit.metrics import Sample, exposition
from persistence.kit import fence
from scripts.launcher.status import standbys
from tests.kit.faults import Answerless, Doom, caller, journal, names, until
from tests.kit.test_fence import End, ends
from tests.kit.toy import BEGUN, Note, RunErrand, Stall, close_gate

TOY = Address(("toy", 0))


async def epochs(s: Any) -> set[int]:
    """The epochs of the first shard's slots: each take-over raises them by one."""
    rows = await s.rows("toy", "SELECT DISTINCT epoch FROM slots WHERE shard = 0")
    return {row["epoch"] for row in rows}


async def adopted(s: Any) -> None:
    """The first shard is dead, and a standby answers for it."""
    await s.kill("toy", 0)
    assert (await s.ask(Note(name=names(0)[0]))).total == 1
    assert s.standbys.holding(TOY) != []


def resends(s: Any) -> int:
    return sum(one.resends_total for one in s.asker._lanes.values())


async def test_a_dead_shard_is_adopted_once_by_whoever_reports_it(toys) -> None:
    """Guards adopting.py: `self._ways[address] = number`.

    And standby.py: `if held is None:` in `adopt`, since both callers report.
    """
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        (before,) = await epochs(s)
        await s.kill("toy", 0)
        async with asyncio.timeout(5):
            noted = await asyncio.gather(
                *(s.ask(Note(name=one)), caller(s)(Note(name=two))),
                s.ask(Note(name=names(1)[0])),
            )
        assert [each.total for each in noted] == [1, 1, 1]
        assert await epochs(s) == {before + 1}
        assert s.standbys.holding(TOY) == [0]
        assert s.standbys.holding(Address(("toy", 1))) == []


async def test_a_shard_that_a_standby_answers_for_is_told_as_up_and_adopted(
    toys,
) -> None:
    """Guards standby.py: `held.shard.ready.is_set()` in `samples`; reach.py."""
    own = ("domain", "toy"), ("shard", "0")
    silent = [
        Sample("souk_shard_up", own, (0.0,)),
        Sample("souk_shard_up", (("domain", "toy"), ("shard", "1")), (0.0,)),
        Sample("souk_standby_up", (("standby", "0"),), (1.0,)),
        Sample("souk_standby_up", (("standby", "1"),), (0.0,)),
    ]
    async with toys(standbys=1) as s:
        held = s.standbys.of[0]
        assert answered_for([*silent, *held.samples()]) == [*silent, *held.samples()]
        await adopted(s)
        told = answered_for([*silent, *held.samples()])
        assert told[:4] == [Sample("souk_shard_up", own, (1.0,)), *silent[1:]]
        number = held.samples()[-1].labels[0][1]
        assert held.samples()[-1] == (
            Sample("souk_standby_adopted", (("standby", number), *own), (1.0,))
        )
        words = [f"{number}  answers for toy/0", "1  is away"]
        assert standbys(exposition(FAMILIES, told)) == words
        await s.restart("toy", 0)
        assert held.samples()[-1].family != "souk_standby_adopted"
        assert standbys(exposition(FAMILIES, [*silent, *held.samples()])) == [
            "0  waits",
            "1  is away",
        ]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_what_was_under_way_at_the_death_acts_once(toys, after) -> None:
    """Guards adopting.py: `if not await self.report(address):` in `ping`."""
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        doom = Doom(s.shard("toy", 0), after=after)
        pairs = ((s.ask, one), (caller(s), two))
        asks = [asyncio.ensure_future(ask(Note(name=name))) for ask, name in pairs]
        await doom.reached.wait()
        await s.kill("toy", 0)
        async with asyncio.timeout(5):
            noted = await asyncio.gather(*asks)
        assert [each.total for each in noted] == [1, 1]
        assert sorted(await journal(s)) == sorted([(one, "note"), (two, "note")])


async def test_a_shard_that_lives_is_not_adopted(toys, monkeypatch) -> None:
    """Guards standby.py: `if not await self._is_dead(address):`."""
    async with toys(standbys=1) as s:
        before = await epochs(s)
        assert not await s.standbys.ask(0, "adopt", TOY)
        assert s.standbys.holding(TOY) == []
        answerless = Answerless(s, monkeypatch)
        answerless.left = 1
        assert (await s.ask(Note(name=names(0)[0]))).total == 1
        assert await epochs(s) == before
        assert s.left == []


async def test_one_that_was_taken_for_dead_commits_nothing_more(toys) -> None:
    """Guards reception.py: `return pack(Moved(self._shard.shard))`."""
    async with toys(standbys=1) as s:
        name = names(0)[0]
        old = s.shard("toy", 0)
        s.transport.shards[TOY] = None  # nobody reaches it, and it lives
        asks = [asyncio.ensure_future(ask(Note(name=name))) for ask in (s.ask,)]
        assert (await asks[0]).total == 1
        assert await ends(old, Note(name=name)) == [End.MOVED]
        assert s.left == [old.database.name]
        assert await ends(old, Note(name=name)) == [End.MOVED]
        assert await journal(s) == [(name, "note")]
        assert s.standbys.holding(TOY) == [0]
        await old.stop()


async def test_a_shard_is_handed_back_without_a_break(toys) -> None:
    """Guards held.py: `await asyncio.wait(self.receiving, …)` in `drain`.

    And adopting.py: `self._ways.pop(address, None)` in `_by`: the way back is found.
    """
    async with toys(standbys=1) as s:
        one, two = names(0, 2)
        await adopted(s)
        before = resends(s)
        gate = close_gate(f"stall:{two}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=two)))
        await until(lambda: f"stall:{two}" in BEGUN)
        restarting = asyncio.ensure_future(s.restart("toy", 0))
        await asyncio.sleep(0.1)
        assert not restarting.done()
        gate.set()
        new = await restarting
        await stalled
        assert resends(s) == before
        async with asyncio.timeout(5):
            assert (await s.ask(Note(name=one))).total == 2
        assert s.standbys.holding(TOY) == []
        assert (new.left, s.left) == (False, [])
        assert sorted(await journal(s)) == [(one, "note")] * 2 + [(two, "stalled")]


async def test_a_process_goes_on_where_its_shard_is_handed_back(
    toys, monkeypatch
) -> None:
    """Guards held.py: `call.cancel()`: who waits for its answer asks again."""
    monkeypatch.setattr(reception, "COLLECT_SECONDS", 60.0)
    async with toys(standbys=1) as s:
        name = names(0)[0]
        await adopted(s)
        gate = close_gate("errand:1")
        key = new_id(name)
        asking = asyncio.ensure_future(s.ask(RunErrand(name=name, id=key), id=key))
        await until(lambda: "errand:1" in BEGUN)
        new = await s.restart("toy", 0)
        await until(lambda: new.reception.messages_total == 1)
        gate.set()
        assert (await asking).total == 3
        await until(lambda: not new.processes.running)
        assert len(await journal(s)) == 5


async def test_the_shards_own_process_is_called_until_it_takes_over(toys) -> None:
    """Guards standby.py: `await self._wake(address)`: all others ask the standby."""
    async with toys(standbys=1) as s:
        await adopted(s)
        await until(lambda: len(s.standbys.woken) > 1)
        assert set(s.standbys.woken) == {TOY}
        await s.restart("toy", 0)
        s.standbys.woken.clear()
        await asyncio.sleep(3 * standby.WAKE_SECONDS)
        assert s.standbys.woken == []


async def test_a_late_report_takes_nothing_away(toys) -> None:
    """Guards standby.py: `and not self._was_handed_back(address)`."""
    async with toys(standbys=1) as s:
        await adopted(s)
        await s.restart("toy", 0)
        new, s.transport.shards[TOY] = s.shard("toy", 0), None  # as Ray may still say
        assert not await s.standbys.ask(0, "adopt", TOY)
        s.transport.shards[TOY] = new
        assert (await s.ask(Note(name=names(0)[0]))).total == 2
        assert s.left == []


async def test_a_shard_that_owns_nothing_is_not_adopted(toys) -> None:
    """Guards standby.py: `if not held.shard.batches.epochs:`."""
    async with toys(standbys=1) as s:
        await fence.assign(await s.database("toy"), 1)
        await s.kill("toy", 1)
        assert not await s.standbys.ask(0, "adopt", Address(("toy", 1)))
        assert s.standbys.holding(Address(("toy", 1))) == []
        await until(lambda: len(s.shard("toy", 0).batches.epochs) == SLOTS)


async def test_a_standby_that_is_full_takes_no_more(toys, monkeypatch) -> None:
    """Guards standby.py: `len(self._held) < ADOPTED_MAX`."""
    monkeypatch.setattr(standby, "ADOPTED_MAX", 1)
    async with toys(standbys=1) as s:
        await adopted(s)
        await s.kill("toy", 1)
        assert not await s.standbys.ask(0, "adopt", Address(("toy", 1)))
        asking = asyncio.ensure_future(s.ask(Note(name=names(1)[0])))
        await s.restart("toy", 1)
        assert (await asking).total == 1


async def test_a_standby_that_dies_is_stood_in_for_by_the_next(toys) -> None:
    """Guards adopting.py: `continue` in `_first`."""
    async with toys(standbys=2) as s:
        one, two = names(0, 2)
        await adopted(s)
        (first,) = s.standbys.holding(TOY)
        gate = close_gate(f"stall:{two}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=two)))
        await until(lambda: f"stall:{two}" in BEGUN)
        await s.standbys.kill(first)
        gate.set()
        async with asyncio.timeout(5):
            await stalled
            assert (await caller(s)(Note(name=one))).total == 2
        assert s.standbys.holding(TOY) == [1 - first]
        assert sorted(await journal(s)) == [(one, "note")] * 2 + [(two, "stalled")]


@pytest.mark.parametrize("holding", [False, True], ids=["idle", "holding"])
async def test_a_frozen_standby_is_replaced(toys, monkeypatch, holding) -> None:
    """Guards adopting.py: `await self._standbys.replace(number)` and `…(way)`."""
    monkeypatch.setattr(lane, "SILENT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(lane, "PING_SECONDS_MAX", 0.5)
    monkeypatch.setattr(adopting, "ADOPT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(adopting, "SILENT_SECONDS_MAX", 0.05)
    async with toys(standbys=1) as s:
        name = names(0)[0]
        if holding:
            await adopted(s)
        else:
            await s.kill("toy", 0)
        s.standbys.frozen[0] = asyncio.Event()
        async with asyncio.timeout(6):
            noted = await s.ask(Note(name=name))
        assert noted.total == 1 + holding
        assert s.standbys.replaced == [0]
        assert s.standbys.holding(TOY) == [0]


async def test_a_frozen_standby_does_not_hold_up_a_start(toys, monkeypatch) -> None:
    """Guards adopting.py: `break` in `_back`; thawed, it is no owner any more."""
    monkeypatch.setattr(adopting, "HAND_BACK_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(adopting, "SILENT_SECONDS_MAX", 0.05)
    monkeypatch.setattr(adopting, "HAND_BACK_LOOKS_MAX", 1_000)
    async with toys(standbys=1) as s:
        await adopted(s)
        thaw = s.standbys.frozen[0] = asyncio.Event()
        async with asyncio.timeout(5):
            new = await s.restart("toy", 0)
        del s.standbys.frozen[0]
        thaw.set()
        assert (await s.ask(Note(name=names(0)[0]))).total == 2
        await until(lambda: s.standbys.holding(TOY) == [])
        assert not new.left
        assert len(await journal(s)) == 2
