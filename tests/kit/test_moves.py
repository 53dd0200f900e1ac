"""Slots that move from one living shard to another."""

import asyncio
import json
from contextlib import suppress

from actors.kit.relay import Published
from bus.kit.addressing import new_id, slot_of
from bus.kit.refusals import Unavailable, Unknown
from persistence.kit import fence
from tests.kit.faults import caller, check_outbox, journal, names, until
from tests.kit.toy import BEGUN, Note, Remind, RunErrand, Tell, close_gate


async def move(s, name: str, shard: int) -> None:
    """Give the slot of a name to another shard, as growing a pool does."""
    await s.rows(
        "toy",
        "UPDATE slots SET shard = $2, epoch = epoch + 1 WHERE slot = $1 RETURNING slot",
        slot_of(name),
        shard,
    )


async def test_while_all_slots_move_nothing_is_lost_and_nothing_acts_twice(
    toys,
) -> None:
    """Guards asker.py: `self._owners[domain, message.slot] = answer.shard`.

    And `await self._clock.sleep(MOVE_SECONDS)`: the new owner learns it a second late.
    """
    async with toys() as s:
        wanted = names(0, 6) + names(1, 6)
        asks = [s.ask, caller(s)]
        done: dict[str, int] = dict.fromkeys(wanted, 0)
        ending = asyncio.Event()

        async def buy(number: int, name: str) -> None:
            while not ending.is_set():
                await asks[number % 2](Note(name=name))
                await asks[number % 2](Tell(name=name, subjects=(name,)))
                done[name] += 1
                await asyncio.sleep(0.01)

        buyers = [asyncio.ensure_future(buy(n, name)) for n, name in enumerate(wanted)]
        await asyncio.sleep(0.2)
        connection = await s.database("toy")
        await fence.assign(connection, 1)
        await until(lambda: len(s.shard("toy", 0).batches.epochs) == 64)
        await asyncio.sleep(0.3)
        ending.set()
        await asyncio.gather(*buyers)
        assert s.left == []
        assert s.shard("toy", 1).batches.epochs == {}
        totals = {
            row["name"]: row["total"] for row in await s.rows("toy", "TABLE pages")
        }
        assert totals == done
        assert len(await journal(s)) == sum(done.values())
        await check_outbox(s)
        await until(lambda: len(_ids(s)) >= sum(done.values()))
        assert len(_ids(s)) == sum(done.values())
        for name in wanted:
            numbers = [int(e["sequence"]) for e in s.published if e["subject"] == name]
            firsts = list(dict.fromkeys(numbers))
            assert firsts == list(range(1, done[name] + 1))


async def test_a_process_goes_on_with_the_new_owner_who_answers(toys) -> None:
    """Guards process.py: `run.answer(Moved(moved[run.message.slot]))`.

    And asker.py: `join=True` once it has moved.
    """
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:1")
        key = new_id(name)
        asking = asyncio.ensure_future(s.ask(RunErrand(name=name, id=key), id=key))
        await until(lambda: "errand:1" in BEGUN)
        await move(s, name, 1)
        await until(lambda: slot_of(name) in s.shard("toy", 1).batches.epochs)
        await until(lambda: not s.shard("toy", 0).processes.running)
        # Asked again, it joins what has been taken up and waits at the gate.
        await until(lambda: s.shard("toy", 1).reception.messages_total == 1)
        gate.set()
        assert (await asking).total == 3
        await until(lambda: not s.shard("toy", 1).processes.running)
        assert len(await journal(s)) == 4


async def test_what_is_due_moves_along(toys) -> None:
    """Guards timers.py: `slots = sorted(self._shard.batches.epochs)`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Remind(name=name, seconds=2.0))
        await move(s, name, 1)
        await s.kill("toy", 0)
        await until(lambda: slot_of(name) in s.shard("toy", 1).batches.epochs)

        async def rung() -> bool:
            return await journal(s) == [(name, "ring")]

        await until(rung)


async def test_a_slot_that_comes_back_is_remembered_as_it_is_now(toys) -> None:
    """Guards shard.py: `self.batches.last_n.update(…)` and `entities.clear()`."""
    async with toys() as s:
        name = names(0)[0]
        slot = slot_of(name)
        for shard, total in ((1, 2), (0, 3)):
            await s.ask(Note(name=name))
            await s.ask(Tell(name=name, subjects=("a",)))
            await move(s, name, shard)
            await until(
                lambda shard=shard: slot in s.shard("toy", shard).batches.epochs
            )
            assert (await caller(s)(Note(name=name))).total == 2 * total - 2
            await caller(s)(Tell(name=name, subjects=("a",)))
        await check_outbox(s)
        assert len(await s.events()) == 4


async def test_an_owner_that_is_no_more_is_forgotten(toys) -> None:
    """Guards asker.py: `self._owners.pop((domain, message.slot), None)`."""
    async with toys() as s:
        name = names(0)[0]
        await move(s, name, 1)
        await s.ask(Note(name=name))
        await s.kill("toy", 1)
        await move(s, name, 0)
        with suppress(Unknown, Unavailable):
            await s.ask(Note(name=name), timeout_seconds=0.2)
        slot = slot_of(name)
        await until(lambda: slot in s.shard("toy", 0).batches.epochs)
        assert (await s.ask(Note(name=name), timeout_seconds=2)).total >= 2


def _ids(s) -> set[str]:
    """The events that were published; what a move sends again counts once."""
    return {event["id"] for event in s.published}


async def test_what_stands_in_for_a_process_comes_when_its_slot_moves(toys) -> None:
    """Guards shard.py: `self.timers.take(left)`; the process stayed behind, and ended.

    Once: of two owners only one has the slot when the effect commits.
    """
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Remind(name=name, seconds=60, instead=True))
        await move(s, name, 1)

        async def rung() -> bool:
            return await journal(s) == [(name, "ring")]

        await until(rung)
        await asyncio.sleep(0.2)
        assert await rung()
        assert await s.rows("toy", "SELECT FROM due") == []


async def test_a_slot_that_moves_before_a_lost_stream_is_noticed_is_told_again(
    toys, monkeypatch
) -> None:
    """Guards stream.py: `return await outbox.oldest(db, sorted(slots))`.

    Its new owner has noticed long ago.
    """
    async with toys() as s:
        name = names(0)[0]
        bridge = Stream(s)
        await s.ask(Tell(name=name, subjects=("a",)))
        await until(lambda: bridge.heard == ["a"])
        await until(lambda: written(s, 0, "first"), 3)
        await s.kill("toy", 0)  # it will not notice any more
        bridge.created, bridge.heard = "second", []
        there = names(1)[0]
        await s.ask(Tell(name=there, subjects=("b",)))
        await until(lambda: written(s, 1, "second"), 4)
        assert set(bridge.heard) == {"b"}
        await move(s, name, 1)
        await until(lambda: "a" in bridge.heard, 4)


async def test_a_slot_that_moves_under_load_is_told_once(toys, monkeypatch) -> None:
    """Guards stream.py: `await shard.relay.look()`.

    Its owner has seen more of the stream than the next one, which was idle.
    """
    async with toys() as s:
        name, there = names(0)[0], names(1)[0]
        bridge = Stream(s)
        for who in (name, there):
            await s.ask(Tell(name=who, subjects=("known",)))
        for shard in (0, 1):
            await until(lambda shard=shard: written(s, shard, "first"), 5)
        begin = len(bridge.heard)

        async def wrote_of_all() -> bool:
            sql = "SELECT sequence FROM stream WHERE shard = 0"
            return (await s.rows("toy", sql))[0]["sequence"] == len(bridge.heard)

        await s.ask(Tell(name=name, subjects=("a", "b", "c")))
        await until(lambda: bridge.heard[begin:] == ["a", "b", "c"])
        await until(wrote_of_all, 5)
        await move(s, name, 1)
        await s.ask(Tell(name=name, subjects=("d",)))
        await until(lambda: bridge.heard[begin + 3 :] == ["d"])


class Stream:
    """A bridge with a stream that may be lost, and what that stream holds."""

    def __init__(self, s) -> None:
        self.created, self.heard = "first", []
        s.publish = self.publish

    async def publish(self, rows) -> Published:
        self.heard += [json.loads(row.payload)["subject"] for row in rows]
        upto = {row.slot: row.n for row in rows}
        return Published(upto, self.created, len(self.heard))


async def written(s, shard: int, created: str) -> bool:
    """Whether a shard has written down that it saw this stream."""
    sql = "SELECT FROM stream WHERE shard = $1 AND created = $2"
    return bool(await s.rows("toy", sql, shard, created))
