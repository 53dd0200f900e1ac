"""Readers at real sockets that are slow, stop, or go away: what they hold, and lose."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serve_app.kit import sending
from serve_app.kit.feeds import LINES_MAX
from serve_app.kit.following import PART_BYTES_MAX as EVENTS_BYTES_MAX
from serve_app.kit.following import Pace
from serve_app.kit.sending import PART_BYTES_MAX
from tests.gateway.fakes import Front
from tests.gateway.followed import PATH, Timeline, ends, streams

HEAD = f"X-Order-Token: {'t' * 43}\r\n"
LARGE = 16 << 20
"""More than the kernel keeps for two sockets."""
HELD_MAX = 2 * PART_BYTES_MAX + 1_024
"""What uvicorn takes before it makes us wait, and one part."""
WAIT_SECONDS = 5.0


@pytest.fixture
def shop(followed_shop: Front) -> Front:
    """The gateway before an order that is followed."""
    return followed_shop


class Server:
    """The gateway at a socket; `held_most` is what any of its connections has kept."""

    def __init__(self, shop: Front, server: uvicorn.Server, port: int) -> None:
        self.shop = shop
        self.held_most = 0
        self._server = server
        self._port = port

    def connect(self, path: str, head: str = HEAD) -> socket.socket:
        """A reader with a small window, who has asked and not yet read."""
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(("127.0.0.1", self._port))
        reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
        reader.setblocking(False)
        return reader

    @property
    def connections(self) -> int:
        """How many it has."""
        return len(self._server.server_state.connections)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for it, and look at what is held meanwhile."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self.look()
                await asyncio.sleep(0.005)

    def look(self) -> None:
        """See what waits to be read."""
        for each in self._server.server_state.connections:
            held = each.transport.get_write_buffer_size()  # type: ignore[union-attr]
            self.held_most = max(self.held_most, held)


@asynccontextmanager
async def served(shop: Front) -> AsyncIterator[Server]:
    """The gateway behind uvicorn, as Serve runs it."""
    config = uvicorn.Config(shop.edge, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve([listening]))
        while not server.started:  # noqa: ASYNC110 - what is waited for is elsewhere
            await asyncio.sleep(0.01)
        try:
            yield Server(shop, server, listening.getsockname()[1])
        finally:
            server.should_exit = True
            await serving


def answering(shop: Front, *parts: bytes) -> list[int]:
    """Let every request be answered with these; which of them were made."""
    made: list[int] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number, part in enumerate(parts, 1):
            made.append(number)
            more = number < len(parts)
            await send({"type": "http.response.body", "body": part, "more_body": more})

    shop.edge._app = app
    return made


async def test_a_stream_that_nobody_reads_is_cut_and_what_waited_is_let_go(
    shop: Front, timeline: Timeline
) -> None:
    streams(shop).pace = Pace(send_seconds_max=0.1, pause_seconds=0)
    timeline.grow(3 * LINES_MAX)
    timeline.entries = [
        msgspec.structs.replace(entry, reason="x" * 200_000)
        for entry in timeline.entries
    ]
    async with served(shop) as server:
        with server.connect(PATH) as reader:
            await server.until(lambda: ends(shop))
            assert ends(shop) == {"slow": 1}
            assert timeline.looks == 1
            await server.until(lambda: not server.connections)
            assert shop.gateway.measures.streams_open == 0
            # One event is larger than a part is: it goes whole.
            assert server.held_most < PART_BYTES_MAX + EVENTS_BYTES_MAX + 202_000
            got = await everything(reader)
    ids = [int(line[4:]) for line in got.split(b"\n") if line.startswith(b"id: ")]
    whole = got.count(b"\n\n") - 2  # the head's end is another, the retry's one more
    assert ids == timeline.versions[: len(ids)]
    assert 0 < len(ids) < LINES_MAX
    # Comes back with the last that was whole.
    last = timeline.versions[max(whole, 1) - 1]
    timeline.entries = [
        msgspec.structs.replace(entry, reason="x") for entry in timeline.entries
    ]
    streams(shop).pace = Pace(pause_seconds=0)
    async with served(shop) as server:
        with server.connect(f"{PATH}?after={last}") as reader:
            rest = [version for version in timeline.versions if version > last]
            assert await events(reader, len(rest)) == rest


async def test_a_large_answer_that_nobody_reads_is_cut_and_gives_its_place_back(
    shop: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PART_SECONDS_MAX", 0.2)
    answering(shop, bytes(LARGE))
    async with served(shop) as server:
        with server.connect("/products"):
            await server.until(lambda: shop.gateway.measures.in_flight)
            await server.until(lambda: not shop.gateway.measures.in_flight)
            await server.until(lambda: not server.connections)
    assert PART_BYTES_MAX < server.held_most <= HELD_MAX


async def test_who_takes_a_byte_now_and_then_is_cut_as_well(
    shop: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "PART_SECONDS_MAX", 0.3)
    made = answering(shop, *(bytes(LARGE // 8) for _ in range(16)))
    async with served(shop) as server:
        with server.connect("/files/x/content") as reader:

            async def drip() -> None:
                loop = asyncio.get_running_loop()
                while await loop.sock_recv(reader, 1):  # noqa: ASYNC110 - a slow one
                    await asyncio.sleep(0.02)

            dripping = asyncio.create_task(drip())
            await server.until(lambda: not server.connections and made)
            dripping.cancel()
    assert shop.gateway.measures.in_flight == 0
    assert len(made) < 16
    assert server.held_most <= HELD_MAX


async def test_who_is_slow_and_takes_every_part_in_time_gets_all(
    shop: Front,
) -> None:
    answering(shop, bytes(LARGE // 4), b"x" * 10, bytes(LARGE // 4))
    async with served(shop) as server:
        with server.connect("/files/x/content", "Connection: close\r\n") as reader:
            got = await everything(reader, server.look)
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    _, _, body = got.partition(b"\r\n\r\n")
    assert unchunked(body) == bytes(LARGE // 4) + b"x" * 10 + bytes(LARGE // 4)
    assert server.held_most <= HELD_MAX


async def test_for_who_has_gone_away_no_more_parts_are_made(shop: Front) -> None:
    made = answering(shop, *(bytes(LARGE // 4) for _ in range(100)))
    async with served(shop) as server:
        with server.connect("/files/x/content"):
            await server.until(lambda: made)
        await server.until(lambda: not shop.gateway.measures.in_flight)
    assert len(made) < 100


async def everything(
    reader: socket.socket, look: Callable[[], None] = lambda: None
) -> bytes:
    """All that comes until the connection ends, however it does."""
    loop, got = asyncio.get_running_loop(), bytearray()
    async with asyncio.timeout(WAIT_SECONDS):
        try:
            while part := await loop.sock_recv(reader, 1 << 20):
                got += part
                look()
        except ConnectionResetError:
            pass
    return bytes(got)


async def events(reader: socket.socket, count: int) -> list[int]:
    """The ids of the first so many events."""
    loop, got = asyncio.get_running_loop(), b""
    async with asyncio.timeout(WAIT_SECONDS):
        while got.count(b"\nid: ") < count:
            got += await loop.sock_recv(reader, 1 << 20)
    return [int(line[4:]) for line in got.split(b"\n") if line.startswith(b"id: ")]


def unchunked(body: bytes) -> bytes:
    """What the chunks hold (RFC 9112 §7.1)."""
    whole = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole += body[:length]
        body = body[length + 2 :]
    return bytes(whole)
