"""Bridge, consumers and dead letters, on a real NATS."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import nats
import pytest
import structlog

from actors.kit import lane, relay
from actors.kit.relay import Published
from bus.kit import bridge as bridges
from bus.kit import cloud_events, consumer, streams
from bus.kit.bridge import Bridge
from tests.kit.faults import caller, journal, names, until
from tests.kit.toy import BEGUN, Tell, Told, close_gate
from tests.kit.toy_domain import Echo


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.3)


@pytest.fixture
async def js(nats_server) -> AsyncIterator[Any]:
    """JetStream without any stream."""
    client = await nats.connect(nats_server.url())
    context = client.jetstream()
    for name in (streams.EVENTS, streams.DEAD):
        await _drop(context, name)
    yield context
    await client.close()


async def _drop(js, name: str) -> None:
    try:
        await js.delete_stream(name)
    except nats.js.errors.NotFoundError:
        return


@asynccontextmanager
async def bridged(s, server, *, consumes: bool = True) -> AsyncIterator[Bridge]:
    """A bridge between the shop and NATS."""
    bridge = Bridge(
        server.url(),
        caller(s),
        name="bridge/0",
        consumers={"echo": [Told]} if consumes else {},
        services={},
        log=structlog.get_logger("bridge"),
    )

    async def publish(rows) -> Published:
        return Published(*await bridge.publish(rows))

    await bridge.start()
    s.publish = publish
    try:
        yield bridge
    finally:
        s.publish = None
        s.bus_down = True
        await bridge.stop()


async def tell(s, name: str, *told: str) -> None:
    """Events of the entity `name`."""
    for word in told:
        await s.ask(Tell(name=name, subjects=(name,), what=word))


async def echoed(s, count: int, entity: str | None = None) -> list[str]:
    """What echo wrote of an entity, once it has written so many rows in all."""

    async def there() -> bool:
        return len(await journal(s, "echo")) >= count

    await until(there)
    await asyncio.sleep(0.1)
    return [what for who, what in await journal(s, "echo") if entity in (None, who)]


async def test_an_entity_has_one_event_under_way_and_others_pass_it(
    toys, nats_server, js
) -> None:
    """A shard runs an entity's events in their order, and the others beside them."""
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        one, two = names(0)[0], names(1)[0]
        gate = close_gate("echo:1")
        await tell(s, one, "1", "2", "3")
        await tell(s, two, "a", "b", "c")
        assert await echoed(s, 3) == ["a 1", "b 2", "c 3"]
        assert BEGUN.count("echo:1") == 1
        assert "echo:2" not in BEGUN
        assert bridge.consumers[0].under_way == 1
        gate.set()
        assert await echoed(s, 6, one) == ["1 1", "2 2", "3 3"]


async def test_what_fails_at_first_still_acts_before_what_comes_later(
    toys, nats_server, js, monkeypatch
) -> None:
    """Guards consumer.py: `while before is not None …` in `_handle`."""
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", 0.2)
    Echo.failing = {"1"}
    async with toys("echo") as s, bridged(s, nats_server):
        one, two = names(0)[0], names(1)[0]
        await tell(s, one, "1", "2", "3")
        await tell(s, two, "a")
        assert await echoed(s, 1) == ["a 1"]
        assert BEGUN.count("echo:1") < consumer.TRIES_MAX
        Echo.failing = set()
        assert await echoed(s, 4, one) == ["1 1", "2 2", "3 3"]


async def test_what_is_delivered_again_acts_once(toys, nats_server, js) -> None:
    """Guards reception.py: `remembered = isinstance(message, Event) or (`."""
    async with toys("echo") as s:
        name = names(0)[0]
        async with bridged(s, nats_server):
            await tell(s, name, "1", "2")
            await echoed(s, 2)
            await js.delete_consumer(streams.EVENTS, "echo")
        await s.kill("echo", 0)
        await s.restart("echo", 0)
        async with bridged(s, nats_server) as bridge:
            await until(lambda: bridge.consumers[0].delivered_total == 2)
            await tell(s, name, "3")
            assert await echoed(s, 3) == ["1 1", "2 2", "3 3"]


async def test_a_domain_that_is_away_gets_its_events_later(
    toys, nats_server, js, monkeypatch
) -> None:
    """Guards consumer.py: `except (Unavailable, Unknown) as end` in `_deliver`."""
    monkeypatch.setattr(cloud_events, "ASK_SECONDS", 0.05)
    monkeypatch.setattr(lane, "GRACE_SECONDS", 0.05)
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        for shard in (0, 1):
            await s.kill("echo", shard)
        one, two = names(0)[0], names(1)[0]
        await tell(s, one, "1", "2")
        await tell(s, two, "a")
        await asyncio.sleep(2.0)
        for shard in (0, 1):
            await s.restart("echo", shard)
        assert await echoed(s, 3, one) == ["1 1", "2 2"]
        assert bridge._dead.parked_total == 0


async def test_what_fails_again_and_again_is_parked_with_its_later_events(
    toys, nats_server, js
) -> None:
    """Guards consumer.py: `failures >= TRIES_MAX`; dead_letters.py: `holds`, `load`.

    A bridge that is started anew knows what is parked; a replay is in order.
    """
    Echo.failing = {"bad"}
    async with toys("echo") as s:
        one, two = names(0)[0], names(1)[0]
        async with bridged(s, nats_server) as bridge:
            await tell(s, one, "1", "bad", "3")
            await tell(s, two, "a", "b")
            assert await echoed(s, 3, two) == ["a 1", "b 2"]
            await until(lambda: bridge._dead.parked_total == 2)
        async with bridged(s, nats_server) as bridge:
            await tell(s, one, "4")
            await tell(s, two, "c")
            await until(lambda: bridge._dead.parked_total == 1)
            assert await echoed(s, 4, one) == ["1 1"]
            assert await bridge.replay_dead("echo") == 0
            Echo.failing = set()
            await tell(s, one, "5")
            await until(lambda: bridge._dead.parked_total == 2)
            assert await bridge.replay_dead("echo", one) == 4
            wanted = ["1 1", "bad 2", "3 3", "4 4", "5 5"]
            assert await echoed(s, 8, one) == wanted
            await tell(s, one, "6")
            assert await echoed(s, 9, one) == [*wanted, "6 6"]
            assert await bridge.replay_dead("echo") == 0


async def test_a_replay_stops_an_entity_at_its_first_failure(
    toys, nats_server, js
) -> None:
    """Guards dead_letters.py: `stuck.add(subject)`."""
    Echo.failing = {"bad"}
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        one, two = names(0)[0], names(1)[0]
        await tell(s, one, "bad", "2")
        await tell(s, two, "bad", "b")
        await until(lambda: bridge._dead.parked_total == 4)
        assert await bridge.replay_dead("echo") == 0
        assert await journal(s, "echo") == []
        Echo.failing = set()
        assert await bridge.replay_dead("echo", two) == 2
        assert await echoed(s, 2) == ["bad 1", "b 2"]
        await tell(s, one, "3")
        await until(lambda: bridge._dead.parked_total == 5)


async def test_what_nobody_can_read_does_not_stop_the_consumer(
    toys, nats_server, js
) -> None:
    """Guards consumer.py: `await self._park(message, "unreadable", repr(error))`."""
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        await js.publish("events.toy.told", b"no document")
        await tell(s, names(0)[0], "1")
        assert await echoed(s, 1) == ["1 1"]
        assert bridge._dead.parked_total == 1
        assert await bridge.replay_dead("echo") == 0


@pytest.mark.parametrize("first", [["1"], ["1", "2"]], ids=["one", "a batch"])
async def test_the_events_of_an_hour_without_nats_arrive_each_once(
    toys, nats_server, js, first
) -> None:
    """Guards bridge.py and ingest.py: `headers={"Nats-Msg-Id": str(row.id)}`.

    What a crash publishes twice stands in the stream once.
    """
    told = [f"{word} {place}" for place, word in enumerate([*first, "3"], 1)]
    async with toys("echo") as s:
        name = names(0)[0]
        s.bus_down = True
        await tell(s, name, *first)
        async with bridged(s, nats_server, consumes=False):
            await until(lambda: s.shard("toy", 0).relay.backlog == 0)
            await s.kill("toy", 0)
            await s.rows("toy", "UPDATE slots SET published = 0 RETURNING slot")
            await s.restart("toy", 0)
            await until(lambda: s.shard("toy", 0).relay.backlog == 0)
            await tell(s, name, "3")
            await until(lambda: s.shard("toy", 0).relay.backlog == 0)
            info = await js.stream_info(streams.EVENTS)
            assert info.state.messages == len(told)
        async with bridged(s, nats_server):
            assert await echoed(s, len(told)) == told


async def test_one_that_is_too_large_stops_its_own_slot_alone(
    toys, nats_server, js, monkeypatch
) -> None:
    """Guards bridge.py: `return row.slot, done, repr(error)` in `_publish_slot`."""
    async with toys("echo") as s, bridged(s, nats_server):
        one, two = names(0, 2)
        await tell(s, one, "1", "x" * (1 << 20), "3")
        await tell(s, two, "a", "b")
        assert await echoed(s, 3, two) == ["a 1", "b 2"]
        assert await echoed(s, 3, one) == ["1 1"]
        assert s.shard("toy", 0).relay.backlog == 2


@pytest.mark.parametrize("consumes", [True, False], ids=["consuming", "publishing"])
async def test_a_lost_stream_gets_everything_again(
    toys, nats_server, js, monkeypatch, consumes
) -> None:
    """Guards bridge.py: `ensure=self._look_at_stream`, `or time.monotonic() > …`.

    Whoever makes the stream anew, the relays hear of it.
    """
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.2)
    monkeypatch.setattr(bridges, "LOOK_SECONDS", 0.2)
    async with toys("echo") as s, bridged(s, nats_server, consumes=consumes):
        one, two = names(0)[0], names(1)[0]
        for name in (one, two):
            await tell(s, name, "1", "2")
        await until(lambda: _backlog(s) == 0)
        if consumes:
            await echoed(s, 4)
        await js.delete_stream(streams.EVENTS)

        async def again() -> bool:
            try:
                info = await js.stream_info(streams.EVENTS)
            except nats.js.errors.NotFoundError:
                return False
            return bool(info.state.messages == 4)

        await until(again)
        await tell(s, one, "3")
        await until(lambda: _backlog(s) == 0)
        if consumes:
            assert await echoed(s, 5, one) == ["1 1", "2 2", "3 3"]
            assert await echoed(s, 5, two) == ["1 1", "2 2"]


def _backlog(s) -> int:
    return sum(s.shard("toy", shard).relay.backlog for shard in (0, 1))


async def test_a_stream_that_was_lost_has_each_entitys_events_in_their_order_again(
    toys, nats_server, js
) -> None:
    """Guards bridge.py: `self._told.clear()`; relay.py: `look = True` after a failure.

    Whoever publishes next makes the stream anew, and the other shard did not see it.
    """
    async with toys() as s, bridged(s, nats_server, consumes=False) as bridge:
        one, two = names(0)[0], names(1)[0]
        for name in (one, two):
            await tell(s, name, "1", "2")
        await until(lambda: bridge.published_total == 4)
        await _drop(js, streams.EVENTS)

        await tell(s, one, "3")
        await until(lambda: bridge.published_total == 7)
        await tell(s, two, "3")
        await until(lambda: bridge.published_total == 10)

        said = [await js.get_msg(streams.EVENTS, seq=place) for place in range(1, 7)]
        told = [json.loads(message.data) for message in said]
        assert [(each["subject"], each["sequence"]) for each in told] == [
            *((one, number) for number in "123"),
            *((two, number) for number in "123"),
        ]
