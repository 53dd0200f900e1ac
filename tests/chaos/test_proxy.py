"""The proxy: it passes on, and cuts, delays and drops when it is told to."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from scripts.breaking.proxy import HOST, Proxy

SHORT = 0.15
LONG = 5.0

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that says back what it hears."""
    writers: list[asyncio.StreamWriter] = []

    async def answer(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        writers.append(writer)
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
        except ConnectionError:
            pass
        writer.close()

    server = await asyncio.start_server(answer, HOST, 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()
    for writer in writers:
        writer.transport.abort()


async def ask(line: Line, said: bytes) -> bytes:
    """What comes back of as many bytes."""
    reader, writer = line
    writer.write(said)
    async with asyncio.timeout(LONG):
        return await reader.readexactly(len(said))


async def test_it_passes_everything_on_whole_and_in_order() -> None:
    said = bytes(range(256)) * 4_000
    async with echo() as proxy:
        reader, writer = line = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(line, said) == said
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()


async def test_a_cut_resets_what_is_open_and_refuses_what_is_new_until_it_is_over() -> (
    None
):
    async with echo() as proxy:
        line = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(line, b"before") == b"before"

        cut = asyncio.create_task(proxy.cut(SHORT))
        await asyncio.sleep(0)
        with pytest.raises(ConnectionResetError):
            await line[0].read()
        refused = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises(ConnectionResetError):
            await ask(refused, b"meanwhile")
        await cut

        after = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(after, b"after") == b"after"
        for _, writer in (line, refused, after):
            writer.transport.abort()


async def test_a_delay_holds_back_each_way_and_then_no_more() -> None:
    async with echo() as proxy:
        line = await asyncio.open_connection(HOST, proxy.port)
        await ask(line, b"before")
        delayed = asyncio.create_task(proxy.delay(SHORT, SHORT))
        await asyncio.sleep(0)
        begun = time.monotonic()
        assert await ask(line, b"slow") == b"slow"
        # The length of a delay is what it does, not how fast anything is.
        assert time.monotonic() - begun >= SHORT
        await delayed
        assert proxy.delay_seconds == 0
        assert await ask(line, b"after") == b"after"
        line[1].transport.abort()


async def test_a_drop_swallows_in_silence_and_then_ends_the_connections() -> None:
    async with echo() as proxy:
        line = await asyncio.open_connection(HOST, proxy.port)
        await ask(line, b"before")
        dropped = asyncio.create_task(proxy.drop(SHORT))
        await asyncio.sleep(0)
        line[1].write(b"lost")
        taken = await asyncio.open_connection(HOST, proxy.port)
        taken[1].write(b"lost too")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SHORT / 3):
                await line[0].read()
        await dropped
        for reader, writer in (line, taken):
            with pytest.raises(ConnectionResetError):
                await reader.read()
            writer.transport.abort()
        after = await asyncio.open_connection(HOST, proxy.port)
        assert await ask(after, b"after") == b"after"
        after[1].transport.abort()


async def test_a_server_that_is_away_is_a_connection_that_ends() -> None:
    async with echo() as gone:
        away = gone.server_port
    async with Proxy(away) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.transport.abort()


async def test_the_client_behind_a_connection_is_found_by_the_port_that_is_seen() -> (
    None
):
    seen: list[int] = []

    async def look(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername")[1])
        writer.write(b"!")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(look, HOST, 0)
    async with Proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        await reader.readexactly(1)
        own = writer.get_extra_info("sockname")[1]
        assert [proxy.near_port(port) for port in seen] == [own]
        assert proxy.near_port(own) is None
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
    server.close()
