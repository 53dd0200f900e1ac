"""Claims: a value has one owner, over all keys and shards."""

import asyncio

import pytest

from actors.kit.batch import Batches
from bus.kit.addressing import new_id
from bus.kit.refusals import Failed, Refusal
from tests.kit.faults import caller, names
from tests.kit.toy import Grab, LetGo

VALUES = tuple(f"{number:04}" for number in range(1_500))


async def test_two_shards_that_claim_in_opposite_orders_share_without_deadlock(
    toys, monkeypatch
) -> None:
    """Guards claims.py: `wanted = sorted(set(claims))` in `take`."""
    deadlocks = []
    run_again = Batches._run_again

    async def count(self, items):
        deadlocks.append(len(items))
        await run_again(self, items)

    monkeypatch.setattr(Batches, "_run_again", count)
    async with toys() as s:
        one, two = new_id(names(0)[0]), new_id(names(1)[0])
        for values in (VALUES, tuple(reversed(VALUES)), VALUES):
            ends = await asyncio.gather(
                s.ask(Grab(owner=one, values=values)),
                caller(s)(Grab(owner=two, values=values[::-1])),
            )
            assert sorted((*ends[0].values, *ends[1].values)) == sorted(VALUES)
            await s.ask(LetGo(owner=one, values=values))
            await s.ask(LetGo(owner=two, values=values))
        rows = await s.rows("toy", "SELECT count(*) AS n FROM claims")
        assert (rows, deadlocks) == ([{"n": 0}], [])


@pytest.mark.parametrize("end", ["refuse", "spoil"])
async def test_the_claim_of_a_command_that_did_not_act_is_free_again(toys, end) -> None:
    """Guards batch.py: `await claims.release(connection, dropped)`."""
    async with toys() as s:
        one, two = new_id(names(0)[0]), new_id(names(1)[0])
        with pytest.raises((Refusal, Failed)):
            await s.ask(Grab(owner=one, values=("a",), **{end: True}))
        got = await caller(s)(Grab(owner=two, values=("a",)))
        assert got.values == ("a",)
        assert (await s.ask(Grab(owner=one, values=("a", "b")))).values == ("b",)


async def test_a_refusal_does_not_take_the_claim_of_another_message(toys) -> None:
    """Guards batch.py: `- _claims_of(fresh, tx, refused=False)`."""
    async with toys() as s:
        one = new_id(names(0)[0])
        ends = await asyncio.gather(
            s.ask(Grab(owner=one, values=("a",))),
            s.ask(Grab(owner=one, values=("a",), refuse=True)),
            return_exceptions=True,
        )
        assert (ends[0].values, ends[1].code) == (("a",), "refused")
        assert len(await s.rows("toy", "SELECT FROM claims")) == 1


async def test_a_held_value_stays_with_its_owner_until_it_is_let_go(toys) -> None:
    """Guards claims.py: `ON CONFLICT DO NOTHING`, and the owner in `release`."""
    async with toys() as s:
        one, two = new_id(names(0)[0]), new_id(names(1)[0])
        await s.ask(Grab(owner=one, values=("a",)))
        assert (await s.ask(Grab(owner=two, values=("a",)))).values == ()
        await s.ask(LetGo(owner=two, values=("a",)))
        assert (await s.ask(Grab(owner=two, values=("a",)))).values == ()
        await s.ask(LetGo(owner=one, values=("a",)))
        assert (await s.ask(Grab(owner=two, values=("a",)))).values == ("a",)
