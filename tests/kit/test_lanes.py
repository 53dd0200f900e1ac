"""Lanes: many asks in one envelope, bounded, and sent again after a death."""

import asyncio
from typing import Any

import pytest

from actors.kit import lane as lanes
from actors.kit.lane import Address
from bus.kit.messages import decode
from bus.kit.refusals import Failed, Unavailable, Unknown
from tests.kit.faults import Answerless, Doom, caller, journal, names, until
from tests.kit.toy import GATES, Jot, Note, Stall, close_gate

TOY = Address(("toy", 0))


class Held:
    """A shard's door that stays shut; counts who stands before it."""

    def __init__(self, shop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: list[int] = []
        self.open = asyncio.Event()
        self._receive = shop.transport.receive
        monkeypatch.setattr(shop.transport, "receive", self._wait)

    async def _wait(self, address: Address, envelope: bytes) -> bytes:
        self.sizes.append(len(decode(lanes.Envelope, envelope).items))
        await self.open.wait()
        answers: bytes = await self._receive(address, envelope)
        return answers


async def test_asks_of_one_turn_go_in_one_envelope(toys) -> None:
    """Guards lane.py: `asyncio.get_running_loop().call_soon(self._pump)`."""
    async with toys() as s:
        one, two = names(0, 2)
        before = s.transport.receives
        await asyncio.gather(*(s.ask(Note(name=name)) for name in [one, two] * 25))
        assert s.transport.receives == before + 1
        assert len(await journal(s)) == 50


async def test_two_envelopes_are_under_way_and_the_rest_goes_together(
    toys, monkeypatch
) -> None:
    """Guards lane.py: `self._under_way < ENVELOPES_MAX` in `_pump`."""
    async with toys() as s:
        name = names(0)[0]
        held = Held(s, monkeypatch)
        asks = []
        for count in (1, 1, 20, 10):
            asks += [
                asyncio.ensure_future(s.ask(Note(name=name))) for _ in range(count)
            ]
            await asyncio.sleep(0.02)
        assert held.sizes == [1, 1]
        held.open.set()
        totals = [noted.total for noted in await asyncio.gather(*asks)]
        assert held.sizes == [1, 1, 30]
        assert totals == list(range(1, 33))


async def test_past_its_messages_a_lane_refuses_at_once(toys, monkeypatch) -> None:
    """Guards lane.py: `full = len(self._waiting) >= LANE_MESSAGES_MAX`."""
    monkeypatch.setattr(lanes, "LANE_MESSAGES_MAX", 5)
    async with toys() as s:
        await _check_bound(s, monkeypatch, waiting=5, what="small")


async def test_past_its_bytes_a_lane_refuses_at_once(toys, monkeypatch) -> None:
    """Guards lane.py: `self._bytes + size > LANE_BYTES_MAX`."""
    monkeypatch.setattr(lanes, "LANE_BYTES_MAX", 3_200)
    async with toys() as s:
        await _check_bound(s, monkeypatch, waiting=3, what="x" * 1_000)


async def _check_bound(s: Any, monkeypatch: Any, *, waiting: int, what: str) -> None:
    here, there = names(0)[0], names(1)[0]
    held = Held(s, monkeypatch)
    asks = []
    for _ in range(2 + waiting):
        asks.append(asyncio.ensure_future(s.ask(Note(name=here, what=what))))
        await asyncio.sleep(0.01)
    async with asyncio.timeout(3):
        with pytest.raises(Unavailable):
            await s.ask(Note(name=here, what=what))
    asks.append(asyncio.ensure_future(s.ask(Note(name=there, what=what))))
    asks.append(asyncio.ensure_future(caller(s)(Note(name=here, what=what))))
    held.open.set()
    await asyncio.gather(*asks)
    assert len(await journal(s)) == 2 + waiting + 2


async def test_a_message_whose_deadline_passed_before_its_batch_is_not_run(
    toys, monkeypatch
) -> None:
    """Guards batch.py: `if item.deadline is None or item.deadline > self._now()`."""
    monkeypatch.setattr(lanes, "GRACE_SECONDS", 5.0)
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=name)))
        await asyncio.sleep(0.05)
        late = asyncio.ensure_future(s.ask(Note(name=name), timeout_seconds=0.1))
        in_time = asyncio.ensure_future(caller(s)(Note(name=name)))
        await asyncio.sleep(0.25)
        gate.set()
        with pytest.raises(Unavailable):
            await late
        assert (await in_time).total == 1
        await stalled
        assert await journal(s) == [(name, "stalled"), (name, "note")]


async def test_what_was_sent_and_not_answered_in_time_is_unknown(
    toys, monkeypatch
) -> None:
    """Guards lane.py: `late = Unknown if ask.sent_once else Unavailable`."""
    async with toys() as s:
        name = names(0)[0]
        Held(s, monkeypatch)
        asks = []
        for _ in range(3):
            asks.append(
                asyncio.ensure_future(s.ask(Note(name=name), timeout_seconds=0.1))
            )
            await asyncio.sleep(0.01)
        ends = await asyncio.gather(*asks, return_exceptions=True)
        assert [type(end) for end in ends] == [Unknown, Unknown, Unavailable]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_shard_killed_around_its_commit_acts_once(toys, after) -> None:
    """Guards lane.py: `self._waiting.appendleft(ask)` in `_resend`.

    And batch.py: `self._answer_as_before(firsts[command_id], row)`, when the kill
    comes after the commit.
    """
    async with toys() as s:
        one, two = names(0, 2)
        other = names(1)[0]
        doom = Doom(s.shard("toy", 0), after=after)
        second = caller(s)
        asks = [
            asyncio.ensure_future(ask(Note(name=name)))
            for ask, name in (
                (s.ask, one),
                (second, two),
                (s.ask, two),
                (second, other),
            )
        ]
        await doom.reached.wait()
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        totals = [noted.total for noted in await asyncio.gather(*asks)]
        assert totals[0] == totals[3] == 1
        assert sorted(totals[1:3]) == [1, 2]
        assert sorted(await journal(s)) == sorted(
            (name, "note") for name in (one, two, two, other)
        )


async def test_what_was_lost_is_sent_again_in_its_order(toys, monkeypatch) -> None:
    """Guards lane.py: `for ask in reversed(unanswered)` in `_resend`."""
    async with toys() as s:
        name = names(0)[0]
        s.transport.frozen[TOY] = asyncio.Event()
        asks = [
            asyncio.ensure_future(s.ask(Jot(name=name, what=f"{number}")))
            for number in range(20)
        ]
        await asyncio.sleep(0.05)
        gate = s.transport.frozen.pop(TOY)
        await s.kill("toy", 0)
        gate.set()
        await s.restart("toy", 0)
        await asyncio.gather(*asks)
        assert [what for _, what in await journal(s)] == [f"{n}" for n in range(20)]


async def test_lost_answers_are_given_again(toys, monkeypatch) -> None:
    """Guards lane.py: `except ShardGone:` … `self._recover()` in `_send`."""
    async with toys() as s:
        name = names(0)[0]
        answerless = Answerless(s, monkeypatch)
        answerless.left = 3
        first = await s.ask(Note(name=name))
        second = await caller(s)(Note(name=name))
        assert (first.total, second.total) == (1, 2)
        assert answerless.left == 0
        assert len(await journal(s)) == 2


async def test_a_silent_shard_is_replaced_and_its_neighbour_is_not(
    toys, monkeypatch
) -> None:
    """Guards lane.py: `await self._transport.replace(self.address)`."""
    monkeypatch.setattr(lanes, "SILENT_SECONDS_MAX", 0.1)
    monkeypatch.setattr(lanes, "PING_SECONDS_MAX", 0.1)
    async with toys() as s:
        here, there = names(0)[0], names(1)[0]
        s.transport.frozen[TOY] = asyncio.Event()
        silent = s.shard("toy", 0)
        waiting = asyncio.ensure_future(s.ask(Note(name=here)))
        assert (await caller(s)(Note(name=there))).total == 1
        assert (await waiting).total == 1
        assert s.transport.replaced == ["toy/0"]
        await silent.stop()


async def test_a_busy_shard_that_answers_pings_is_left_alone(toys, monkeypatch) -> None:
    """Guards lane.py: `silent = 0 if await self._alive() else silent + 1`."""
    monkeypatch.setattr(lanes, "SILENT_SECONDS_MAX", 0.05)
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        asks = [
            asyncio.ensure_future(ask(Stall(name=name))) for ask in (s.ask, caller(s))
        ]
        await asyncio.sleep(0.5)
        gate.set()
        await asyncio.gather(*asks)
        assert s.transport.replaced == []


async def test_an_envelope_that_breaks_does_not_stop_its_lane(
    toys, monkeypatch
) -> None:
    """Guards lane.py: `except Exception as error` in `_send`."""
    async with toys() as s:
        name = names(0)[0]
        receive = s.transport.receive

        async def broken(address: Address, envelope: bytes) -> bytes:
            raise ValueError(envelope)

        monkeypatch.setattr(s.transport, "receive", broken)
        for _ in range(lanes.ENVELOPES_MAX + 1):
            with pytest.raises(Unknown):
                async with asyncio.timeout(6):
                    await s.ask(Note(name=name))
        monkeypatch.setattr(s.transport, "receive", receive)
        assert (await s.ask(Note(name=name))).total == 1


async def test_a_message_that_cannot_be_read_fails_alone(toys) -> None:
    """Guards reception.py: `except msgspec.MsgspecError` in `_admit`."""
    async with toys() as s:
        name = names(0)[0]
        bad = Note(name=name, what=5)  # msgspec checks types when it reads
        ends = await asyncio.gather(
            s.ask(Note(name=name)),
            s.ask(bad),
            s.ask(Note(name=name)),
            return_exceptions=True,
        )
        assert [type(end).__name__ for end in ends] == ["Noted", "Failed", "Noted"]
        assert isinstance(ends[1], Failed)
        assert len(await journal(s)) == 2


async def test_who_waits_behind_a_held_transaction_goes_in_one_batch(toys) -> None:
    """Guards shard.py: `count = min(len(self._inbox), BATCH_MAX)`."""
    async with toys() as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=name)))
        await until(lambda: name in "".join(GATES))
        await asyncio.sleep(0.05)
        asks = [
            asyncio.ensure_future(ask(Note(name=name)))
            for ask in (s.ask, caller(s))
            for _ in range(40)
        ]
        await asyncio.sleep(0.05)
        gate.set()
        await asyncio.gather(stalled, *asks)
        rows = await s.rows(
            "toy", "SELECT count(DISTINCT xact) FROM journal WHERE what = 'note'"
        )
        assert rows == [{"count": 1}]
