"""Events delivered again from a position, and after the databases went back in time."""

from datetime import UTC, datetime
from typing import Any

import pytest
import structlog

from actors.kit import relay
from bus.kit import cloud_events, consumer, streams
from bus.kit.streams import Position
from tests.kit.faults import journal, names, until
from tests.kit.local import Databases
from tests.kit.test_consumers import bridged, echoed, js, tell

__all__ = ["js"]

LOG = structlog.get_logger("test")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.3)
    monkeypatch.setattr(cloud_events, "ASK_SECONDS", 0.2)


async def test_a_consumer_begins_again_where_it_is_told_and_nothing_acts_twice(
    toys: Any, nats_server: Any, js: Any
) -> None:
    """Guards consumer.py: `replay`; streams.py: a known consumer keeps its place."""
    async with toys("echo") as s:
        name = names(0)[0]
        async with bridged(s, nats_server) as bridge:
            await tell(s, name, "1", "2", "3")
            await echoed(s, 3)
            assert await bridge.replay("echo", Position(sequence=2)) == 2
            pulled = bridge.consumers[0]
            await until(lambda: pulled.delivered_total == 5)
            since = datetime.now(UTC)
            await tell(s, name, "4")
            await until(lambda: pulled.delivered_total == 6)
            assert await bridge.replay("echo", Position(since=since)) == 1
            await until(lambda: pulled.delivered_total == 7)
            assert await bridge.replay("nobody", Position(sequence=1)) is None
        async with bridged(s, nats_server):  # the consumer of before is found
            info = await js.consumer_info(streams.EVENTS, "echo")
            assert info.config.opt_start_time is not None
            await tell(s, name, "5")
            assert await echoed(s, 5) == ["1 1", "2 2", "3 3", "4 4", "5 5"]


async def test_an_effect_that_was_lost_comes_back_by_a_replay(
    toys: Any, nats_server: Any, js: Any
) -> None:
    """What has no handled row acts; what has one does not."""
    async with toys("echo") as s, bridged(s, nats_server) as bridge:
        name = names(0)[0]
        await tell(s, name, "1", "2")
        await echoed(s, 2)
        lost = (await s.events("toy"))[1]["id"]
        for shard in (0, 1):  # their memory knows what they have handled
            await s.kill("echo", shard)
        await s.rows("echo", "DELETE FROM handled WHERE command_id = $1::uuid", lost)
        await s.rows("echo", "DELETE FROM journal WHERE what = '2 2'")
        for shard in (0, 1):
            await s.restart("echo", shard)
        await bridge.replay("echo", Position(sequence=1))
        assert await echoed(s, 2) == ["1 1", "2 2"]


async def test_databases_that_went_back_get_a_stream_without_another_future(
    toys: Any, nats_server: Any, js: Any, toy_databases: Databases
) -> None:
    """Guards streams.py: `forget`; relay.py: `look = True`, before anything is sent.

    The stream is longer than the databases know, and the consumer is past what its
    database has not handled yet.
    """
    async with toys("echo") as s:
        name = names(0)[0]
        async with bridged(s, nats_server):
            await tell(s, name, "1")
            await echoed(s, 1)
            for shard in (0, 1):
                await s.kill("echo", shard)
            await tell(s, name, "2")  # published, and not handled yet
            await until(lambda: s.shard("toy", 0).relay.backlog == 0)
            await until(lambda: not s.shard("toy", 0).batches.marks, 3)
            for shard in (0, 1):
                await s.kill("toy", shard)
            await s.leave()  # a copy needs its database alone
            copies = {one: await _copied(toy_databases, s.urls[one]) for one in s.urls}
            await _start(s)
            await tell(s, name, "a future that is lost")
            assert (await echoed(s, 3))[-1] == "a future that is lost 3"
            for domain in s.urls:
                for shard in (0, 1):
                    await s.kill(domain, shard)
        before, s.urls = s.urls, copies

        await streams.forget(nats_server.url(), streams.EVENTS, streams.DEAD, log=LOG)

        await _start(s, publishing=False)
        async with bridged(s, nats_server):
            await tell(s, name, "3")
            assert await echoed(s, 3) == ["1 1", "2 2", "3 3"]
            assert (await js.stream_info(streams.EVENTS)).state.messages == 3
            assert await journal(s, "echo") == [
                (name, f"{number} {number}") for number in (1, 2, 3)
            ]
        for url in before.values():
            await toy_databases.drop(url)


async def _start(s: Any, *, publishing: bool = True) -> None:
    s.bus_down = not publishing
    for domain in s.urls:
        for shard in (0, 1):
            await s.restart(domain, shard)


async def _copied(databases: Databases, url: str) -> str:
    """A copy of a database that nobody is connected to: its backup."""
    name = url.rsplit("/", 1)[1]
    await databases._run(
        f"CREATE DATABASE {name}_kept TEMPLATE {name} STRATEGY file_copy"
    )
    return f"{url}_kept"
