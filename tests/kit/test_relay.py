"""The relay: from the outbox to the stream, in order, without loss."""

import asyncio
from collections import defaultdict

import pytest

from actors.kit import relay
from actors.kit.relay import Published
from tests.kit.faults import Doom, caller, check_outbox, journal, names, until
from tests.kit.toy import Note, Tell


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    monkeypatch.setattr(relay, "RETRY_SECONDS", 0.02)


async def tell(s, name: str, *words: str) -> None:
    for word in words:
        await s.ask(Tell(name=name, subjects=(name,), what=word))


def words(s, name: str) -> list[str]:
    return [e["data"]["what"] for e in s.published if e["subject"] == name]


class Picky:
    """A bridge that publishes nothing of some slots from some number on."""

    def __init__(self, s) -> None:
        self.stops: dict[int, int] = {}
        self.seen: dict[int, list[int]] = defaultdict(list)
        self.calls = 0
        # The stream that a shop of tests has, at which its shards look first of all.
        self.created, self.sequence = "the only one", 0
        s.publish = self.publish

    async def publish(self, rows) -> Published:
        self.calls += 1
        upto: dict[int, int] = {}
        failed: set[int] = set()
        for row in rows:
            if row.n >= self.stops.get(row.slot, row.n + 1):
                failed.add(row.slot)
            if row.slot not in failed:
                upto[row.slot] = row.n
                self.seen[row.slot].append(row.n)
                self.sequence += 1
        why = "it will not" if failed else ""
        return Published(upto, self.created, self.sequence, why)


async def test_the_first_failure_of_a_slot_stops_that_slot_alone(toys) -> None:
    """Guards relay.py: `self._sent[slot] = marks[slot] = n` in `_send`."""
    async with toys() as s:
        one, two = names(0, 2)
        there = names(1)[0]
        bridge = Picky(s)
        await tell(s, one, "1")
        slot = s.shard("toy", 0).relay._last.keys() and next(
            row["slot"] for row in await s.rows("toy", "SELECT slot FROM outbox")
        )
        bridge.stops[slot] = 3
        for name in (one, two, there):
            await tell(s, name, "2", "3", "4", "5")
        await until(lambda: sum(map(len, bridge.seen.values())) == 2 + 4 + 4)
        assert bridge.seen[slot] == [1, 2]
        bridge.stops.clear()
        await until(lambda: bridge.seen[slot] == [1, 2, 3, 4, 5])
        assert all(seen == sorted(set(seen)) for seen in bridge.seen.values())


async def test_a_long_stuck_slot_leaves_room_for_the_others(toys, monkeypatch) -> None:
    """Guards relay.py: `PUBLISH_ROWS_MAX // max(1, len(behind))`."""
    monkeypatch.setattr(relay, "PUBLISH_ROWS_MAX", 10)
    async with toys(shards=1) as s:
        one, two = names(0, 2, 1)
        bridge = Picky(s)
        bridge.stops = dict.fromkeys(range(64), 1)
        await s.ask(Tell(name=one, subjects=("a",) * 50))
        stuck = (await s.rows("toy", "SELECT DISTINCT slot FROM outbox"))[0]["slot"]
        bridge.stops = {stuck: 1}
        await s.ask(Tell(name=two, subjects=("b",) * 25))
        await until(lambda: sum(map(len, bridge.seen.values())) == 25, 3)


async def test_a_backlog_is_read_back_and_published_without_a_rest(
    toys, monkeypatch
) -> None:
    """Guards relay.py: `and self.backlog < PUBLISH_ROWS_MAX` in `_gather`."""
    monkeypatch.setattr(relay, "PUBLISH_ROWS_MAX", 10)
    monkeypatch.setattr(relay, "RELAY_ROWS_MAX", 5)
    monkeypatch.setattr(relay, "GATHER_TIMES", 1e9)
    monkeypatch.setattr(relay, "GATHER_SECONDS_MAX", 60.0)
    async with toys(shards=1) as s:
        one, two = names(0, 2, 1)
        s.bus_down = True
        for name in (one, two):
            await s.ask(Tell(name=name, subjects=(name,) * 20))
        bridge = Picky(s)
        s.bus_down = False
        await until(lambda: sum(map(len, bridge.seen.values())) == 40, 3)
        assert sorted(bridge.seen.values()) == [list(range(1, 21))] * 2


async def test_a_stopped_bridge_loses_nothing_and_holds_nobody_up(toys) -> None:
    """Guards relay.py: `except (*CONNECTION_LOST, ConnectionError)` in `run`."""
    async with toys() as s:
        here, there = names(0)[0], names(1)[0]
        s.bus_down = True
        async with asyncio.timeout(6):
            await tell(s, here, "1", "2")
            await tell(s, there, "1", "2")
        assert s.shard("toy", 0).relay.backlog == 2
        await asyncio.sleep(2.5)  # nothing new comes that could wake it
        assert s.published == []
        s.bus_down = False
        await until(lambda: len(s.published) == 4)
        assert words(s, here) == words(s, there) == ["1", "2"]
        assert s.shard("toy", 0).relay.backlog == 0


async def test_past_its_bound_memory_is_read_back_in_order(toys, monkeypatch) -> None:
    """Guards relay.py: `self._rows < RELAY_ROWS_MAX` in `offer`."""
    monkeypatch.setattr(relay, "RELAY_ROWS_MAX", 5)
    async with toys() as s:
        wanted = names(0, 3)
        s.bus_down = True
        told = [f"{number}" for number in range(8)]
        for word in told:
            await asyncio.gather(*(tell(s, name, word) for name in wanted))
        mine = s.shard("toy", 0).relay
        assert mine._rows == sum(map(len, mine._waiting.values())) <= 5
        s.bus_down = False
        await until(lambda: len(s.published) == 24)
        assert [words(s, name) for name in wanted] == [told] * 3
        assert mine._rows == 0


async def test_a_crash_before_the_watermark_publishes_again_and_acts_once(toys) -> None:
    """Guards outbox.py: `slot, published,` in `tails`; consumers act by its id."""
    async with toys("echo") as s:
        name = names(0)[0]
        await tell(s, name, "1", "2")
        await until(lambda: len(s.published) == 2)
        rows = await s.rows("toy", "SELECT max(published) AS n FROM slots")
        assert rows[0]["n"] in (0, 1)
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        await until(lambda: len(s.published) >= 3)
        await s.deliver()
        assert await journal(s, "echo") == [(name, "1 1"), (name, "2 2")]
        ids = [event["id"] for event in s.published]
        assert len(ids) > len(set(ids)) == 2
        await check_outbox(s)


async def test_what_a_dead_shard_left_goes_out_at_its_next_start(toys) -> None:
    """Guards shard.py: `self.relay.own(tails)`."""
    async with toys() as s:
        name = names(0)[0]
        doom = Doom(s.shard("toy", 0), after=True)
        asking = asyncio.ensure_future(tell(s, name, "1"))
        await doom.reached.wait()
        s.bus_down = True
        await s.kill("toy", 0)
        published = len(s.published)
        s.bus_down = False
        await s.restart("toy", 0)
        await asking
        await until(lambda: len(s.published) > published)
        assert set(words(s, name)) == {"1"}


async def test_the_watermark_rides_in_the_next_batch_or_after_a_second(toys) -> None:
    """Guards batch.py: `await outbox.mark_published(connection, marks)` in `_flush`.

    And `tidy`, for a shard that has nothing more to do. The first one waits for that:
    with it goes of which stream it is.
    """
    async with toys() as s:
        name = names(0)[0]

        async def marked(n: int) -> bool:
            rows = await s.rows("toy", "SELECT max(published) AS n FROM slots")
            return bool(rows[0]["n"] == n)

        await tell(s, name, "1")
        await until(lambda: marked(1), 2.5)
        await tell(s, name, "2")
        await until(lambda: s.shard("toy", 0).batches.marks)
        await s.ask(Note(name=name))
        rows = await s.rows(
            "toy",
            """SELECT slots.published FROM slots JOIN journal ON slots.xmin::text
                 = (journal.xact::text::numeric % 4294967296)::text""",
        )
        assert rows == [{"published": 2}]
        await tell(s, name, "3")
        await until(lambda: marked(3), 2.5)


async def test_a_watermark_waits_until_it_is_written_of_which_stream_it_is(
    toys,
) -> None:
    """Guards marks.py: `self._batches.marks if self._written else self._waiting`.

    Found by the simulation: the first stream was lost, and its shard with it.
    """
    async with toys() as s:
        name = names(0)[0]
        bridge = Picky(s)
        await tell(s, name, "1")
        await until(lambda: s.shard("toy", 0).marks.stream)
        await s.ask(Note(name=name))
        rows = await s.rows("toy", "SELECT max(published) AS n FROM slots")
        assert rows == [{"n": 0}]
        await s.kill("toy", 0)
        bridge.created, bridge.sequence = "two", 0
        bridge.seen.clear()
        await s.restart("toy", 0)
        await until(lambda: sum(map(len, bridge.seen.values())) == 1)


async def test_a_younger_stream_gets_everything_again(toys) -> None:
    """Guards stream.py: `self._shard.relay.rewind(before)`."""
    async with toys() as s:
        wanted = names(0, 3)
        bridge = Picky(s)
        for name in wanted:
            await tell(s, name, "1", "2")
        await until(lambda: sum(map(len, bridge.seen.values())) == 6)
        bridge.created, bridge.sequence = "two", 0
        bridge.seen.clear()
        await tell(s, wanted[0], "3")
        await until(lambda: sum(map(len, bridge.seen.values())) >= 8)
        assert sorted(map(tuple, bridge.seen.values())) == [
            (1, 2),
            (1, 2),
            (3, 1, 2, 3),
        ]


async def test_a_stream_that_lost_its_end_gets_everything_again(
    toys, monkeypatch
) -> None:
    """Guards shard.py: `before[1] <= sequence`; relay.py: `await self._send([])`.

    Nobody tells anything: the idle relay looks by itself.
    """
    monkeypatch.setattr(relay, "LOOK_SECONDS", 0.1)
    async with toys() as s:
        name = names(0)[0]
        bridge = Picky(s)
        await tell(s, name, "1", "2")
        await until(lambda: bridge.sequence == 2)
        await asyncio.sleep(0.2)
        bridge.sequence = 1
        bridge.seen.clear()
        await until(lambda: list(bridge.seen.values()) == [[1, 2]])


async def test_a_crash_amid_a_replay_goes_on_with_it(toys, monkeypatch) -> None:
    """Guards stream.py: `self._shard.marks.published(before)`."""
    async with toys() as s:
        one, two = names(0, 2)
        bridge = Picky(s)
        await tell(s, one, "1", "2")
        await tell(s, two, "1", "2")
        shard = s.shard("toy", 0)
        await until(lambda: shard.batches.marks == {} and shard.marks.stream)
        bridge.created, bridge.sequence = "two", 0
        bridge.seen.clear()
        slots = {row["slot"] for row in await s.rows("toy", "SELECT slot FROM outbox")}
        bridge.stops = dict.fromkeys(slots, 1)
        await tell(s, two, "3")
        late = next(
            row["slot"]
            for row in await s.rows("toy", "SELECT slot FROM outbox WHERE n = 3")
        )
        bridge.stops = dict.fromkeys(slots - {late}, 1)
        await until(lambda: bridge.seen[late][-3:] == [1, 2, 3])

        async def known() -> bool:
            rows = await s.rows("toy", "SELECT created FROM stream WHERE shard = 0")
            return rows == [{"created": "two"}]

        await until(known)
        await s.kill("toy", 0)
        bridge.stops = {}
        await s.restart("toy", 0)
        await until(lambda: all(set(bridge.seen[s]) >= {1, 2} for s in slots), 3)


async def test_two_callers_tell_side_by_side_and_each_entity_keeps_its_order(
    toys,
) -> None:
    """Guards outbox.py: `ORDER BY n` in `unpublished`."""
    async with toys() as s:
        name = names(0)[0]
        s.bus_down = True
        for number in range(10):
            ask = (s.ask, caller(s))[number % 2]
            await ask(Tell(name=name, subjects=(name,), what=f"{number}"))
        await s.kill("toy", 0)
        s.bus_down = False
        await s.restart("toy", 0)
        await until(lambda: len(s.published) == 10)
        assert words(s, name) == [f"{number}" for number in range(10)]


async def test_a_younger_stream_gets_the_rows_before_first(toys) -> None:
    """Guards relay.py: `look = True` after a failure."""
    async with toys() as s:
        one = names(0, 1)[0]
        bridge = Picky(s)
        await tell(s, one, "1", "2")
        await until(lambda: list(bridge.seen.values()) == [[1, 2]])
        (slot,) = bridge.seen
        bridge.stops[slot] = 3  # the stream is gone
        await tell(s, one, "3")
        failures = s.shard("toy", 0).counts.publish_failures
        await until(lambda: failures.value > 0)

        bridge.seen.clear()
        bridge.created, bridge.sequence = "two", 0
        bridge.stops.clear()

        await until(lambda: len(bridge.seen[slot]) >= 3)
        assert bridge.seen == {slot: [1, 2, 3]}
