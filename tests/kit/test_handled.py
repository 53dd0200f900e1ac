"""Handled rows: a command acts once, and its answer is remembered."""

import asyncio
from uuid import NAMESPACE_URL, uuid5

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Failed, Refusal
from tests.kit.faults import caller, journal, names, until
from tests.kit.toy import BEGUN, Balk, Note, RunErrand, Spoil, close_gate


async def test_answers_are_remembered_over_a_restart(toys) -> None:
    """Guards batch.py: `await handled.write(connection, to_write, tx.now)`."""
    async with toys() as s:
        here, there = names(0)[0], names(1)[0]
        keys = {name: new_id() for name in (here, there)}
        first = [await s.ask(Note(name=name), id=keys[name]) for name in keys]
        await asyncio.gather(*(s.ask(Note(name=name)) for name in keys))
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        again = [await caller(s)(Note(name=name), id=keys[name]) for name in keys]
        assert again == first
        assert len(await journal(s)) == 4


async def test_a_refusal_is_an_answer_and_a_bug_is_none(toys) -> None:
    """Guards once.py: `and not isinstance(answer, Refusal)` in `row_of`."""
    async with toys() as s:
        name = names(0)[0]
        key, broken = new_id(), new_id()
        for ask in (s.ask, caller(s)):
            with pytest.raises(Refusal):
                await ask(Balk(name=name), id=key)
            with pytest.raises(Failed):
                await ask(Spoil(name=name), id=broken)
        rows = await s.rows("toy", "SELECT command_id FROM handled")
        assert rows == [{"command_id": key}]


async def test_a_key_is_good_over_midnight(toys) -> None:
    """Guards handled.py: `yesterday = now.date() - timedelta(days=1)`."""
    async with toys() as s:
        name = names(0)[0]
        key = uuid5(NAMESPACE_URL, "a request's key")
        first = await s.ask(Note(name=name), id=key)
        await s.rows("toy", "UPDATE handled SET day = day - 1 RETURNING day")
        assert await caller(s)(Note(name=name), id=key) == first
        assert len(await journal(s)) == 1


async def test_a_running_process_is_joined_or_refused(toys) -> None:
    """Guards reception.py: `elif not sent.join and not run.settled`.

    Once it is answered, though work goes on, the answer is given.
    """
    async with toys() as s:
        name = names(0)[0]
        key = new_id(name)
        first, after = close_gate("errand:1"), close_gate("errand:3")
        errand = RunErrand(name=name, id=new_id())
        running = asyncio.ensure_future(s.ask(errand, id=key, body_hash=b"one"))
        await until(lambda: "errand:1" in BEGUN)
        with pytest.raises(Refusal) as refused:
            await caller(s)(errand, id=key, body_hash=b"one")
        assert refused.value.code == "request-in-progress"
        with pytest.raises(Refusal) as refused:
            await caller(s)(errand, id=key, body_hash=b"two", join=True)
        assert refused.value.code == "idempotency-key-reused"
        joined = asyncio.ensure_future(caller(s)(errand, id=key, join=True))
        await asyncio.sleep(0.05)
        first.set()
        assert await running == await joined
        assert await caller(s)(errand, id=key, body_hash=b"one") == await running
        after.set()
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert await caller(s)(errand, id=key, body_hash=b"one") == await running
        with pytest.raises(Refusal) as refused:
            await caller(s)(errand, id=key, body_hash=b"two")
        assert refused.value.code == "idempotency-key-reused"
        assert [what for _, what in await journal(s)] == [
            f"stage {n}" for n in (1, 2, 3, 4)
        ]
