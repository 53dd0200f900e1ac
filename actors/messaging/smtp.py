"""One kept-open SMTP connection that hands over many letters at a time.

`aiosmtplib` opens it (TLS, authentication). Where the server knows PIPELINING
(RFC 2920) and CHUNKING (RFC 3030) a whole window of letters goes out in one write and
one round trip; elsewhere the library sends them one after another.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import aiosmtplib

from actors.messaging.letter import Letter
from actors.messaging.outcomes import Ends, Failure, Note, Outcome
from bus.kit.smtp_urls import SmtpUrl

WINDOW_MAX = 32
OPEN_SECONDS_MAX = 15.0
REPLY_SECONDS_MAX = 60.0
IDLE_SECONDS_MAX = 20.0
LETTERS_MAX = 500
REPLY_BYTES_MAX = 64 * 1024
CAUSES_MAX = 8

_STAGES = ("session", "sender", "recipient", "content")
# What says that the way to the server is gone; a TimeoutError is an OSError too.
_LOST = (OSError, aiosmtplib.SMTPServerDisconnected)


class SmtpConnection:
    """A connection that is opened when first needed and again when it was lost.

    It is left after `IDLE_SECONDS_MAX` without a letter, for servers then leave it
    without a word, and after `LETTERS_MAX`, which many bound.
    """

    def __init__(
        self,
        url: str,
        *,
        own_name: str = "localhost",
        open_seconds: float = OPEN_SECONDS_MAX,
        reply_seconds: float = REPLY_SECONDS_MAX,
    ) -> None:
        self._url = url
        self._own_name = own_name
        self._open_seconds = open_seconds
        self._reply_seconds = reply_seconds
        self._client: aiosmtplib.SMTP | None = None
        self._replies: _Replies | None = None
        self._sent = 0
        self._used_at = 0.0

    async def send(self, letters: Sequence[Letter], note: Note) -> None:
        """Hand the letters over; `note` is told each one's outcome, soon after it.

        A lost connection is an outcome of those letters that had no answer yet: the
        server may have taken one of them, so it can come twice, with the same
        `Message-ID`. One that was kept open and is gone before any answer was left by
        the server meanwhile: then another one is opened at once.
        """
        self._leave_old()
        kept = self._client is not None
        ends = Ends(note)
        try:
            try:
                await self._send_all(letters, ends)
            except _LOST as error:
                if not kept or ends.count or isinstance(error, TimeoutError):
                    raise
                self.close()
                await self._send_all(letters, ends)
        except (*_LOST, aiosmtplib.SMTPException) as error:
            self.close()
            lost = Failure(reason_of(error), permanent=False)
            for letter in letters[ends.count :]:
                await ends.add(letter.message_id, lost)
        self._used_at = asyncio.get_running_loop().time()
        await ends.flush()

    def close(self) -> None:
        """Drop the connection, whatever state it is in."""
        client, self._client, self._replies = self._client, None, None
        self._sent = 0
        if client is not None:
            client.close()

    async def _send_all(self, letters: Sequence[Letter], ends: Ends) -> None:
        client = await self._open()
        for start in range(0, len(letters), WINDOW_MAX):
            window = letters[start : start + WINDOW_MAX]
            if self._replies is not None:
                await self._pipeline(self._replies, window, ends)
                continue
            for letter in window:
                await ends.add(letter.message_id, await _send_one(client, letter))
        self._sent += len(letters)

    def _leave_old(self) -> None:
        if self._client is None:
            return
        idle = asyncio.get_running_loop().time() - self._used_at
        if idle > IDLE_SECONDS_MAX or self._sent >= LETTERS_MAX:
            transport = cast("asyncio.Transport | None", self._client.transport)
            # The server may have left first; uvloop refuses to write to nobody.
            if transport is not None and not transport.is_closing():
                transport.write(b"QUIT\r\n")
            self.close()

    async def _open(self) -> aiosmtplib.SMTP:
        if self._replies is not None and self._replies.lost:
            self.close()
        if self._client is not None and self._replies is None:
            if self._client.is_connected:
                return self._client
            self.close()
        if self._client is None:
            client = _client(self._url, self._own_name, self._reply_seconds)
            try:
                async with asyncio.timeout(self._open_seconds):
                    await client.connect()
                    # Where there is neither TLS nor a login it has not asked yet.
                    if client.is_ehlo_or_helo_needed:
                        await client.ehlo()
            except BaseException:
                client.close()
                raise
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
        self, replies: "_Replies", window: Sequence[Letter], ends: Ends
    ) -> None:
        # RSET before each letter, so that one that is refused leaves nothing behind
        # for the next (RFC 3030 §2: the state after a failed BDAT is not known).
        replies.write(b"".join(map(_commands, window)))
        for letter in window:
            async with asyncio.timeout(self._reply_seconds):
                codes = await replies.read(len(_STAGES))
            await ends.add(letter.message_id, _outcome(codes))


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


def _client(url: str, own_name: str, reply_seconds: float) -> aiosmtplib.SMTP:
    server = SmtpUrl.of(url)
    context = None
    if server.starttls is not False:
        context = _trusting(server.ca_file, _changed_at(server.ca_file))
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.username,
        password=server.password,
        use_tls=server.tls,
        start_tls=False if server.tls else server.starttls,
        tls_context=context,
        timeout=reply_seconds,
        local_hostname=own_name,
    )


@lru_cache(maxsize=4)
def _trusting(ca_file: str | None, _written_at: int) -> ssl.SSLContext:
    """Reading the authorities takes some 40 ms, which is a thousand letters' worth."""
    return ssl.create_default_context(cafile=ca_file)


def _changed_at(ca_file: str | None) -> int:
    """When the file was written: a new one counts from the next connection on."""
    return Path(ca_file).stat().st_mtime_ns if ca_file else 0


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


def reason_of(error: BaseException) -> str:
    """The code of what kept a connection from being opened, or ended it."""
    causes, cause = [error], error.__cause__ or error.__context__
    while cause is not None and len(causes) < CAUSES_MAX:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    for kinds, reason in _REASONS:
        if any(isinstance(one, kinds) for one in causes):
            return reason
    return "server-without-tls" if "STARTTLS" in str(error) else _LOST_REASON


_LOST_REASON = "server-connection-lost"
_REASONS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((ssl.SSLCertVerificationError,), "server-certificate-refused"),
    ((ssl.SSLError,), "server-tls-failed"),
    ((aiosmtplib.SMTPAuthenticationError,), "server-refused-login"),
    ((TimeoutError, aiosmtplib.SMTPTimeoutError), "server-timeout"),
    ((aiosmtplib.SMTPConnectError,), "server-unreachable"),
)
