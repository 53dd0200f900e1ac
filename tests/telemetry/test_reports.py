"""Bugs are reported once, with their ids and nothing of a person."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from bus.kit import logs, reports
from bus.kit.context import CURRENT, Context
from bus.kit.discreet import discreet
from bus.kit.refusals import Failed
from bus.kit.settings import Settings
from tests.kit.faults import names
from tests.kit.toy import Note, Spoil
from tests.telemetry.collectors import Collector, collecting

REQUEST = Context("request-77", f"00-{'7' * 32}-{'8' * 16}-01")


class Reporting:
    """Bugs go to a collector; `flush` waits until they are there."""

    def __init__(self, collector: Collector, client: Any) -> None:
        self.collector = collector
        self._client = client

    async def events(self) -> list[dict[str, Any]]:
        await asyncio.to_thread(self._client.flush, 5.0)
        return self.collector.events()


@pytest.fixture
async def reporting(tmp_path: Path) -> AsyncIterator[Reporting]:
    async with collecting("/api/1/envelope/") as collector:
        dsn = collector.url.replace("http://", "http://key@") + "/1"
        settings = Settings(data_dir=tmp_path, sentry_dsn=dsn)
        logs.configure(settings, "test")
        client = reports.turn_on(settings, "test/0", "0.1.0")
        try:
            yield Reporting(collector, client)
        finally:
            reports.turn_off()
            await asyncio.to_thread(client.close, 2.0)
            structlog.reset_defaults()


async def test_a_handlers_bug_is_reported_once_with_its_ids(toys, reporting) -> None:
    async with toys() as s:
        one = names(0)[0]
        for shard in s.transport.shards.values():
            shard.log = shard.batches._log = logs.get("toy")
        CURRENT.set(REQUEST)
        ends = await asyncio.gather(
            s.ask(Note(name=one)), s.ask(Spoil(name=one)), return_exceptions=True
        )
        assert isinstance(ends[1], Failed)
    (event,) = await reporting.events()
    error = event["exception"]["values"][-1]
    assert error["type"] == "ZeroDivisionError"
    assert event["tags"]["request_id"] == "request-77"
    assert event["tags"]["trace_id"] == "7" * 32
    assert event["tags"]["domain"] == "toy"
    assert event["tags"]["message_type"] == "toy.spoil"
    assert event["release"] == "souk@0.1.0"


def fail(words: str) -> None:
    raise ValueError(words)


async def test_a_report_says_nothing_of_a_person(reporting, tmp_path) -> None:
    secret = "ada@example.com"
    token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2ln"
    said = f"Key (email)=({secret}) of Bearer {token} +44 20 7946 0958\n"
    said += "DETAIL:  Failing row contains (Ada Lovelace)."
    try:
        fail(said)
    except ValueError:
        logs.get("users").exception("broke", email=secret, token=token)
    (event,) = await reporting.events()
    written = (tmp_path / "logs/test.log").read_text().splitlines()
    (line,) = [line for line in written if "broke" in line]
    for text in (json.dumps(event), line):
        for word in (secret, "Lovelace", token, "7946"):
            assert word not in text
    for frame in event["exception"]["values"][0]["stacktrace"]["frames"]:
        assert "vars" not in frame
    assert not {"request", "user", "breadcrumbs", "extra", "modules"} & set(event)
    assert json.loads(line)["error.type"] == "ValueError"


async def test_what_is_no_bug_is_not_reported(reporting) -> None:
    logs.get("orders").warning("odd", exc_info=ValueError("x"))
    logs.get("orders").error("refused", error="x")
    assert await reporting.events() == []


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("of a.b+c@shop.example.com!", "of [hidden]!"),
        ("card 4242 4242 4242 4242.", "card [hidden]."),
        ("postgresql://souk:word@127.0.0.1/x", "postgresql://[hidden]@127.0.0.1/x"),
        ("sk_live_abcdef123", "[hidden]"),
        ("order 01a20c99-a2da-7f38-965d-71d906e02ec5", None),
        ("57 of 100 rows in 2026", None),
    ],
)
def test_words_of_an_exception_are_discreet(said: str, left: str | None) -> None:
    assert discreet(said) == (said if left is None else left)
