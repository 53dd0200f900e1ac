"""Batches: one transaction for many, halved around a culprit, sure of its COMMIT."""

import asyncio
from typing import Any

import asyncpg
import pytest

from actors.kit import batch as batches
from actors.kit import shard as shards
from actors.kit.wire import Moved
from bus.kit.addressing import new_id
from bus.kit.refusals import Failed, Refusal, Unavailable
from bus.kit.values import Done
from persistence.kit.entities import Entities
from persistence.kit.fence import SlotsMoved
from tests.kit.faults import (
    caller,
    check_outbox,
    journal,
    lose_commits,
    names,
    until,
)
from tests.kit.toy import Balk, Jot, Note, Spoil, Stall, Tell, close_gate
from tests.kit.toy_domain import Toy


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(batches, "RECONNECT_SECONDS", 0.01)


async def together(*asks):
    """All of them, their ends as values."""
    return await asyncio.gather(*asks, return_exceptions=True)


async def test_a_batch_is_one_transaction(toys) -> None:
    """Guards shard.py: `count = min(len(self._inbox), BATCH_MAX)`.

    Effects, outbox rows and handled rows of two callers share one transaction id.
    """
    async with toys() as s:
        one, two = names(0, 2)
        gate = close_gate(f"stall:{one}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=one)))
        await asyncio.sleep(0.05)
        asks = [
            ask(Note(name=name)) for ask in (s.ask, caller(s)) for name in (one, two)
        ]
        asks += [s.ask(Tell(name=one, subjects=("a", "b")))]
        asks = [asyncio.ensure_future(ask) for ask in asks]
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(stalled, *asks)
        rows = await s.rows(
            "toy",
            """SELECT DISTINCT xmin::text FROM (
                 SELECT xmin FROM journal WHERE what = 'note' UNION ALL
                 SELECT xmin FROM outbox UNION ALL SELECT xmin FROM handled) AS r""",
        )
        assert len(rows) == 1


async def test_rounds_keep_the_order_of_a_key(toys) -> None:
    """Guards item.py: `last_round[item.key] = place`."""
    async with toys() as s:
        name = names(0)[0]
        asks = []
        for number in range(6):
            asks.append(s.ask(Jot(name=name, what=f"{number} jot")))
            asks.append(s.ask(Note(name=name, what=f"{number} note")))
        await asyncio.gather(*asks)
        wanted = [(name, f"{n} {w}") for n in range(6) for w in ("jot", "note")]
        assert await journal(s) == wanted


async def test_one_poison_message_among_two_hundred_fails_alone(toys) -> None:
    """Guards batch.py: `await self._halve(items)` for an unknown exception."""
    async with toys() as s:
        one, two = names(0, 2)
        other, asks = caller(s), []
        for number in range(200):
            ask = s.ask if number % 2 else other
            if number == 77:
                asks.append(ask(Spoil(name=one)))
            else:
                asks.append(ask(Note(name=(one, two)[number % 2])))
        async with asyncio.timeout(9):
            ends = await together(*asks)
        assert isinstance(ends[77], Failed)
        assert sum(not isinstance(end, Exception) for end in ends) == 199
        assert len(await journal(s)) == 199
        assert (await s.ask(Note(name=two))).total == 100


async def test_a_refusal_after_writing_changes_nothing(toys) -> None:
    """Guards batch.py: `raise RefusedAfterWriting(refusal) from None`."""
    async with toys() as s:
        one, two = names(0, 2)
        ends = await together(
            s.ask(Note(name=one)),
            s.ask(Balk(name=one, late=True)),
            caller(s)(Note(name=two)),
            caller(s)(Balk(name=two)),
        )
        assert [getattr(end, "code", "done") for end in ends] == [
            "done",
            "balked",
            "done",
            "balked",
        ]
        assert sorted(await journal(s)) == sorted([(one, "note"), (two, "note")])


@pytest.mark.parametrize("happens", [True, False], ids=["committed", "lost"])
async def test_a_commit_without_an_answer_is_looked_up(
    toys, monkeypatch, happens
) -> None:
    """Guards batch.py: `except CONNECTION_LOST as error` in `_run_connected`.

    And once.py: `_answer_as_before(firsts[command_id], row)`.
    """
    async with toys() as s:
        one, two = names(0, 2)
        await s.ask(Note(name=one))
        lose_commits(monkeypatch, happens=happens)
        assert (await s.ask(Note(name=one))).total == 2
        lose_commits(monkeypatch, happens=happens)
        ends = await together(s.ask(Note(name=one)), caller(s)(Note(name=two)))
        assert [end.total for end in ends] == [3, 1]
        assert len(await journal(s)) == 4


async def test_after_a_lost_answer_memory_is_not_trusted(toys, monkeypatch) -> None:
    """Guards batch.py: `self.entities.forget(touched)`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Note(name=name))
        lose_commits(monkeypatch)
        await s.ask(Note(name=name))
        assert (await s.ask(Note(name=name))).total == 3
        rows = await s.rows("toy", "SELECT total FROM pages")
        assert rows == [{"total": 3}]


async def test_after_a_lost_answer_events_go_on_without_a_gap(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `await self._catch_up(connection)` in `_transaction`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Tell(name=name, subjects=("a",), what="1"))
        lose_commits(monkeypatch)
        await s.ask(Tell(name=name, subjects=("a",), what="2"))
        await until(lambda: len(s.published) == 2)
        await s.ask(Tell(name=name, subjects=("a",), what="3"))
        await check_outbox(s)
        await until(lambda: len(s.published) == 3)
        assert [event["data"]["what"] for event in s.published] == ["1", "2", "3"]


async def test_a_cut_line_fails_nobody(toys) -> None:
    """Guards batch.py: `except CONNECTION_LOST as error` in `_run_connected`."""
    async with toys() as s:
        one, two = names(0, 2)
        await s.ask(Note(name=one))
        gate = close_gate(f"stall:{one}")
        asks = [
            asyncio.ensure_future(ask)
            for ask in (s.ask(Stall(name=one)), caller(s)(Note(name=two)))
        ]
        await asyncio.sleep(0.05)
        await s.rows(
            "toy",
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name LIKE 'souk:toy/0:%'""",
        )
        gate.set()
        await asyncio.gather(*asks)
        facts = await journal(s)
        assert sorted(facts) == sorted([(one, "note"), (one, "stalled"), (two, "note")])


async def test_what_breaks_each_connection_is_unknown_and_fails_nobody_else(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `except ConnectionBroken as broken` in `_run_or_halve`.

    Its COMMIT may have happened, so it is not said to have failed.
    """

    async def jot(self: Any, tx: Any, m: Jot) -> Done:
        await tx.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return Done()

    monkeypatch.setattr(batches, "RECONNECT_SECONDS", 0.01)
    async with toys() as s:
        stalled, one, two, bad = names(0, 4)
        gate = close_gate(f"stall:{stalled}")
        first = asyncio.ensure_future(s.ask(Stall(name=stalled)))
        await asyncio.sleep(0.05)
        monkeypatch.setattr(Toy, "jot", jot)
        asks = [
            asyncio.ensure_future(s.ask(message))
            for message in (Note(name=one), Jot(name=bad, what="x"), Note(name=two))
        ]
        await asyncio.sleep(0.05)
        gate.set()
        await first
        ends = await together(*asks)
        assert [type(end).__name__ for end in ends] == ["Noted", "Unknown", "Noted"]
        assert sorted(await journal(s)) == sorted(
            [(stalled, "stalled"), (one, "note"), (two, "note")]
        )


async def test_a_command_twice_in_a_batch_runs_once_and_is_answered_twice(toys) -> None:
    """Guards once.py: `followers.append((item, firsts[command_id]))`.

    And `if item.known` in `row_of`: two rows of one id would fail the whole batch.
    """
    async with toys() as s:
        one, two = names(0, 2)
        gate = close_gate(f"stall:{one}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=one)))
        await asyncio.sleep(0.05)
        twice = new_id()
        asks = [
            asyncio.ensure_future(ask)
            for ask in (
                s.ask(Note(name=one), id=twice),
                caller(s)(Note(name=one), id=twice),
                caller(s)(Note(name=two)),
            )
        ]
        await asyncio.sleep(0.05)
        gate.set()
        totals = [noted.total for noted in await asyncio.gather(*asks)]
        await stalled
        assert totals == [1, 1, 1]
        rows = await s.rows("toy", "SELECT name, xact FROM journal WHERE what = 'note'")
        assert sorted(row["name"] for row in rows) == sorted([one, two])
        assert len({row["xact"] for row in rows}) == 1, "the batch fell apart"


async def test_the_same_key_with_another_body_is_refused_and_changes_nothing(
    toys,
) -> None:
    """Guards once.py: `row.body_hash != body_hash`, and `if item.known` in `row_of`.

    What was answered before is not written over.
    """
    async with toys() as s:
        name = names(0)[0]
        key = new_id()
        first = await s.ask(Note(name=name), id=key, body_hash=b"one")
        with pytest.raises(Refusal) as refused:
            await caller(s)(Note(name=name, what="other"), id=key, body_hash=b"two")
        assert refused.value.code == "idempotency-key-reused"
        again = await caller(s)(Note(name=name), id=key, body_hash=b"one")
        assert again == first
        assert await journal(s) == [(name, "note")]


async def test_the_same_key_with_another_body_in_one_batch_is_refused(toys) -> None:
    """Guards batch.py: `if same_body(item, first) else reused()`."""
    async with toys() as s:
        name = names(0)[0]
        key = new_id()
        ends = await together(
            s.ask(Note(name=name), id=key, body_hash=b"one"),
            s.ask(Note(name=name, what="other"), id=key, body_hash=b"two"),
        )
        assert ends[0].total == 1
        assert ends[1].code == "idempotency-key-reused"
        assert (await s.ask(Note(name=name), id=key, body_hash=b"one")).total == 1


async def test_what_committed_in_halves_is_not_run_again_when_slots_move(
    toys, monkeypatch
) -> None:
    """Guards shard.py: `if not item.future.done()` in `_run`."""
    async with toys() as s:
        shard = s.shard("toy", 0)
        name = names(0)[0]
        run = shard.batches.run
        halves = []

        async def half(items):
            await run(items[:1])
            if not halves:
                halves.append(len(items))
                raise SlotsMoved({})
            await run(items[1:])

        monkeypatch.setattr(shard.batches, "run", half)
        await asyncio.gather(*(s.ask(Jot(name=name, what=f"{n}")) for n in range(2)))
        assert halves == [2]
        assert await journal(s) == [(name, "0"), (name, "1")]


async def test_what_the_server_gives_up_for_anothers_sake_goes_once_more(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `except TRANSIENT:` … `_run_again`: a deadlock is no bug."""
    async with toys() as s:
        shard = s.shard("toy", 0)
        transaction = shard.batches._transaction
        given_up = [1]

        async def deadlocked(items):
            if given_up:
                given_up.pop()
                raise asyncpg.DeadlockDetectedError("planted")
            await transaction(items)

        monkeypatch.setattr(shard.batches, "_transaction", deadlocked)
        assert (await s.ask(Note(name=names(0)[0]))).total == 1


async def test_memory_is_bounded_and_what_was_used_last_stays(toys) -> None:
    """Guards entities.py: `self._states.popitem(last=False)` and `move_to_end`."""
    async with toys() as s:
        shard = s.shard("toy", 0)
        shard.batches.entities = Entities(entities_max=3)
        one, two, three, four = names(0, 4)
        for name in (one, two, three, one, four):
            await s.ask(Note(name=name))
        entities = shard.batches.entities
        assert len(entities) == 3
        assert entities.recall("page", one).total == 2
        assert entities.recall("page", two) is None
        assert (await s.ask(Note(name=two))).total == 2


async def test_a_batch_past_its_deadline_while_the_database_is_away_is_unknown(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `item.finish(Unknown(` in `_given_up`."""
    async with toys() as s:
        name = names(0)[0]
        lose_commits(monkeypatch, 1_000, happens=False)
        monkeypatch.setattr(batches, "CONNECTION_TRIES_MAX", 1_000)
        end = (await together(s.ask(Note(name=name), timeout_seconds=0.3)))[0]
        assert type(end).__name__ == "Unknown"
        assert not isinstance(end, Moved | Unavailable)
        monkeypatch.undo()
        assert (await s.ask(Note(name=name))).total == 1


async def test_after_a_large_batch_the_next_gathers_until_it_is_as_large(
    toys, monkeypatch
) -> None:
    """Guards shard.py: `timeout=rest` and `self._gathered.set_result(None)`."""
    monkeypatch.setattr(shards, "GATHER_SECONDS_MAX", 60.0)
    async with toys() as s:
        slow, *others = names(0, 5)
        gate = close_gate(f"stall:{slow}")
        large = [Stall(name=slow), *(Note(name=name) for name in others[:3])]
        running = [asyncio.ensure_future(s.ask(message)) for message in large]
        await asyncio.sleep(1.0)  # the next batch may gather for as long
        gate.set()
        await asyncio.gather(*running)
        few = [asyncio.ensure_future(s.ask(Note(name=name))) for name in others[:3]]
        await asyncio.sleep(0.3)
        assert not any(ask.done() for ask in few)
        few.append(asyncio.ensure_future(s.ask(Note(name=others[3]))))
        async with asyncio.timeout(0.4):
            await asyncio.gather(*few)
