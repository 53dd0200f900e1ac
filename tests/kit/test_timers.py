"""Timers: what is due comes once, also when nobody was there at its time."""

import asyncio

import pytest

from actors.kit import timers
from bus.kit.addressing import new_id
from tests.kit.faults import Doom, caller, journal, lose_commits, names, until
from tests.kit.toy import BEGUN, Forget, Remind, close_gate


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(timers, "RETRY_SECONDS", 0.1)


async def rung(s, count: int) -> list[tuple[str, str]]:
    """The journal once it has so many rows, and a while later still has no more."""

    async def there() -> bool:
        return len(await journal(s)) >= count

    await until(there)
    await asyncio.sleep(0.4)
    return await journal(s)


async def test_what_is_due_comes_once(toys) -> None:
    """Guards batch.py: `await tx.flush_dues(due_ids)`."""
    async with toys() as s:
        wanted = names(0, 10) + names(1, 10)
        asks = [s.ask, caller(s)]
        await asyncio.gather(
            *(
                asks[n % 2](Remind(name=name, seconds=0.1))
                for n, name in enumerate(wanted)
            )
        )
        assert sorted(await rung(s, 20)) == sorted((name, "ring") for name in wanted)
        assert await s.rows("toy", "SELECT FROM due") == []


async def test_what_fell_due_while_the_shard_was_dead_comes_at_its_start(toys) -> None:
    """Guards due.py: `at <= now()` and shard.py: `self.timers.run`."""
    async with toys() as s:
        here, there = names(0)[0], names(1)[0]
        await s.ask(Remind(name=here, seconds=1.0))
        await s.ask(Remind(name=there, seconds=1.0))
        await s.kill("toy", 0)
        assert await rung(s, 1) == [(there, "ring")]
        await s.restart("toy", 0)
        assert await rung(s, 2) == [(there, "ring"), (here, "ring")]


async def test_the_same_name_replaces_and_a_cancelled_one_never_comes(toys) -> None:
    """Guards due.py: `ON CONFLICT (name) DO UPDATE`, transaction.py: `due.cancel`."""
    async with toys() as s:
        one, two, three = names(0, 3)
        await s.ask(Remind(name=one, seconds=1.0, what="old"))
        await s.ask(Remind(name=two, seconds=1.0))
        await s.ask(Remind(name=three, seconds=1.4, what="third"))
        await caller(s)(Remind(name=one, seconds=1.2, what="new"))
        await caller(s)(Forget(name=two))
        assert await rung(s, 2) == [(one, "new"), (three, "third")]


async def test_what_stands_in_for_a_process_comes_when_its_shard_dies(toys) -> None:
    """Guards shard.py: `self.timers.take(left)`, due.py: `kind = ANY($2)`."""
    async with toys() as s:
        here, there, later = names(0)[0], names(1)[0], names(0, 2)[1]
        await s.ask(Remind(name=here, seconds=60, instead=True))
        await s.ask(Remind(name=there, seconds=60, instead=True))
        await s.ask(Remind(name=later, seconds=60))
        assert await rung(s, 0) == []
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        assert await rung(s, 1) == [(here, "ring")]
        left = await s.rows("toy", "SELECT name FROM due ORDER BY name")
        assert {row["name"] for row in left} == {f"ring:{there}", f"ring:{later}"}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_crash_between_firing_and_effect_neither_loses_nor_doubles(
    toys, after
) -> None:
    """Guards transaction.py: `await due.finish(self._connection, done)`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Remind(name=name, seconds=0.1))
        doom = Doom(s.shard("toy", 0), after=after)
        await doom.reached.wait()
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        assert await rung(s, 1) == [(name, "ring")]


async def test_what_is_due_acts_once_when_its_commit_gets_no_answer(
    toys, monkeypatch
) -> None:
    """Guards once.py: `if item.due_id not in there:`; the simulation has found it."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Remind(name=name, seconds=0.3))
        lose_commits(monkeypatch)
        assert await rung(s, 1) == [(name, "ring")]
        assert await s.rows("toy", "SELECT FROM due") == []


async def test_a_process_that_fell_due_is_taken_up_and_not_begun_twice(toys) -> None:
    """Guards batch.py: `item.process is not None or item.direct` in `_flush`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:1")
        await s.ask(Remind(name=name, seconds=0.05, errand=new_id(name)))
        await until(lambda: "errand:1" in BEGUN)
        assert await s.rows("toy", "SELECT FROM due") == []
        await s.kill("toy", 0)
        gate.set()
        await s.restart("toy", 0)
        stages = [(name, f"stage {stage}") for stage in (1, 2, 3, 4)]
        assert await rung(s, 4) == stages
        assert len({line for line in BEGUN if line.startswith("errand ")}) == 1
