"""Mail servers that refuse, vanish or are slow, and shards that die meanwhile."""

import asyncio
import socket
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.messaging import GetMessage, ListMailbox, MessageView, RetryMessage, SendEmail
from tests.messaging.servers import Server, greet, mail_server, scripted
from tests.messaging.support import confirmed, eventually, settled


def sending_to(url: str) -> Settings:
    return Settings().changed(smtp_url=url)


async def view_of(shop: Any, mail: SendEmail) -> MessageView:
    view: MessageView = await shop.ask(GetMessage(message_id=mail.message_id))
    return view


async def make_due(shop: Any, message_id: UUID) -> None:
    """Bring the next try forward to now."""
    connection = await shop.database("messaging")
    await connection.execute(
        "UPDATE due SET at = now() WHERE name = $1", f"message:{message_id}"
    )


async def test_a_server_without_pipelining_gets_every_mail(shop: Any) -> None:
    server = Server()
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        mails = [confirmed(f"p{n}@example.com") for n in range(20)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        await settled(s)
        assert sorted(to for to, _ in server.taken) == sorted(m.to for m in mails)
        assert server.connections <= 2, "a second one helps where the first is slow"
        assert (await s.ask(ListMailbox())).items == ()


async def test_a_refused_recipient_is_given_up_and_stops_no_other(shop: Any) -> None:
    server = Server()
    server.refused["gone@example.com"] = "550 no such gone@example.com"
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        gone, ann = confirmed("gone@example.com"), confirmed("ann@example.com")
        await asyncio.gather(s.ask(gone), s.ask(ann))
        await settled(s)
        assert (await view_of(s, ann)).status == "SENT"
        view = await view_of(s, gone)
        assert (view.status, view.reason) == ("FAILED", "recipient-refused-550")
        events = await s.events()
        assert {event["type"] for event in events} == {
            "messaging.message_sent.v1",
            "messaging.message_failed.v1",
        }
        assert "example.com" not in str(events)


async def test_a_deferred_mail_is_tried_again_when_it_is_due(shop: Any) -> None:
    server = Server()
    server.refused["ann@example.com"] = "451 try later"
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        mail = confirmed("ann@example.com")
        await s.ask(mail)

        async def deferred() -> bool:
            return (await view_of(s, mail)).reason == "recipient-refused-451"

        await eventually(deferred)
        view = await view_of(s, mail)
        assert (view.status, view.attempts) == ("QUEUED", 1)
        assert view.next_attempt_at is not None
        assert 4 < (view.next_attempt_at - view.updated_at).total_seconds() < 6
        server.refused.clear()
        await make_due(s, mail.message_id)
        await settled(s)
        view = await view_of(s, mail)
        assert (view.status, view.attempts, view.reason) == ("SENT", 2, None)
        (due,) = await s.rows("messaging", "SELECT count(*) AS n FROM due")
        assert due["n"] == 0


async def test_a_server_that_is_away_loses_nothing(shop: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with shop("messaging", settings=sending_to(f"smtp://127.0.0.1:{port}")) as s:
        mail = confirmed("ann@example.com")
        await s.ask(mail)

        async def deferred() -> bool:
            return (await view_of(s, mail)).reason == "server-unreachable"

        await eventually(deferred)
        assert (await view_of(s, mail)).status == "QUEUED"


async def test_an_admin_retries_what_failed_and_nothing_else(shop: Any) -> None:
    server = Server()
    server.refused["ann@example.com"] = "550 no"
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        mail = confirmed("ann@example.com")
        await s.ask(mail)
        await settled(s)
        server.refused.clear()
        again = new_id()
        await s.ask(RetryMessage(message_id=mail.message_id), id=again)
        await settled(s)
        assert (await view_of(s, mail)).status == "SENT"
        await s.ask(RetryMessage(message_id=mail.message_id), id=again)
        assert len(server.taken) == 1
        with pytest.raises(Refusal, match="message-not-failed"):
            await s.ask(RetryMessage(message_id=mail.message_id))
        with pytest.raises(Refusal, match="not-found"):
            await s.ask(RetryMessage(message_id=new_id()))


async def test_a_slow_server_slows_neither_asks_nor_security_mail(shop: Any) -> None:
    server = Server()
    server.delay_seconds = 0.5
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        loop = asyncio.get_running_loop()
        begun = loop.time()
        mails = [confirmed(f"p{n}@example.com") for n in range(200)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        assert loop.time() - begun < 2
        code = SendEmail(
            message_id=new_id(),
            to="ann@example.com",
            template="password_changed",
            priority="security",
        )
        await s.ask(code)

        async def sent() -> bool:
            return (await view_of(s, code)).status == "SENT"

        await eventually(sent)
        assert len(server.taken) < 20


async def test_a_pipelined_server_may_refuse_one_of_a_window(shop: Any) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        while line := await reader.readline():
            if line.startswith(b"RCPT TO:<gone@"):
                writer.write(b"550-no\r\n550 such mailbox\r\n")
            elif line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
                writer.write(b"250 OK\r\n")
            else:
                writer.write(b"250 OK\r\n")

    async with (
        scripted(talk) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        mails = [confirmed(f"{n}@example.com") for n in ("ann", "gone", "bob")]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        await settled(s)
        ends = [(await view_of(s, mail)).status for mail in mails]
        assert ends == ["SENT", "FAILED", "SENT"]


async def test_a_connection_that_breaks_is_opened_again(shop: Any) -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await greet(reader, writer)
        if connections == 1:
            await reader.readline()
            writer.write(b"421 closing\r\n")
            return
        while line := await reader.readline():
            if line.startswith(b"BDAT"):
                await reader.readexactly(int(line.split()[1]))
            writer.write(b"250 OK\r\n")

    async with (
        scripted(talk) as url,
        shop("messaging", settings=sending_to(url)) as s,
    ):
        mail = confirmed("ann@example.com")
        await s.ask(mail)

        async def deferred() -> bool:
            return (await view_of(s, mail)).reason == "server-connection-lost"

        await eventually(deferred)
        await make_due(s, mail.message_id)
        await settled(s)
        assert (await view_of(s, mail)).status == "SENT"


async def test_what_a_dead_shard_had_queued_its_next_incarnation_sends(
    shop: Any,
) -> None:
    server = Server()
    server.delay_seconds = 30
    async with (
        mail_server(server) as url,
        shop("messaging", settings=sending_to(url), shards=2) as s,
    ):
        mails = [confirmed(f"p{n}@example.com") for n in range(40)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        for number in range(2):
            await s.kill("messaging", number)
        server.delay_seconds = 0
        for number in range(2):
            await s.restart("messaging", number)
        await settled(s)
        assert sorted(to for to, _ in server.taken) == sorted(m.to for m in mails)


async def test_the_mailbox_outlives_the_shard_that_caught_it(shop: Any) -> None:
    async with shop("messaging", shards=2) as s:
        await s.ask(confirmed("ann@example.com"))
        await settled(s)
        for number in range(2):
            await s.kill("messaging", number)
            await s.restart("messaging", number)
        assert len((await s.ask(ListMailbox())).items) == 1
