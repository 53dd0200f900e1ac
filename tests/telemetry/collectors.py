"""Collectors for tests: one for spans over OTLP/HTTP, one for Sentry's envelopes."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bus.kit import traces
from bus.kit.otlp import Tracing
from bus.kit.settings import Settings
from tests.conftest import free_port


class Collector:
    """Takes what is posted; `slow_seconds` lets each answer wait."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.slow_seconds = 0.0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        await asyncio.sleep(self.slow_seconds)
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        return web.Response()

    def spans(self) -> list[Span]:
        """All spans that have come."""
        found: list[Span] = []
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    found += scope.spans
        return found

    def events(self) -> list[dict[str, Any]]:
        """All Sentry events that have come."""
        found = []
        for body in self.bodies:
            lines = body.split(b"\n")
            for head, item in zip(lines[1::2], lines[2::2], strict=False):
                if json.loads(head)["type"] == "event":
                    found.append(json.loads(item))
        return found


@asynccontextmanager
async def collecting(path: str) -> AsyncIterator[Collector]:
    """A collector that takes POSTs at `path`."""
    collector = Collector()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post(path, collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    collector.url = f"http://127.0.0.1:{port}"
    try:
        yield collector
    finally:
        await runner.cleanup()


@asynccontextmanager
async def traced(url: str, **settings: Any) -> AsyncIterator[Tracing]:
    """This process makes spans for the length of the block."""
    tracing = Tracing(Settings(otlp_url=url, **settings), "test/0", "0")
    traces.turn_on(tracing.begin)
    try:
        yield tracing
    finally:
        traces.turn_on(None)
        await asyncio.to_thread(tracing.stop)


async def until(found: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `found` gives once it gives something."""
    async with asyncio.timeout(seconds):
        while not (got := found()):  # noqa: ASYNC110 - another thread brings it
            await asyncio.sleep(0.05)
    return got


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span, by name."""
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value"))
        for each in span.attributes
    }
