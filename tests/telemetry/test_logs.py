"""Every line of a log is one document in the Elastic Common Schema."""

import asyncio
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
import structlog

from bus.kit import logs
from bus.kit.context import CURRENT, Context
from bus.kit.request_lines import (
    GATHER_SECONDS,
    GATHERED_MAX,
    LINES,
    RequestLine,
    RequestLines,
)
from bus.kit.settings import Settings

# https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html
OF_THE_SCHEMA = {
    *("@timestamp", "message", "ecs.version"),
    *("log.level", "log.logger"),
    *("service.name",),
    *("process.name", "process.pid"),
    *("event.dataset", "event.duration", "event.outcome"),
    *("http.request.id", "http.request.method", "http.response.status_code"),
    *("url.path", "user.id"),
    *("trace.id", "span.id", "transaction.id"),
    *("error.message", "error.stack_trace", "error.type"),
}
ALWAYS = {
    *("@timestamp", "log.level", "message", "ecs.version", "service.name"),
    *("event.dataset", "log.logger", "process.name", "process.pid"),
}


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Path]:
    LINES.flush()  # those of other tests
    logs.configure(Settings(data_dir=tmp_path), "orders/0")
    yield tmp_path / "logs" / "orders-0.log"
    structlog.reset_defaults()
    for handler in [h for h in logging.getLogger().handlers if logs._is_ours(h)]:
        logging.getLogger().removeHandler(handler)
        handler.close()


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines, each of which is as it should be."""
    found = [json.loads(line) for line in path.read_text().splitlines()]
    for line in found:
        names = {name for name in line if not name.startswith("labels.")}
        assert names <= OF_THE_SCHEMA, names - OF_THE_SCHEMA
        assert names >= ALWAYS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["@timestamp"])
        labels = {name: line[name] for name in line if name not in names}
        for name, value in labels.items():
            assert name.count(".") == 1, name
            assert not isinstance(value, dict), name
    return found


def test_a_line_has_the_schemas_names_and_the_request(configured: Path) -> None:
    CURRENT.set(Context("request-5", f"00-{'a' * 32}-{'b' * 16}-01"))
    log = logs.get("orders")
    log.warning("event-waits", type="orders.order_placed.v1", error="x", **{"a.b": 1})
    log.info("request", **{"http.request.method": "POST", "event.duration": 12})
    logging.getLogger("asyncpg.pool").warning("of a library %s", "itself")
    CURRENT.set(Context())
    first, second, third = lines(configured)
    assert first["http.request.id"] == "request-5"
    assert (first["trace.id"], first["span.id"]) == ("a" * 32, "b" * 16)
    assert first["labels.type"] == "orders.order_placed.v1"
    assert first["labels.a_b"] == 1
    assert first["event.dataset"] == "souk.orders"
    assert (first["log.level"], first["process.name"]) == ("warning", "orders/0")
    assert second["event.duration"] == 12
    assert third["message"] == "of a library itself"
    assert third["event.dataset"] == "souk.asyncpg"


async def test_lines_of_requests_are_gathered_and_then_as_all_others(
    configured: Path,
) -> None:
    gathering = RequestLines()
    person = UUID(int=7)
    for status, user_id in ((201, None), (503, person)):
        gathering.add(
            RequestLine(
                at=1_700_000_000.0,
                method="POST",
                route="/orders",
                status=status,
                nanoseconds=12,
                request_id="request-5",
                traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
                user_id=user_id,
            )
        )
    assert gathering.waiting == 2
    await asyncio.sleep(GATHER_SECONDS * 3)
    logs.get("gateway").warning("request", **{"http.request.method": "POST"})
    done, failed, other = lines(configured)
    assert other["message"] == "request"
    assert done == {
        **{name: other[name] for name in ("process.name", "process.pid", "message")},
        **{name: other[name] for name in ("ecs.version", "service.name")},
        **{name: other[name] for name in ("event.dataset", "log.logger")},
        "@timestamp": "2023-11-14T22:13:20.000000Z",
        "log.level": "info",
        "http.request.id": "request-5",
        "http.request.method": "POST",
        "url.path": "/orders",
        "http.response.status_code": 201,
        "event.duration": 12,
        "event.outcome": "success",
        "transaction.id": "b" * 16,
        "trace.id": "a" * 32,
        "span.id": "b" * 16,
        "user.id": None,
    }
    changed = {name for name in done if done[name] != failed[name]}
    assert changed == {
        *("log.level", "event.outcome", "http.response.status_code", "user.id")
    }
    assert (failed["log.level"], failed["user.id"]) == ("warning", str(person))


async def test_gathered_lines_are_written_when_they_are_many_and_by_level(
    configured: Path, tmp_path: Path
) -> None:
    line = RequestLine(
        at=0.0,
        method="POST",
        route="/orders",
        status=200,
        nanoseconds=1,
        request_id="r",
        traceparent=f"00-{'a' * 32}-{'b' * 16}-01",
        user_id=None,
    )
    gathering = RequestLines()
    for _ in range(GATHERED_MAX):
        gathering.add(line)
    assert len(lines(configured)) == GATHERED_MAX
    logs.configure(Settings(data_dir=tmp_path, log_level="WARNING"), "orders/0")
    gathering.add(line)
    gathering.add(msgspec.structs.replace(line, status=500))
    gathering.flush()
    gathering.flush()
    assert [each["http.response.status_code"] for each in lines(configured)[-2:]] == [
        200,
        500,
    ]
    assert len(lines(configured)) == GATHERED_MAX + 1


def test_a_line_break_makes_no_second_line(configured: Path) -> None:
    forged = '"}\n{"@timestamp": "x", "message": "all is well"}\r\n\u2028\x85\x1b[2J'
    logs.get(forged).warning(forged, sku=forged, **{"url.path": forged, forged: 1})
    logging.getLogger("asyncpg").warning("%s", forged)
    raw = configured.read_bytes()
    assert raw.count(b"\n") == 2 and b"\r" not in raw and b"\x1b" not in raw
    first, second = (json.loads(line) for line in raw.split(b"\n")[:2])
    assert first["message"] == second["message"] == forged
    assert first["url.path"] == first["labels.sku"] == forged


def fail() -> None:
    raise ZeroDivisionError("by zero")


def test_a_bug_has_its_type_words_and_stack(configured: Path) -> None:
    try:
        fail()
    except ZeroDivisionError as error:
        logs.get("orders").error("handler-failed", exc_info=error, request_id="r-1")
        logs.get("orders").exception("again", message_type="orders.accept")
    for line in lines(configured):
        assert line["error.type"] == "ZeroDivisionError"
        assert line["error.message"] == "by zero"
        assert "raise ZeroDivisionError" in line["error.stack_trace"]
    assert lines(configured)[0]["http.request.id"] == "r-1"
    assert lines(configured)[1]["labels.message_type"] == "orders.accept"
    assert lines(configured)[1]["message"] == "again"


def test_what_the_code_names_is_the_schemas_own() -> None:
    assert logs.ECS <= OF_THE_SCHEMA
