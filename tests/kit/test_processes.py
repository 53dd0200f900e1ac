"""Processes and tickets: long work that holds nobody up and is never lost."""

import asyncio

import pytest

from actors.kit import process, reception, shard, strays
from actors.kit.process import Run
from bus.kit.addressing import new_id
from bus.kit.refusals import Failed, Unavailable, Unknown
from tests.kit.faults import Doom, caller, journal, lose_commits, names, until
from tests.kit.toy import (
    BEGUN,
    Advance,
    Embark,
    Nap,
    Note,
    RunErrand,
    Stall,
    Survey,
    close_gate,
)
from tests.kit.toy_domain import Toy

STAGES = [f"stage {stage}" for stage in (1, 2, 3, 4)]


def errand(name: str) -> RunErrand:
    return RunErrand(name=name, id=new_id(name))


async def unfinished(s) -> int:
    return len(await s.rows("toy", "SELECT FROM handled WHERE state < 2"))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
async def test_a_process_survives_a_kill_around_each_of_its_steps(
    toys, at, after
) -> None:
    """Guards shard.py: `self.processes.resume(row)`; it runs on under the same id."""
    async with toys() as s:
        name, there = names(0)[0], names(1)[0]
        wish, key = errand(name), new_id(name)
        doom = Doom(s.shard("toy", 0), at, after=after)
        running = asyncio.ensure_future(s.ask(wish, id=key))
        beside = asyncio.ensure_future(caller(s)(errand(there)))
        await doom.reached.wait()
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        assert (await running).total == 3
        assert (await beside).total == 3
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for who, what in await journal(s) if who == name] == STAGES
        begun = [line for line in BEGUN if line.startswith(f"errand {wish.id}")]
        assert set(begun) == {f"errand {wish.id} as {key}"}
        assert len(begun) >= 2
        assert (await s.ask(wish, id=key)).total == 3
        assert len(await journal(s)) == 8


@pytest.mark.parametrize("gate", ["errand:1", "errand:2", "errand:3"])
async def test_nobody_has_to_ask_for_a_process_to_be_taken_up(toys, gate) -> None:
    """Guards handled.py: `state < 2` in `unfinished`, and once.py: `State.ANSWERED`."""
    async with toys() as s:
        name = names(0)[0]
        held = close_gate(gate)
        asking = asyncio.ensure_future(s.ask(errand(name), timeout_seconds=0.1))
        await until(lambda: gate in BEGUN)
        await s.kill("toy", 0)
        held.set()
        await asyncio.gather(asking, return_exceptions=True)
        await s.restart("toy", 0)
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for _, what in await journal(s)] == STAGES
        await s.ask(Note(name=name))
        await until(lambda: _none(s))


async def _none(s) -> bool:
    return await unfinished(s) == 0


async def test_that_it_began_is_written_with_its_first_step(toys) -> None:
    """Guards process.py: `item.opens = (self, opens)`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:1")
        running = asyncio.ensure_future(s.ask(errand(name)))
        await until(lambda: "errand:1" in BEGUN)
        rows = await s.rows(
            "toy",
            """SELECT xmin::text FROM handled WHERE state = 0 UNION ALL
               SELECT xmin::text FROM journal UNION ALL
               SELECT xmin::text FROM errands""",
        )
        assert len(rows) == 3
        assert len({row["xmin"] for row in rows}) == 1
        gate.set()
        await running


async def test_a_settled_answer_is_given_at_once_and_survives_a_kill(toys) -> None:
    """Guards batch.py: `item.settles.settle_with(item.answer)`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:3")
        wish, key = errand(name), new_id(name)
        assert (await s.ask(wish, id=key, timeout_seconds=2)).total == 3
        assert len(await journal(s)) == 3
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        assert (await caller(s)(wish, id=key, join=True)).total == 3
        gate.set()
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for _, what in await journal(s)] == STAGES


async def test_a_process_that_has_begun_is_tried_until_it_settles(
    toys, monkeypatch
) -> None:
    """Guards process.py: `if run.opened is None or bugs >= BUG_TRIES_MAX`."""
    monkeypatch.setattr(process, "BACKOFF_SECONDS", 0.01)
    async with toys() as s:
        name = names(0)[0]
        wish = RunErrand(name=name, id=new_id(name), broken=3)
        assert (await s.ask(wish)).total == 3
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for _, what in await journal(s)] == STAGES


async def test_a_process_goes_on_when_the_commit_of_its_answer_gets_no_answer(
    toys, monkeypatch
) -> None:
    """Guards process.py: `if self.opened is None` in `settle`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate("errand:2")
        running = asyncio.ensure_future(s.ask(errand(name)))
        await until(lambda: "errand:2" in BEGUN)
        lose_commits(monkeypatch)
        gate.set()
        assert (await running).total == 3
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for _, what in await journal(s)] == STAGES
        assert BEGUN.count("errand:3") == 1
        await until(lambda: _none(s))


async def test_a_process_goes_on_when_the_commit_of_its_beginning_gets_no_answer(
    toys, monkeypatch
) -> None:
    """Guards once.py: `elif item.opens`; asked again, its first step would refuse."""
    async with toys() as s:
        name = names(0)[0]
        lose_commits(monkeypatch)
        assert (await s.ask(Embark(name=name, id=new_id(name)))).total == 3
        await until(lambda: not s.shard("toy", 0).processes.running)
        assert [what for _, what in await journal(s)] == STAGES
        await until(lambda: _none(s))


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shard, "CHECK_SECONDS", 0.05)
    monkeypatch.setattr(strays, "STRAY_SECONDS", 0.1)


async def test_what_has_begun_and_whose_process_gave_up_is_taken_up(
    toys, monkeypatch, quick_looks
) -> None:
    """Guards strays.py: `processes.resume(…)`; four COMMITs in a row get no answer."""
    async with toys() as s:
        name = names(0)[0]
        lose_commits(monkeypatch, 4)
        with pytest.raises((Unavailable, Unknown)):
            await s.ask(errand(name))
        await until(lambda: _none(s))
        assert [what for _, what in await journal(s)] == STAGES
        assert len(BEGUN) >= 2


async def test_what_bugs_have_ended_is_left_until_the_next_start(
    toys, monkeypatch, quick_looks
) -> None:
    """Guards process.py: `self._give_up(run.id)`."""
    monkeypatch.setattr(process, "BACKOFF_SECONDS", 0.001)
    runs = []

    async def fail(_: Toy, run: Run, m: RunErrand) -> None:
        runs.append(run.id)
        if run.opened is None:
            await run.step(Advance(name=m.name, id=m.id, stage=1), opens=m)
        raise ZeroDivisionError

    async with toys() as s:
        wish, looks = errand(names(0)[0]), strays.Strays.look
        with monkeypatch.context() as patch:
            patch.setattr(Toy, "run_errand", fail)
            with pytest.raises(Failed):
                await s.ask(wish)
            looked = []

            async def look(self) -> None:
                await looks(self)
                looked.append(self._looked_at)

            patch.setattr(strays.Strays, "look", look)
            await until(lambda: len(set(looked)) > 8)
            assert len(runs) == process.BUG_TRIES_MAX
            await s.kill("toy", 0)
        await s.restart("toy", 0)
        await until(lambda: _none(s))
        assert [what for _, what in await journal(s)] == STAGES


async def test_a_process_whose_reading_breaks_is_unavailable_and_no_bug(toys) -> None:
    """Guards reading.py: `except CONNECTION_LOST as error` in `lend`."""
    async with toys() as s:
        name = names(0)[0]
        await s.ask(Note(name=name))
        gate = close_gate("survey")
        asking = asyncio.ensure_future(s.ask(Survey(name=name)))
        await until(lambda: "survey" in BEGUN)
        await s.rows(
            "toy",
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name LIKE 'souk:toy/0:%'""",
        )
        gate.set()
        with pytest.raises(Unavailable):
            await asking
        assert (await s.ask(Survey(name=name))).total == 1


async def test_a_thousand_slow_processes_do_not_delay_a_step(toys) -> None:
    """Guards reception.py: `return TICKET` in `_process`."""
    async with toys() as s:
        one, two = names(0, 2)
        gate = close_gate(f"nap:{one}")
        naps = [asyncio.ensure_future(s.ask(Nap(name=one))) for _ in range(1_000)]
        await until(lambda: len(s.shard("toy", 0).processes.running) == 1_000)
        async with asyncio.timeout(6):
            await s.ask(Note(name=one))
            await caller(s)(Note(name=two))
        gate.set()
        await asyncio.gather(*naps)
        assert s.shard("toy", 0).processes.running == {}


async def test_a_late_answer_comes_by_collect(toys) -> None:
    """Guards lane.py: `self._spawn(self._collect())`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"nap:{name}")
        naps = [
            asyncio.ensure_future(ask(Nap(name=name))) for ask in (s.ask, caller(s))
        ]
        await until(lambda: len(BEGUN) == 2)
        await asyncio.sleep(2 * reception.PACE_SECONDS)  # their envelope is answered
        gate.set()
        async with asyncio.timeout(6):
            await asyncio.gather(*naps)


async def test_an_answer_that_overtakes_its_ticket_is_not_lost(toys) -> None:
    """Guards lane.py: `self._early[ticket] = outcome`.

    The errand's envelope is held up by a step beside it; the errand ends first, and
    its answer rides back with a second envelope.
    """
    async with toys() as s:
        one, two = names(0, 2)
        gate = close_gate(f"stall:{one}")
        nap = close_gate(f"nap:{two}")
        first = [
            asyncio.ensure_future(ask)
            for ask in (s.ask(Stall(name=one)), s.ask(Nap(name=two)))
        ]
        await until(lambda: f"nap:{two}" in BEGUN and f"stall:{one}" in BEGUN)
        nap.set()
        await until(lambda: not s.shard("toy", 0).processes.running)
        with pytest.raises(Unavailable):
            await s.ask(Nap(name=two), timeout_seconds=0)
        gate.set()
        async with asyncio.timeout(6):
            await asyncio.gather(*first)


async def test_of_one_process_only_one_runs(toys) -> None:
    """Guards reception.py: `run = self._shard.processes.running.get(meta.id)`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"nap:{name}")
        key = new_id(name)
        naps = [
            asyncio.ensure_future(ask(Nap(name=name), id=key, join=True))
            for ask in (s.ask, s.ask, caller(s))
        ]
        await until(lambda: len(BEGUN) == 1)
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(*naps)
        assert [f"nap:{name}"] == BEGUN
