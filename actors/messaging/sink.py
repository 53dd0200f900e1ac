"""The embedded SMTP server: it takes every mail and keeps it for the mailbox."""

import asyncio
import errno
import logging
import re
from collections import OrderedDict
from datetime import UTC, datetime
from itertools import islice
from typing import Any, cast
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session

from bus.kit.addressing import new_id
from bus.kit.values import Value

CAUGHT_MAX = 5_000
LETTER_BYTES_MAX = 1 << 20
LINE_BYTES_MAX = 64 * 1024
HOST = "127.0.0.1"

_PLAIN = re.compile(r"<([A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+)>(.*)")


class Caught(Value, frozen=True):
    """A mail or an SMS that nobody sends on; a mail's `content` is its raw bytes."""

    id: UUID
    channel: str
    recipient: str
    content: bytes
    at: datetime


class Sink:
    """Keeps what was caught until the shard has written it down.

    It is bounded: past `CAUGHT_MAX` a mail is refused with 452, and comes again.
    """

    def __init__(self) -> None:
        self._caught: OrderedDict[UUID, Caught] = OrderedDict()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def start(self, port: int) -> None:
        """Listen on `port`, or on a free one when it is 0 or taken.

        Every shard has a sink of its own; the first to start gets the named port.
        """
        # aiosmtpd logs addresses at INFO; no address belongs into a log.
        logging.getLogger("mail.log").setLevel(logging.WARNING)
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._session, HOST, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            self._server = await loop.create_server(self._session, HOST, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"smtp://{HOST}:{port}?starttls=never"

    async def stop(self) -> None:
        """Take nothing more."""
        if self._server is not None:
            self._server.close()

    def catch(self, channel: str, recipient: str, content: bytes) -> bool:
        """Keep one; False when there is no room."""
        if len(self._caught) >= CAUGHT_MAX:
            return False
        identity = new_id()
        self._caught[identity] = Caught(
            identity, channel, recipient, content, datetime.now(UTC)
        )
        return True

    def waiting(self, limit: int) -> list[Caught]:
        """What is not written down yet, oldest first."""
        return list(islice(self._caught.values(), limit))

    def drop(self, items: list[Caught]) -> None:
        """Forget what is written down now."""
        for item in items:
            self._caught.pop(item.id, None)

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """A mail by DATA."""
        return self.take(envelope, cast("bytes", envelope.content))

    async def handle_EHLO(  # noqa: N802 - aiosmtpd calls it so
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Say that whole windows of letters are welcome."""
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-CHUNKING", responses[-1]]

    def take(self, envelope: Envelope, content: bytes) -> str:
        """Keep a mail, and say so."""
        if self.catch("email", ", ".join(envelope.rcpt_tos), content):
            return "250 OK"
        return "452 The mailbox is full"

    def _session(self) -> "_SinkSession":
        return _SinkSession(
            self,
            hostname="localhost",
            data_size_limit=LETTER_BYTES_MAX,
            loop=asyncio.get_running_loop(),
        )


class _SinkSession(SMTP):
    """aiosmtpd's session, with BDAT and a quick look at plain addresses."""

    line_length_limit = LINE_BYTES_MAX

    def __init__(self, sink: Sink, **options: Any) -> None:
        super().__init__(sink, **options)
        self._sink = sink
        self._chunks: list[bytes] = []

    async def smtp_BDAT(self, arg: str | None) -> None:  # noqa: N802
        """RFC 3030: a mail in chunks of known length."""
        size, _, last = (arg or "").partition(" ")
        if not size.isdigit() or last.upper() not in ("", "LAST"):
            await self.push("501 Syntax: BDAT size [LAST]")
            return
        if int(size) > LETTER_BYTES_MAX:
            await self.push("552 Too large")
            self._writer.close()  # the chunk that follows is not read
            return
        chunk = await self._reader.readexactly(int(size))
        envelope = cast("Envelope", self.envelope)
        if not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        self._chunks.append(chunk)
        if sum(map(len, self._chunks)) > LETTER_BYTES_MAX:
            status = "552 Too large"
        elif last:
            status = self._sink.take(envelope, b"".join(self._chunks))
        else:
            await self.push("250 OK")
            return
        self._chunks.clear()
        self._set_post_data_state()  # type: ignore[no-untyped-call]
        await self.push(status)

    def _set_rset_state(self) -> None:
        super()._set_rset_state()  # type: ignore[no-untyped-call]
        self._chunks.clear()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        # The full RFC 5322 grammar costs ten times the rest of the mail.
        if found := _PLAIN.fullmatch(arg.strip()):
            return found[1], found[2].strip()
        return super()._getaddr(arg)
