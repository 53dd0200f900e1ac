"""Mail servers by hand, each with one fault, on a free port of this process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class Server:
    """An ordinary mail server that knows neither PIPELINING nor CHUNKING.

    `refused` are recipients and the answer to them; `taken` what it has taken;
    `delay_seconds` how long it thinks about each mail.
    """

    def __init__(self) -> None:
        self.refused: dict[str, str] = {}
        self.taken: list[tuple[str, bytes]] = []
        self.delay_seconds = 0.0
        self.connections = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        """Take or refuse a recipient."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail."""
        await asyncio.sleep(self.delay_seconds)
        assert isinstance(envelope.content, bytes)
        self.taken.append((envelope.rcpt_tos[0], envelope.content))
        return "250 OK"

    def session(self) -> SMTP:
        """A connection."""
        self.connections += 1
        loop = asyncio.get_running_loop()
        return SMTP(self, hostname="localhost", loop=loop)


@asynccontextmanager
async def mail_server(server: Server) -> AsyncIterator[str]:
    """The server's URL, as long as it stands."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server.session, HOST, 0)
    try:
        yield f"smtp://{HOST}:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


@asynccontextmanager
async def scripted(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that does with each connection what `talk` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, HOST, 0)
    try:
        yield f"smtp://{HOST}:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The first words of a server that knows PIPELINING and CHUNKING."""
    writer.write(b"220 ready\r\n")
    await reader.readline()
    writer.write(b"250-localhost\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
