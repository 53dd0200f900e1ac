"""Readers of event streams: they speak ASGI, so that they can be slow, or go away."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Self

from starlette.types import ASGIApp, Message

WAIT_SECONDS = 5.0


class Reader:
    """One request for a stream; what arrives is kept as `(id, event, data)`."""

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        client: str = "127.0.0.1",
    ) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.got: list[tuple[int, str, Any]] = []
        self.comments = 0
        self.retry_ms = 0
        self.open = asyncio.Event()
        self.open.set()
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._left = b""
        path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [
                (name.lower().encode(), value.encode())
                for name, value in (headers or {}).items()
            ],
            "client": (client, 1),
            "server": ("shop", 80),
        }
        self.task = asyncio.ensure_future(app(scope, self._receive, self._send))

    # --- what a test does ----------------------------------------------------

    async def began(self) -> Self:
        """Wait for the answer's head."""
        await self._until(lambda: self.status)
        return self

    async def ids(self, count: int) -> list[int]:
        """Wait until so many events have come; the ids of all."""
        await self._until(lambda: len(self.got) >= count)
        return [each[0] for each in self.got]

    async def commented(self, count: int) -> None:
        """Wait until so many comments have come."""
        await self._until(lambda: self.comments >= count)

    async def ended(self) -> Self:
        """Wait until the server has ended it."""
        async with asyncio.timeout(WAIT_SECONDS):
            await self.task
        return self

    async def leave(self) -> list[int]:
        """Go away, as a closed window does; the ids of all that came before."""
        self._gone.set()
        self.open.set()
        await self.ended()
        return [each[0] for each in self.got]

    @property
    def code(self) -> str:
        """The code of the problem that it was answered with."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        return str(json.loads(self.body)["code"])

    # --- ASGI ----------------------------------------------------------------

    async def _until(self, condition: Any) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self.open.wait()
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {
                name.decode(): value.decode() for name, value in message["headers"]
            }
        else:
            self._take(message["body"])
        self._changed.set()

    def _take(self, part: bytes) -> None:
        self.body += part
        if self.status != 200:
            return
        *blocks, self._left = (self._left + part).split(b"\n\n")
        for block in blocks:
            lines = block.decode().split("\n")
            fields = dict(line.split(": ", 1) for line in lines if line[0] != ":")
            if "data" in fields:
                data = json.loads(fields["data"])
                self.got.append((int(fields["id"]), fields["event"], data))
            elif "retry" in fields:
                self.retry_ms = int(fields["retry"])
            else:
                self.comments += 1
