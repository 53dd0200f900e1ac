"""The connection to a mail server: TLS, login, and every way in which it fails."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from actors.messaging.decisions import ATTEMPTS_MAX, next_attempt
from actors.messaging.letter import Letter
from actors.messaging.outcomes import Ended, Outcome
from actors.messaging.smtp import SmtpConnection
from bus.kit.addressing import new_id
from bus.kit.settings import Settings, SettingsError
from tests.messaging.certificates import Authority
from tests.messaging.servers import HOST, Server, greet, mail_server, scripted
from tests.notifications.support import NOW

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the shop trusts, if it is told to."""
    return Authority(tmp_path_factory.mktemp("ca"))


def letter(to: str = "ann@example.com") -> Letter:
    return Letter(new_id(), "shop@souk.example", to, b"Subject: x\r\n\r\nHello\r\n")


async def sent(connection: SmtpConnection, *letters: Letter) -> list[Outcome]:
    """Each letter's outcome, in order."""
    ends: Ended = {}

    async def note(ended: Ended) -> None:
        ends.update(ended)

    await connection.send(letters, note)
    return [ends[one.message_id] for one in letters]


async def reason(url: str, **seconds: float) -> str:
    """Why a letter is not taken, for now."""
    connection = SmtpConnection(url, **seconds)
    (outcome,) = await sent(connection, letter())
    connection.close()
    assert outcome is not None
    assert outcome.permanent is False
    return outcome.reason


class Guarded(Server):
    """A server with a certificate, that may want a login."""

    def __init__(self, context: ssl.SSLContext, *, login: bool = False) -> None:
        super().__init__()
        self.context = context
        self.login = login

    def session(self) -> SMTP:
        """A connection that can be upgraded to TLS."""
        self.connections += 1
        return SMTP(
            self,
            hostname="localhost",
            loop=asyncio.get_running_loop(),
            tls_context=self.context,
            require_starttls=True,
            auth_required=self.login,
            authenticator=self._known if self.login else None,
        )

    def _known(self, _server: Any, _session: Any, _e: Any, _m: str, data: Any) -> Any:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password == b"let me/in", handled=False)


@asynccontextmanager
async def smtps_server(server: Server, context: ssl.SSLContext) -> AsyncIterator[str]:
    """A server that speaks TLS from the first byte."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server.session, HOST, 0, ssl=context)
    try:
        yield f"smtps://{HOST}:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def test_mail_goes_by_tls_to_a_server_with_a_good_certificate_only(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    good, server = authority.server(HOST), Server()
    async with smtps_server(server, good) as url:
        connection = SmtpConnection(f"{url}?ca={authority.file}")
        assert await sent(connection, letter(), letter()) == [None, None]
        connection.close()
        for ca in ("", f"?ca={stranger.file}"):
            assert await reason(url + ca) == "server-certificate-refused"
    wrong = authority.server("127.0.0.2")
    async with smtps_server(server, wrong) as url:
        got = await reason(f"{url}?ca={authority.file}")
        assert got == "server-certificate-refused"
    assert len(server.taken) == 2
    upgraded = Guarded(good)
    async with mail_server(upgraded) as url:
        for ca in (f"?ca={authority.file}", f"?starttls=required&ca={authority.file}"):
            connection = SmtpConnection(url + ca)
            assert await sent(connection, letter()) == [None]
            connection.close()
        assert await reason(url) == "server-certificate-refused"
        assert len(upgraded.taken) == 2
    async with mail_server(server) as url:
        assert await reason(f"{url}?starttls=required") == "server-without-tls"
        assert len(server.taken) == 2


async def test_a_login_is_refused_or_taken(authority: Authority) -> None:
    server = Guarded(authority.server(HOST), login=True)
    async with mail_server(server) as url:
        ca = f"?starttls=required&ca={authority.file}"
        bad = url.replace("//", "//shop:wrong@") + ca
        assert await reason(bad) == "server-refused-login"
        good = url.replace("//", "//shop:let%20me%2Fin@") + ca
        connection = SmtpConnection(good)
        assert await sent(connection, letter()) == [None]
        connection.close()
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("http://mail.example", "smtp://", "smtp://h?tls=1", "smtp://h?starttls=yes"),
        *("smtp://u:p@mail.example?starttls=auto", "smtp://h:99999", "mail.example:25"),
        "smtp://u:p@mail.example?starttls=never",
    ],
)
def test_a_url_that_cannot_be_kept_to_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SOUK_SMTP_URL: "):
        Settings.load({"SOUK_SMTP_URL": url})
    assert Settings.load({"SOUK_SMTP_URL": "smtp://u:p@mail.example"}).smtp_url


STAGES = ("greeting", "EHLO", "MAIL", "RCPT", "DATA", ".")


def hanging_at(stage: str) -> Talk:
    """A server that is polite until this stage, and then says nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def forever() -> None:
            while await reader.read(1 << 16):
                pass

        if stage == "greeting":
            return await forever()
        writer.write(b"220 ready\r\n")
        data = False
        while line := await reader.readline():
            word = line.decode().split()[0].upper() if line.strip() else ""
            if word == stage and (stage != "." or data):
                return await forever()
            if word == "DATA":
                data = True
                writer.write(b"354 go on\r\n")
            elif not data or word == ".":
                data = False
                writer.write(b"250 OK\r\n")
        return None

    return talk


async def test_a_server_may_hang_at_any_stage_and_holds_nobody() -> None:
    async def one(stage: str) -> str:
        async with scripted(hanging_at(stage)) as url:
            return await reason(url, open_seconds=0.3, reply_seconds=0.3)

    async def pipelined() -> str:
        async def talk(
            reader: asyncio.StreamReader, writer: asyncio.StreamWriter
        ) -> None:
            await greet(reader, writer)
            while await reader.read(1 << 16):
                pass

        async with scripted(talk) as url:
            return await reason(url, open_seconds=0.3, reply_seconds=0.3)

    async with asyncio.timeout(5):
        found = await asyncio.gather(*map(one, STAGES), pipelined())
    assert found == ["server-timeout"] * 7


async def test_answers_are_told_apart() -> None:
    server = Server()
    server.refused = {
        "later@example.com": "451 greylisted",
        "full@example.com": "452 mailbox full",
        "gone@example.com": "550 no such user",
    }
    async with mail_server(server) as url:
        connection = SmtpConnection(url)
        names = ("later", "ann", "full", "gone", "bob")
        ends = await sent(connection, *(letter(f"{it}@example.com") for it in names))
        assert [(end.reason, end.permanent) if end else None for end in ends] == [
            ("recipient-refused-451", False),
            None,
            ("recipient-refused-452", False),
            ("recipient-refused-550", True),
            None,
        ]
        server.refused.clear()
        assert await sent(connection, letter("later@example.com")) == [None]
        assert server.connections == 1
        connection.close()


async def test_a_connection_that_drops_amid_the_data_is_an_outcome() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        while line := await reader.readline():
            if line.startswith(b"DATA"):
                writer.write(b"354 go on\r\n")
                await reader.readline()
                return
            writer.write(b"250 OK\r\n")

    async with scripted(talk) as url:
        assert await reason(url) == "server-connection-lost"


async def test_a_connection_that_the_server_left_is_opened_anew_at_once() -> None:
    """Pooled connections go stale; the mail does not wait for a second try."""
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await greet(reader, writer)
        taken = 0
        while line := await reader.readline():
            if line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
                taken += 1
            writer.write(b"250 OK\r\n")
            if taken == 2 and connections == 1:
                return

    async with scripted(talk) as url:
        connection = SmtpConnection(url)
        assert await sent(connection, letter(), letter()) == [None, None]
        await asyncio.sleep(0.05)
        assert await sent(connection, letter()) == [None]
        assert connections == 2
        connection.close()


@pytest.mark.parametrize("starttls", ["", "?starttls=never"])
async def test_letters_are_pipelined_whether_tls_is_looked_for_or_not(
    starttls: str,
) -> None:
    """One that asks for no TLS still asks what else the server can (EHLO)."""
    said: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while line := await reader.readline():
            said.append(line.split()[0])
            if line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
            writer.write(b"250 OK\r\n")

    async with scripted(talk) as url:
        connection = SmtpConnection(url + starttls)
        assert await sent(connection, letter(), letter()) == [None, None]
        assert said == [b"RSET", b"MAIL", b"RCPT", b"BDAT"] * 2
        connection.close()


def test_a_connection_that_stood_idle_after_the_server_left_is_opened_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The shop's own loop, uvloop, refuses to write a QUIT to nobody."""
    monkeypatch.setattr("actors.messaging.smtp.IDLE_SECONDS_MAX", 0.01)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while line := await reader.readline():
            if line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
                writer.write(b"250 OK\r\n" * 4)
                return

    async def send_twice() -> list[Outcome]:
        async with scripted(talk) as url:
            connection = SmtpConnection(url)
            first = await sent(connection, letter())
            await asyncio.sleep(0.05)
            again = await sent(connection, letter())
            connection.close()
        return first + again

    assert uvloop.run(send_twice()) == [None, None]


def test_the_delay_grows_is_spread_and_ends() -> None:
    def seconds(attempts: int, **more: Any) -> float:
        at = next_attempt(attempts, NOW, permanent=False, **more)
        assert at is not None
        return (at - NOW).total_seconds()

    assert [seconds(n) for n in range(8)] == [5, 15, 45, 135, 405, 1215, 3600, 3600]
    assert (seconds(0, chance=0.0), seconds(0, chance=1.0)) == (4.5, 5.5)
    assert seconds(0, after_seconds=60) == 60
    assert seconds(0, after_seconds=1e9) == 3600
    assert next_attempt(ATTEMPTS_MAX - 1, NOW, permanent=False) is None
    assert next_attempt(0, NOW, permanent=True) is None
