"""Spans of many traces in one batch, over a crash, and with no collector there."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bus.kit import traces
from bus.kit.addressing import new_id
from bus.kit.context import CURRENT, Context
from tests.conftest import free_port
from tests.kit.faults import caller, names, until
from tests.kit.toy import BEGUN, Note, Remind, RunErrand, Tell, close_gate
from tests.telemetry.collectors import attributes, collecting, traced


def trace(number: int) -> str:
    """A sampled trace."""
    return f"00-{number:032x}-{number:016x}-01"


async def test_a_batch_of_many_traces_links_to_all_of_them(toys) -> None:
    async with collecting("/v1/traces") as collector, traced(collector.url) as tracing:
        async with toys() as s:
            one = names(0)[0]

            async def note(number: int) -> None:
                CURRENT.set(Context(traceparent=trace(number)))
                await s.ask(Note(name=one))

            await asyncio.gather(*(note(number) for number in range(1, 6)))
        await asyncio.to_thread(tracing.flush)
        spans = collector.spans()
        steps = [one for one in spans if one.name == "toy.note" and one.kind == 2]
        assert {one.trace_id.hex() for one in steps} == {
            f"{n:032x}" for n in range(1, 6)
        }
        (batch,) = [one for one in spans if one.name == "transaction"]
        assert attributes(batch)["souk.batch.size"] == 5
        assert batch.parent_span_id in {one.span_id for one in steps}
        assert {link.span_id for link in batch.links} == {
            one.span_id for one in steps if one.span_id != batch.parent_span_id
        }
        for step in steps:
            if step.span_id != batch.parent_span_id:
                assert [link.span_id for link in step.links] == [batch.span_id]
        statements = [one for one in spans if "db.query.text" in attributes(one)]
        assert {one.parent_span_id for one in statements} == {batch.span_id}
        assert one not in repr([attributes(each) for each in statements])


async def test_what_a_crash_left_keeps_its_trace(toys) -> None:
    async with toys() as s:
        name = names(0)[0]
        held = close_gate("errand:1")
        CURRENT.set(Context("request-9", trace(9)))
        asking = asyncio.ensure_future(
            s.ask(RunErrand(name=name, id=new_id(name)), timeout_seconds=0.1)
        )
        await until(lambda: "errand:1" in BEGUN)
        await s.kill("toy", 0)
        CURRENT.set(Context())
        await asyncio.gather(asking, return_exceptions=True)
        await s.restart("toy", 0)
        (run,) = s.shard("toy", 0).processes.running.values()
        assert (run.meta.request_id, run.meta.traceparent) == ("request-9", trace(9))
        held.set()
        await until(lambda: not s.shard("toy", 0).processes.running)


async def test_what_was_left_for_later_keeps_its_trace(toys) -> None:
    async with toys() as s:
        name = names(0)[0]
        CURRENT.set(Context("request-8", trace(8)))
        await s.ask(Remind(name=name, what="later", seconds=3_600))
        CURRENT.set(Context())
        shard = s.shard("toy", 0)
        slots = list(shard.batches.epochs)
        from persistence.kit import due

        async with shard.database.read() as db:
            (row,) = await due.left(db.connection, slots, ["toy.ring"], 9)
        assert row.context == Context("request-8", trace(8))
        assert row.message.what == "later"


@pytest.mark.parametrize("away", [True, False], ids=["dead", "slow"])
async def test_a_collector_that_is_dead_or_slow_holds_nobody_up(toys, away) -> None:
    async with collecting("/v1/traces") as collector:
        collector.slow_seconds = 60.0
        url = f"http://127.0.0.1:{free_port()}" if away else collector.url
        async with traced(url) as tracing, toys() as s:
            one = names(0)[0]
            ask = caller(s)
            CURRENT.set(Context(traceparent=trace(3)))
            began_at = time.monotonic()
            for _ in range(3):
                await asyncio.gather(*(ask(Note(name=one)) for _ in range(200)))
            assert time.monotonic() - began_at < 20
            tracing._provider.shutdown = lambda: None  # do not wait for it here


def test_what_is_not_configured_is_not_imported(tmp_path: Path) -> None:
    """And a span that nobody makes costs next to nothing."""
    program = """
import sys
from bus.kit import telemetry, traces
from bus.kit.settings import Settings
telemetry.start(Settings(), "test")
with traces.span("x") as span:
    assert span is traces.NO_SPAN and span.traceparent is None
import actors.kit.asker, serve_app.kit.edge
large = ("opentelemetry.sdk", "opentelemetry.exporter", "sentry_sdk", "bus.kit.otlp")
print([name for name in sys.modules if name.startswith(large)])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "SOUK_DATA_DIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    began_at = time.perf_counter()
    for _ in range(100_000):
        with traces.span("x"):
            pass
    assert (time.perf_counter() - began_at) / 100_000 < 5e-6


async def test_the_ratio_is_of_those_that_bring_no_decision() -> None:
    async with collecting("/v1/traces") as collector:
        async with traced(collector.url, trace_ratio=0.0):
            assert not traces.is_sampled(traces.begin("x", root=True).traceparent)
            assert traces.begin("nobody asked") is traces.NO_SPAN
            child = traces.begin("y", parent=trace(5))
            assert traces.is_sampled(child.traceparent)
            child.end()
        assert [one.name for one in collector.spans()] == ["y"]


async def test_events_bear_the_trace_of_the_step_that_told_them(toys) -> None:
    async with collecting("/v1/traces") as collector, traced(collector.url) as tracing:
        async with toys() as s:
            name = names(0)[0]
            CURRENT.set(Context(traceparent=trace(7)))
            await s.ask(Tell(name=name, subjects=(name,), what="x"))
            (event,) = await s.events("toy")
        await asyncio.to_thread(tracing.flush)
        (step,) = [o for o in collector.spans() if o.name == "toy.tell" and o.kind == 2]
        sent = f"00-{step.trace_id.hex()}-{step.span_id.hex()}-01"
        assert event["traceparent"] == sent
