"""The fence: of two copies of a shard only the newer one ever commits."""

import asyncio
from typing import Any

import pytest
from msgspec import Raw

from actors.kit import shard as shards
from actors.kit.lane import Address
from actors.kit.shard import Shard
from actors.kit.wire import Answers, End, Envelope, Moved, Sent, unpack
from bus.kit.addressing import new_id
from bus.kit.messages import decode, encode
from persistence.kit import fence
from persistence.kit.database import Database
from tests.kit.faults import caller, journal, names, until
from tests.kit.toy import BEGUN, Balk, Note, RunErrand, Stall, close_gate

FAR = 4e9


def envelope(*messages: Any) -> bytes:
    """What a lane would send."""
    items = [Sent(m.kind(), new_id(), FAR, Raw(encode(m))) for m in messages]
    return encode(Envelope("test", items))


async def ends(shard: Shard, *messages: Any) -> list[End]:
    answers = decode(Answers, await shard.receive(envelope(*messages)))
    return [outcome.end for outcome in answers.outcomes]


async def overtaken(s: Any) -> tuple[Shard, Shard]:
    """A copy that was frozen, and the newer one that took over in the meantime."""
    old = s.shard("toy", 0)
    new = await s.restart("toy", 0)
    return old, new


@pytest.fixture
def unchecked(monkeypatch) -> None:
    """The look of each second comes too late: only the fence is left."""
    monkeypatch.setattr(shards, "CHECK_SECONDS", 60.0)


async def test_a_copy_that_thaws_commits_nothing_and_leaves(toys, unchecked) -> None:
    """Guards fence.py: `raise Fenced`; shard.py: `await self._go()` in `_run`."""
    async with toys() as s:
        one, two = names(0, 2)
        await s.ask(Note(name=one))
        old, _ = await overtaken(s)
        assert await ends(old, Note(name=one), Note(name=two)) == [End.MOVED] * 2
        assert s.left == [old.database.name]
        assert await ends(old, Note(name=one)) != [End.REPLY]
        assert (await s.ask(Note(name=one))).total == 2
        assert len(await journal(s)) == 2
        await old.stop()


async def test_an_old_copy_answers_what_it_held(toys, unchecked) -> None:
    """Guards shard.py: `item.finish(Moved(self.shard))` in `_refuse`."""
    async with toys() as s:
        old = s.shard("toy", 0)
        new = s.make("toy", 0)
        await new.start()
        note = Note(name=names(0)[0])
        sent = Sent(
            kind=note.kind(),
            id=new_id(),
            deadline=s.clock.now() + 10,
            body=Raw(encode(note)),
        )
        async with asyncio.timeout(3):
            data = await old.receive(encode(Envelope("a lane", [sent])))
        (outcome,) = decode(Answers, data).outcomes
        moved = unpack(Note, outcome)
        assert isinstance(moved, Moved)
        assert moved.shard == 0
        assert await journal(s) == []
        await old.stop()
        s.transport.shards[Address(("toy", 0))] = new


async def test_nor_does_it_answer_where_all_is_refused(toys, unchecked) -> None:
    """Guards batch.py: `now = await fence.check(` before any handler runs."""
    async with toys() as s:
        old, _ = await overtaken(s)
        assert await ends(old, Balk(name=names(0)[0])) == [End.MOVED]
        assert s.left == [old.database.name]
        await old.stop()


async def test_its_processes_stop(toys, unchecked) -> None:
    """Guards shard.py: `self.processes.stop()` in `_go`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:1")
        asking = asyncio.ensure_future(s.ask(RunErrand(name=name, id=new_id(name))))
        await until(lambda: "errand:1" in BEGUN)
        old, _ = await overtaken(s)
        await ends(old, Balk(name=name))
        assert old.processes.running == {} or await _idle(old)
        gate.set()
        assert (await asking).total == 3
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert len(await journal(s)) == 4
        await old.stop()


async def _idle(shard: Shard) -> bool:
    await until(lambda: not shard.processes.running)
    return True


async def test_a_take_over_ends_the_sessions_of_a_frozen_copy(toys, unchecked) -> None:
    """Guards fence.py: `SELECT pg_terminate_backend(pid)` in `take_over`.

    It is frozen in the middle of a transaction, with the fence in its hand.
    """
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        asking = asyncio.ensure_future(s.ask(Stall(name=name)))
        await until(lambda: f"stall:{name}" in BEGUN)
        for task in s.shard("toy", 0)._tasks[1:]:
            task.cancel()
        old, _ = await overtaken(s)
        sessions = await s.rows(
            "toy",
            "SELECT FROM pg_stat_activity WHERE application_name = $1",
            old.database.name,
        )
        assert sessions == []
        gate.set()
        await asking
        assert await journal(s) == [(name, "stalled")]
        await old.stop()


async def test_a_take_over_waits_for_the_commit_under_way(toys) -> None:
    """Guards fence.py: `" FOR SHARE" if lock else ""`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        asking = asyncio.ensure_future(s.ask(Stall(name=name)))
        await until(lambda: f"stall:{name}" in BEGUN)
        connection = await s.database("toy")
        raising = asyncio.ensure_future(
            fence.take_over(connection, 0, "souk:other/0:test")
        )
        await asyncio.sleep(0.2)
        assert not raising.done()
        gate.set()
        await asking
        epochs = await raising
        assert len(epochs) == 32
        assert await journal(s) == [(name, "stalled")]


async def test_a_copy_cut_off_in_its_start_does_not_take_over_after_a_newer_one(
    toys, unchecked, monkeypatch
) -> None:
    """Guards fence.py: `await _be_newest(connection, shard, name)`; shard.py: `_go`.

    The newer one ends its session while it waits; it connects again and tries again.
    """
    async with toys() as s:
        name = names(0)[0]
        await s.kill("toy", 0)
        holder = await s.database("toy")
        await holder.execute("BEGIN")
        await holder.execute("SELECT FROM slots FOR UPDATE")
        old = s.make("toy", 0)
        monkeypatch.setattr(shards, "CHECK_SECONDS", 0.5)
        late = asyncio.ensure_future(old.start())
        await until(lambda: waits_for_slots(s, old.database.name))
        new = s.make("toy", 0)
        newer = asyncio.ensure_future(new.start())
        await until(lambda: waits_for_slots(s, new.database.name))
        await holder.execute("COMMIT")
        await newer
        s.transport.shards["toy", 0] = new
        before = dict(new.batches.epochs)
        await late
        assert s.left == [old.database.name]
        assert not old.ready.is_set()
        assert (await s.ask(Note(name=name))).total == 1
        assert {
            row["slot"]: row["epoch"]
            for row in await s.rows("toy", "SELECT * FROM slots WHERE shard = 0")
        } == before
        await old.stop()


async def test_of_two_take_overs_at_once_the_newer_one_stays(toys) -> None:
    """Guards fence.py: `await _be_newest(…)` under the slots' locks, a second time."""
    async with toys() as s:
        await s.kill("toy", 0)
        holder, older, newer = [await s.database("toy") for _ in range(3)]
        before = await fence.owners(holder)
        await holder.execute("BEGIN")
        await holder.execute("SELECT FROM slots FOR UPDATE")
        takes = []
        for connection, name in (
            (older, "souk:other/0:old"),
            (newer, "souk:other/0:new"),
        ):
            await connection.execute(f"SET application_name = 'of {name}'")
            takes.append(asyncio.ensure_future(fence.take_over(connection, 0, name)))
            await until(lambda name=name: waits_for_slots(s, f"of {name}"))
        await holder.execute("COMMIT")
        with pytest.raises(fence.Fenced):
            await takes[0]
        assert await takes[1] == {
            slot: epoch + 1 for slot, (shard, epoch) in before.items() if shard == 0
        }


async def waits_for_slots(s: Any, name: str) -> bool:
    """Whether a session of this name waits for a lock."""
    return bool(
        await s.rows(
            "toy",
            """SELECT FROM pg_stat_activity
               WHERE application_name = $1 AND wait_event_type = 'Lock'""",
            name,
        )
    )


async def test_an_idle_copy_notices_by_itself(toys) -> None:
    """Guards shard.py: `any(epoch != known[slot] …)` in `_compare`."""
    async with toys() as s:
        old, new = await overtaken(s)
        await until(lambda: s.left)
        assert s.left == [old.database.name]
        assert not new.left
        await old.stop()


async def test_a_session_may_not_hold_the_fence_for_long(toys) -> None:
    """Guards database.py: `"idle_in_transaction_session_timeout"`."""
    async with toys() as s:
        database = Database(s.urls["toy"], "souk:test/0:x")
        writer = await database.writer()
        names_of = ("idle_in_transaction_session_timeout", "tcp_keepalives_idle")
        shown = [await writer.fetchval(f"SHOW {name}") for name in names_of]
        assert shown == ["2s", "2"]
        await database.close()


async def test_who_asks_is_led_from_the_old_copy_to_the_new(toys, unchecked) -> None:
    """Guards shard.py: `item.finish(Moved(self.shard))` in `_refuse`."""
    async with toys() as s:
        one, two = names(0, 2)
        old = s.shard("toy", 0)
        new = s.make("toy", 0)
        await new.start()  # it cannot be reached yet: the old one is asked
        asks = [
            asyncio.ensure_future(ask(Note(name=name)))
            for ask, name in ((s.ask, one), (caller(s), two))
        ]
        await until(lambda: s.left)
        s.transport.shards[Address(("toy", 0))] = new
        assert [noted.total for noted in await asyncio.gather(*asks)] == [1, 1]
        assert len(await journal(s)) == 2
        await old.stop()
