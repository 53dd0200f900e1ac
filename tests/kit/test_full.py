"""Queues of the kit, each filled past its bound while nobody takes from it."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from actors.kit import reception, tickets
from actors.kit.tickets import Tickets
from bus.kit import consumer, streams
from bus.kit.refusals import Unavailable
from tests.kit.faults import caller, journal, names, until
from tests.kit.test_consumers import bridged, echoed, js, quick, tell
from tests.kit.toy import BEGUN, Look, Nap, Note, Peek, Stall, close_gate
from tests.kit.toy_domain import Echo

__all__ = ["js", "quick"]


async def ends(asks: list[Any]) -> tuple[int, int]:
    """How many were answered, and how many were told to come again."""
    done = await asyncio.gather(*asks, return_exceptions=True)
    assert all(not isinstance(e, Exception) or isinstance(e, Unavailable) for e in done)
    refused = sum(isinstance(end, Unavailable) for end in done)
    return len(done) - refused, refused


async def test_past_its_inbox_a_shard_refuses_and_does_what_it_took(
    toys, monkeypatch
) -> None:
    """Guards reception.py: `self._shard.waiting >= INBOX_MAX`."""
    monkeypatch.setattr(reception, "INBOX_MAX", 5)
    async with toys(shards=1) as s:
        name = names(0)[0]
        gate = close_gate(f"stall:{name}")
        stalled = asyncio.ensure_future(s.ask(Stall(name=name)))
        await until(lambda: f"stall:{name}" in BEGUN)
        asks = [asyncio.ensure_future(caller(s)(Note(name=name))) for _ in range(12)]
        await until(lambda: sum(ask.done() for ask in asks) == 7)
        assert s.shard("toy", 0).waiting == 5
        gate.set()
        await stalled
        assert await ends(asks) == (5, 7)
        assert len(await journal(s)) == 6
        await s.ask(Note(name=name))
        assert len(await journal(s)) == 7


async def test_past_its_processes_a_shard_begins_no_more(toys, monkeypatch) -> None:
    """Guards reception.py: `len(self._shard.processes.running) >= PROCESSES_MAX`."""
    monkeypatch.setattr(reception, "PROCESSES_MAX", 4)
    async with toys(shards=1) as s:
        name = names(0)[0]
        gate = close_gate(f"nap:{name}")
        asks = [asyncio.ensure_future(s.ask(Nap(name=name))) for _ in range(10)]
        await until(lambda: sum(ask.done() for ask in asks) == 6)
        assert len(s.shard("toy", 0).processes.running) == 4
        await s.ask(Note(name=name))  # a step is not held up
        gate.set()
        assert await ends(asks) == (4, 6)
        await s.ask(Nap(name=name))
        assert s.shard("toy", 0).processes.running == {}


@pytest.mark.parametrize("kind", [Look, Peek])
async def test_past_its_queries_a_shard_reads_no_more(
    toys, monkeypatch, kind: Any
) -> None:
    """Guards reception.py: `self._reading.under_way >= QUERIES_MAX`."""
    monkeypatch.setattr(reception, "QUERIES_MAX", 6)
    async with toys(shards=1) as s:
        name = names(0)[0]
        reading = s.shard("toy", 0).reception._reading
        asks = [s.ask(kind(name=name)) for _ in range(20)]
        assert await ends(asks) == (6, 14)
        assert reading.under_way == 0
        assert (await s.ask(kind(name=name))).total == 0


async def test_answers_that_nobody_takes_go_the_oldest_lane_first(monkeypatch) -> None:
    """Guards tickets.py: `self._answers > ANSWERS_MAX`, and forgets who waited."""
    monkeypatch.setattr(tickets, "ANSWERS_MAX", 10)
    kept = Tickets()
    loop = asyncio.get_running_loop()
    for lane in ("gone", "slow", "quick"):
        for _ in range(4):
            answer = loop.create_future()
            kept.expect(lane, uuid4(), answer)
            answer.set_result(Unavailable("no"))
        await asyncio.sleep(0)
    assert [len(kept.take(lane)) for lane in ("gone", "slow", "quick")] == [0, 4, 4]
    assert kept._answers == 0
    assert await kept.wait("quick", 0.01) == []
    assert kept._waiting == {}


@pytest.mark.full
async def test_a_consumer_takes_no_more_than_it_can_have_under_way(
    toys, nats_server, js, monkeypatch
) -> None:
    """Guards consumer.py: `await self._room.acquire()`, `max_ack_pending`."""
    monkeypatch.setattr(consumer, "UNDER_WAY_MAX", 3)
    async with toys("echo") as s:
        entities = names(0, 8)
        gone = s.kill("echo", 0), s.kill("echo", 1)
        await asyncio.gather(*gone)  # nobody handles anything
        async with bridged(s, nats_server) as bridge:
            for entity in entities:
                await tell(s, entity, "1")
            (pulling,) = bridge.consumers
            await until(lambda: pulling.under_way == 3)
            await asyncio.sleep(0.3)
            assert pulling.under_way == 3
            info = await js.consumer_info(streams.EVENTS, "echo")
            assert info.num_ack_pending == 3
            for shard in (0, 1):
                await s.restart("echo", shard)
            assert sorted(await echoed(s, 8)) == ["1 1"] * 8


@pytest.mark.full
async def test_past_its_dead_letters_events_wait_and_none_is_lost(
    toys, nats_server, js, monkeypatch
) -> None:
    """Guards streams.py: `max_msgs=DEAD_LETTERS_MAX`, `DiscardPolicy.NEW`."""
    monkeypatch.setattr(streams, "DEAD_LETTERS_MAX", 2)
    monkeypatch.setattr(consumer, "RETRY_SECONDS", 0.05)
    Echo.failing = {"bad"}
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        one, two, three = names(0, 3)
        for entity in (one, two):
            await tell(s, entity, "bad")
        await until(lambda: bridge._dead.parked_total == 2)
        await tell(s, three, "bad", "after")
        await asyncio.sleep(0.5)
        assert (await js.stream_info(streams.DEAD)).state.messages == 2
        assert bridge._dead.parked_total == 2
        Echo.failing = set()
        assert await bridge.replay_dead("echo") == 2
        await until(lambda: bridge._dead.parked_total == 4)
        assert await bridge.replay_dead("echo") == 2
        assert sorted(await echoed(s, 4)) == ["after 2", *["bad 1"] * 3]


async def test_dead_letters_of_an_older_version_are_bounded_and_kept(
    nats_server, js, monkeypatch
) -> None:
    """Guards streams.py: `held = max(config.max_msgs, info.state.messages)`."""
    monkeypatch.setattr(streams, "DEAD_LETTERS_MAX", 2)
    await js.add_stream(name=streams.DEAD, subjects=["dead.>"])
    for number in range(3):
        await js.publish(f"dead.echo.{number}", b"x")
    await streams.ensure_streams(js, 1)
    await streams.ensure_streams(js, 1)
    info = await js.stream_info(streams.DEAD)
    assert (info.state.messages, info.config.max_msgs) == (3, 3)
    assert info.config.discard == "new"
