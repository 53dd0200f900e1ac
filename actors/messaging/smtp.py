"""One kept-open SMTP connection that hands over many letters at a time.

`aiosmtplib` opens it (TLS, authentication). Where the server knows PIPELINING
(RFC 2920) and CHUNKING (RFC 3030) a whole window of letters goes out in one write and
one round trip; elsewhere the library sends them one after another.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from actors.messaging.letter import Letter
from bus.kit.values import Value

WINDOW_MAX = 32
CONNECT_SECONDS_MAX = 10.0
REPLY_SECONDS_MAX = 60.0
REPLY_BYTES_MAX = 64 * 1024

_STAGES = ("session", "sender", "recipient", "content")
_PORTS = {"smtp": 25, "smtps": 465}


class Failure(Value, frozen=True):
    """Why a letter was not taken: a code without the server's words.

    Servers repeat the address in their words, and a reason goes into events.
    """

    reason: str
    permanent: bool


Outcome = Failure | None
"""None: the server has taken the letter."""


class SmtpConnection:
    """A connection that is opened when first needed and again when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: aiosmtplib.SMTP | None = None
        self._replies: _Replies | None = None

    async def send(self, letters: Sequence[Letter]) -> list[Outcome]:
        """Hand the letters over; one outcome each, in their order.

        A lost connection is an outcome of those letters that had no answer yet: the
        server may have taken one of them, so it can come twice, with the same
        `Message-ID`.
        """
        outcomes: list[Outcome] = []
        try:
            client = await self._open()
            for start in range(0, len(letters), WINDOW_MAX):
                window = letters[start : start + WINDOW_MAX]
                if self._replies is not None:
                    outcomes += await self._pipeline(self._replies, window)
                else:
                    outcomes += [await _send_one(client, item) for item in window]
        except (OSError, TimeoutError, aiosmtplib.SMTPException) as error:
            self.close()
            lost = Failure(_reason(error), permanent=False)
            outcomes += [lost] * (len(letters) - len(outcomes))
        return outcomes

    def close(self) -> None:
        """Drop the connection, whatever state it is in."""
        client, self._client, self._replies = self._client, None, None
        if client is not None:
            client.close()

    async def _open(self) -> aiosmtplib.SMTP:
        if self._replies is not None and self._replies.lost:
            self.close()
        if self._client is not None and self._replies is None:
            if self._client.is_connected:
                return self._client
            self.close()
        if self._client is None:
            client = _client(self._url)
            await client.connect()
            self._client = client
            extensions = client.supports_extension
            if extensions("pipelining") and extensions("chunking"):
                self._replies = _Replies()
                # uvloop's transports are not of asyncio's classes.
                transport = cast("asyncio.Transport", client.transport)
                transport.set_protocol(self._replies)
                self._replies.connection_made(transport)
        return self._client

    async def _pipeline(
        self, replies: "_Replies", window: Sequence[Letter]
    ) -> list[Outcome]:
        # RSET before each letter, so that one that is refused leaves nothing behind
        # for the next (RFC 3030 §2: the state after a failed BDAT is not known).
        replies.write(b"".join(map(_commands, window)))
        async with asyncio.timeout(REPLY_SECONDS_MAX):
            codes = await replies.read(len(_STAGES) * len(window))
        step = len(_STAGES)
        return [
            _outcome(codes[start : start + step])
            for start in range(0, len(codes), step)
        ]


class _Replies(asyncio.Protocol):
    """Reads the server's reply codes, in the order of the commands."""

    def __init__(self) -> None:
        self.lost = False
        self._codes: deque[int] = deque()
        self._rest = b""
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def write(self, commands: bytes) -> None:
        """Send; raises ConnectionError when the connection is gone."""
        if self.lost or self._transport is None:
            raise ConnectionResetError
        self._codes.clear()
        self._transport.write(commands)

    async def read(self, count: int) -> list[int]:
        """The next `count` reply codes."""
        if len(self._codes) < count:
            if self.lost:
                raise ConnectionResetError
            self._wanted = count
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return [self._codes.popleft() for _ in range(count)]

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > REPLY_BYTES_MAX:
            self._end()
            return
        # «250-…» goes on, «250 …» ends a reply (RFC 5321 §4.2.1).
        for line in lines:
            if line[3:4] != b"-":
                self._codes.append(int(line[:3]) if line[:3].isdigit() else 500)
        if self._codes and self._codes[-1] == 421:
            self._end()
        elif self._waiter and len(self._codes) >= self._wanted:
            if not self._waiter.done():
                self._waiter.set_result(None)
            self._waiter = None

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # whatever it was, what had no answer has none
        self.lost = True
        if self._waiter and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError())
        self._waiter = None

    def _end(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self.connection_lost(None)


def _client(url: str) -> aiosmtplib.SMTP:
    parts = urlsplit(url)
    return aiosmtplib.SMTP(
        hostname=parts.hostname or "127.0.0.1",
        port=parts.port or _PORTS.get(parts.scheme, 25),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        use_tls=parts.scheme == "smtps",
        start_tls=None,  # when the server offers it
        timeout=CONNECT_SECONDS_MAX,
        local_hostname="localhost",
    )


def _commands(letter: Letter) -> bytes:
    head = (
        f"RSET\r\nMAIL FROM:<{letter.sender}>\r\n"
        f"RCPT TO:<{letter.recipient}>\r\nBDAT {len(letter.content)} LAST\r\n"
    )
    return head.encode("ascii") + letter.content


def _outcome(codes: Sequence[int]) -> Outcome:
    for stage, code in zip(_STAGES, codes, strict=True):
        if code // 100 != 2:
            return _refused(stage, code)
    return None


def _refused(stage: str, code: int) -> Failure:
    return Failure(f"{stage}-refused-{code}", permanent=code // 100 == 5)


async def _send_one(client: aiosmtplib.SMTP, letter: Letter) -> Outcome:
    try:
        await client.sendmail(letter.sender, [letter.recipient], letter.content)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _refused("recipient", error.recipients[0].code)
    except aiosmtplib.SMTPSenderRefused as error:
        return _refused("sender", error.code)
    except aiosmtplib.SMTPServerDisconnected:
        raise
    except aiosmtplib.SMTPResponseException as error:
        return _refused("content", error.code)
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "server-refused-login"
    if isinstance(error, TimeoutError | aiosmtplib.SMTPTimeoutError):
        return "server-timeout"
    if isinstance(error, aiosmtplib.SMTPConnectError):
        return "server-unreachable"
    return "server-connection-lost"
