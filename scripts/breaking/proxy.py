"""A small TCP proxy that can cut, delay and swallow what passes through it."""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Self

HOST = "127.0.0.1"
CHUNK_BYTES_MAX = 64 << 10
CONNECTIONS_MAX = 2_000
CONNECT_SECONDS_MAX = 5.0
_LINGER = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class _Pair:
    """A connection, its other half to the server, and both directions of it."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    ways: list[asyncio.Task[None]] = field(default_factory=list)

    def reset(self) -> None:
        """End both halves at once."""
        for writer in (self.near, self.far):
            _reset(writer)
        for way in self.ways:
            way.cancel()


class Proxy:
    """Stands before one server: `async with Proxy(port) as proxy`, then `proxy.port`.

    With no fault set it passes everything on in its order, as soon as it comes.
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = 0
        self.delay_seconds = 0.0
        self._refusing = False
        self._open_gate = asyncio.Event()
        self._open_gate.set()
        self._pairs: set[_Pair] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, HOST, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "it was entered"  # noqa: S101
        self._server.close()
        self.reset_all()
        if self._serving:
            await asyncio.wait(self._serving)

    def reset_all(self) -> None:
        """Reset every connection that there is now."""
        for pair in list(self._pairs):
            pair.reset()

    async def cut(self, seconds: float) -> None:
        """Reset all connections and refuse new ones, for so long."""
        self._refusing = True
        self.reset_all()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._refusing = False

    async def delay(self, seconds: float, delay_seconds: float) -> None:
        """Let every piece arrive so much later, each way, for so long."""
        self.delay_seconds = delay_seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self.delay_seconds = 0.0

    async def drop(self, seconds: float) -> None:
        """Pass nothing on and tell nobody, for so long; then reset the connections.

        Connections are taken meanwhile, as by a network that loses every packet after
        the first. What was swallowed is lost, so none of them can go on.
        """
        self._open_gate.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.reset_all()
            self._open_gate.set()

    def near_port(self, far_port: int) -> int | None:
        """The client's own port of the connection that the server sees at this port."""
        for pair in self._pairs:
            if pair.far.get_extra_info("sockname")[1] == far_port:
                return int(pair.near.get_extra_info("peername")[1])
        return None

    async def _take(
        self, reader: asyncio.StreamReader, near: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None, "it is run by the server"  # noqa: S101
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        if self._refusing or len(self._pairs) >= CONNECTIONS_MAX:
            _reset(near)
            return
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                there = await asyncio.open_connection(HOST, self.server_port)
        except (OSError, TimeoutError):
            _reset(near)
            return
        await self._join(reader, near, *there)

    async def _join(
        self,
        near_reader: asyncio.StreamReader,
        near: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
    ) -> None:
        pair = _Pair(near, far)
        pair.ways = [
            asyncio.create_task(self._pass(near_reader, far)),
            asyncio.create_task(self._pass(far_reader, near)),
        ]
        self._pairs.add(pair)
        try:
            # An end of one direction is passed on; both must end, or one must break.
            await asyncio.wait(pair.ways, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self._pairs.discard(pair)
            for way in pair.ways:
                way.cancel()
            await asyncio.gather(*pair.ways, return_exceptions=True)
            near.transport.abort()
            far.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One direction, until its end."""
        while data := await reader.read(CHUNK_BYTES_MAX):
            if self.delay_seconds:
                await asyncio.sleep(self.delay_seconds)
            await self._open_gate.wait()
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection without a goodbye (RST), as a peer does that was lost."""
    with contextlib.suppress(OSError):
        line: socket.socket = writer.get_extra_info("socket")
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    writer.transport.abort()
