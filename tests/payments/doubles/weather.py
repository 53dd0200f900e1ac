"""A server on loopback that can fail in every way that a provider can."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

WRONG: dict[str, dict[str, Any]] = {
    "garbage": {"body": b"{not json", "content_type": "application/json"},
    "odd": {"text": "[1]", "content_type": "application/json"},
    "null": {"text": "null", "content_type": "application/json"},
    "other": {"text": '{"object": "payment_intent", "id": 5}'},
    "long": {"body": b"x" * (5 << 20)},
    "redirect": {"status": 307, "headers": {"Location": "/elsewhere"}},
    "broken": {"status": 500, "text": '{"error": {"type": "api_error"}}'},
}
AFTER = ["lost", "silent", *WRONG]
BEFORE = ["refuse", "dead"]


class Weather:
    """Serves an application; `fault` says what is wrong from now on.

    `refuse`: 503, nothing is done. `dead`: the line is cut before anything is done.
    AFTER: it is done, and then the line is cut, nothing is answered, or something
    that is no answer. `only` limits that to calls (`POST /v1/…`) that hold it.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.only = ""
        self.asked: list[str] = []
        self.url = ""

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        raise NotImplementedError

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Any]:
        """Serve on a free port until the block ends."""
        app = web.Application(middlewares=[self._weather])
        app.add_routes(self.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _weather(self, request: web.Request, handler: Any) -> web.StreamResponse:
        called = f"{request.method} {request.path}"
        fault = self.fault if self.only in called else ""
        self.asked.append(called)
        if fault == "refuse":
            return web.json_response({}, status=503)
        if fault == "dead":
            return self._cut(request)
        response: web.StreamResponse = await handler(request)
        if fault == "silent":
            await asyncio.Event().wait()
        if fault == "lost":
            return self._cut(request)
        if fault in WRONG:
            return web.Response(**WRONG[fault])
        return response

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


def answer(body: Any, status: int = 200) -> web.Response:
    """A body as JSON."""
    return web.json_response(body, status=status)


class Moment:
    """A clock that stands where the test puts it."""

    def __init__(self, now: float) -> None:
        self.at = now

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def monotonic(self) -> float:
        """Seconds that only go forward."""
        return self.at
