"""Requests of raw bytes, as a server hands them to the edge, and their answers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp, Message

from bus.kit.refusals import not_found
from tests.gateway.fakes import Front, Hands

Headers = list[tuple[bytes, bytes]]

CALM = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)


def some(count: int) -> settings:
    """As many examples, the same in every run, each for as long as it takes."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=CALM,
    )


@dataclass(frozen=True)
class Said:
    """What a request was answered with."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    def expect(self, *served: int) -> None:
        """One of these, or a refusal that says what it is."""
        if self.status in served:
            return
        assert 400 <= self.status < 500, (self.status, self.body)
        assert self.headers[b"content-type"] == b"application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["request_id"].encode() == self.headers[b"x-request-id"]


class Refuser:
    """Domains that know nothing: whatever is asked for is not there."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    async def ask(self, message: Any, **_: Any) -> Any:
        """Say no, and remember what was asked."""
        self.asked.append(message)
        raise not_found("thing")


async def asked(
    app: ASGIApp,
    line: str,
    headers: Headers = (),  # type: ignore[assignment]
    body: bytes = b"",
    query: bytes = b"",
) -> Said:
    """Send `METHOD /path` with these bytes; the answer, once it is whole."""
    method, path = line.split()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in headers],
        "client": ("203.0.113.7", 4711),
        "server": ("shop", 80),
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start = next(each for each in sent if each["type"] == "http.response.start")
    whole = b"".join(each.get("body", b"") for each in sent)
    return Said(start["status"], dict(start["headers"]), whole)


def front_of(folder: Path) -> Front:
    """A gateway whose clock stands still, before domains that know nothing."""
    return Front(folder, Hands())
