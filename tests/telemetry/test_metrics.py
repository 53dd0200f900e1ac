"""What shards, lanes, outboxes and databases count, read as Prometheus reads it."""

import asyncio
import sys
from typing import Any

import pytest

from bus.kit import families
from bus.kit.families import FAMILIES
from bus.kit.messages import decode, encode
from bus.kit.metrics import SERIES_MAX, Family, Meters, Sample, exposition
from bus.kit.refusals import Failed, Refusal
from serve_app.kit.measures import COLLECT_SECONDS, Collected, Measures
from tests.kit.faults import names, until
from tests.kit.toy import Balk, Look, Nap, Note, Spoil, Tell, close_gate
from tests.telemetry.scraping import Series, read, value

COUNT = Family(name="souk_odd_total", kind="counter", words="a\\b\nc", labels=("x",))


def scrape(shop: Any) -> Series:
    """All that the shop's shards and their callers tell."""
    samples = [
        sample
        for shard in shop.transport.shards.values()
        for sample in shard.counts.samples()
    ]
    return read(exposition(FAMILIES, [*samples, *shop.asker.samples()]))


async def test_batches_messages_refusals_and_bugs_are_counted(toys) -> None:
    async with toys() as s:
        one = names(0)[0]
        await asyncio.gather(*(s.ask(Note(name=one)) for _ in range(20)))
        await s.ask(Tell(name=one, subjects=(one, "b"), what="x"))
        with pytest.raises(Refusal):
            await s.ask(Balk(name=one))
        spoilt = asyncio.gather(
            s.ask(Spoil(name=one)), s.ask(Note(name=one)), return_exceptions=True
        )
        assert isinstance((await spoilt)[0], Failed)
        await s.ask(Look(name=one))
        shard = s.shard("toy", 0)
        await until(lambda: shard.relay.backlog == 0)
        found = scrape(s)
        mine = {"domain": "toy", "shard": "0"}
        batches = value(found, "souk_batches_total", **mine)
        assert 4 <= batches <= 24
        assert value(found, "souk_batch_messages_count", **mine) == batches
        assert value(found, "souk_batch_messages_sum", **mine) == 24
        assert value(found, "souk_shard_messages_total", **mine) == 25
        note = {"message": "toy.note"} | mine
        assert value(found, "souk_shard_messages_total", **note) == 21
        assert value(found, "souk_shard_refusals_total", **mine, code="balked") == 1
        assert value(found, "souk_shard_failures_total", message="toy.spoil") == 1
        assert value(found, "souk_transaction_seconds_count", **mine) >= 4
        assert value(found, "souk_query_seconds_count", **mine) == 1
        assert value(found, "souk_database_acquire_seconds_count", **mine) >= 1
        assert value(found, "souk_outbox_published_total", **mine) == 2
        assert value(found, "souk_outbox_lag_seconds_count", **mine) == 2
        assert value(found, "souk_outbox_waiting", **mine) == 0
        assert value(found, "souk_shard_slots") == 64
        asked = {"domain": "toy"}
        assert value(found, "souk_asks_total", **asked, end="reply") == 23
        assert value(found, "souk_asks_total", **asked, end="refused") == 1
        assert value(found, "souk_asks_total", **asked, end="failed") == 1
        assert value(found, "souk_ask_seconds_count", **asked) == 25
        lane = {"lane": "commands"} | mine
        assert value(found, "souk_lane_messages_total", **lane) == 24
        assert value(found, "souk_lane_envelopes_total", **lane) < 24
        queries = {"lane": "queries"} | mine
        assert value(found, "souk_lane_messages_total", **queries) == 1


async def test_what_waits_and_what_was_lost_is_told(toys) -> None:
    async with toys() as s:
        one = names(0)[0]
        gate = close_gate(f"nap:{one}")
        s.bus_down = True
        napping = asyncio.ensure_future(s.ask(Nap(name=one)))
        await s.ask(Tell(name=one, subjects=(one,), what="x"))
        shard = s.shard("toy", 0)
        await until(lambda: shard.counts.publish_failures.value > 0)
        found = scrape(s)
        mine = {"domain": "toy", "shard": "0"}
        assert value(found, "souk_outbox_waiting", **mine) == 1
        assert value(found, "souk_shard_processes", **mine) == 1
        assert value(found, "souk_shard_takeovers_total", **mine) == 1
        assert value(found, "souk_shard_fenced_total", **mine) == 0
        await s.kill("toy", 0)
        await s.restart("toy", 0)
        gate.set()
        await napping
        assert value(scrape(s), "souk_lane_resends_total", **mine) >= 1
        newer = s.make("toy", 0)
        await newer._connect()  # it takes over
        await until(lambda: s.shard("toy", 0).left)
        await newer.database.close()
        assert value(scrape(s), "souk_shard_fenced_total", **mine) == 1


def test_labels_are_bounded_and_escaped() -> None:
    meters = Meters(shard="0")
    for number in range(2 * SERIES_MAX):
        meters.counter(COUNT, x=f'"{number}\n').value += 1
    found = read(exposition([COUNT], meters.samples()))
    assert len(found) == SERIES_MAX + 1
    assert value(found, "souk_odd_total", x="other") == SERIES_MAX
    assert sum(found.values()) == 2 * SERIES_MAX


def test_samples_travel_whatever_a_gauge_looks_at() -> None:
    meters = Meters(bridge="0")
    meters.gauge(families.BRIDGE_CONNECTED, lambda: True)
    meters.gauge(families.BRIDGE_PUBLISHED, lambda: 3)
    meters.histogram(families.BRIDGE_PUBLISH_SECONDS).observe(0.2)
    there = decode(list[Sample], encode(meters.samples()))
    found = read(exposition(FAMILIES, there))
    assert value(found, "souk_bridge_connected", bridge="0") == 1
    assert value(found, "souk_bridge_published_total", bridge="0") == 3
    assert value(found, "souk_bridge_publish_seconds_count", bridge="0") == 1


def test_every_family_has_a_name_and_words_as_they_should_be() -> None:
    assert len({one.name for one in FAMILIES}) == len(FAMILIES)
    for one in FAMILIES:
        assert one.name.startswith("souk_")
        assert one.name.endswith("_total") is (one.kind == "counter")
        assert one.words.endswith(".")
        assert bool(one.buckets) is (one.kind == "histogram")
        assert list(one.buckets) == sorted(set(one.buckets))


async def test_the_shards_are_asked_once_for_many_scrapes() -> None:
    asks, now = [], [100.0]

    async def collect() -> list[Sample]:
        asks.append(now[0])
        await asyncio.sleep(0.01)
        return [Sample("souk_shard_up", (("domain", "d"), ("shard", "0")), (0,))]

    collected = Collected(collect, lambda: now[0])
    several = await asyncio.gather(*(collected.samples() for _ in range(9)))
    assert asks == [100.0]
    found = read(Measures("r").text(0, several[0]))
    assert value(found, "souk_shard_up", domain="d", shard="0") == 0
    now[0] += COLLECT_SECONDS
    await collected.samples()
    assert len(asks) == 2


async def test_shards_that_hang_do_not_fail_the_scrape(monkeypatch) -> None:
    from serve_app.kit import measures

    monkeypatch.setattr(measures, "COLLECT_SECONDS_MAX", 0.02)

    async def hang() -> list[Sample]:
        await asyncio.sleep(60)
        return []

    assert await Collected(hang, lambda: 0.0).samples() == ()


async def test_counters_may_be_read_while_they_are_made() -> None:
    """The control group reads in a thread of its own."""
    meters = Meters()
    done = asyncio.Event()

    def look() -> int:
        count = 0
        while not done.is_set():
            count = max(count, len(meters.samples()))
        return count

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        looking = asyncio.create_task(asyncio.to_thread(look))
        for number in range(SERIES_MAX):
            meters.counter(COUNT, x=str(number)).value += 1
            await asyncio.sleep(0)
        done.set()
        assert 0 < await looking <= SERIES_MAX
    finally:
        sys.setswitchinterval(before)
