"""What comes back: bounces are proven, counted once, and stop mail to nobody else."""

import asyncio
import json
from typing import Any

import pytest

from actors.messaging.return_paths import ReturnPaths
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.messaging import (
    GetMessage,
    ListSuppressions,
    MessageView,
    NoteReport,
    ReadBounce,
    RemoveSuppression,
    SendEmail,
)
from tests.messaging.servers import Server, mail_server
from tests.messaging.support import confirmed, settled

KEYS = "old-key,older-key"
SETTINGS = Settings().changed(
    bounce_address="bounces@shop.example", encryption_keys=KEYS
)
PATHS = ReturnPaths("bounces@shop.example", ["old-key"])
REPORT = """\
From: MAILER-DAEMON@mx.example
To: {to}
Subject: Undelivered Mail Returned to Sender
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
MIME-Version: 1.0

--b
Content-Type: text/plain

It could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; ann@example.com
Action: {action}
Status: {status}

--b
Content-Type: text/rfc822-headers

Subject: Your order

--b--
"""


def report(to: str, status: str = "5.1.1", action: str = "failed") -> ReadBounce:
    """A bounce as a mail server writes it."""
    text = REPORT.format(to=to, status=status, action=action)
    return ReadBounce(content=text.encode(), content_type="message/rfc822")


def said(**fields: str) -> ReadBounce:
    """A bounce as a provider says it."""
    return ReadBounce(
        content=json.dumps(fields).encode(), content_type="application/json"
    )


async def note(shop: Any, query: ReadBounce) -> None:
    """What the route does with a report."""
    found = await shop.ask(query)
    if found is not None:
        await shop.ask(
            NoteReport(message_id=found.message_id, end=found.end, reason=found.reason)
        )


async def view_of(shop: Any, mail: SendEmail) -> MessageView:
    view: MessageView = await shop.ask(GetMessage(message_id=mail.message_id))
    return view


async def delivered(shop: Any, to: str, **more: Any) -> SendEmail:
    """A mail that was handed over, or given up."""
    mail = confirmed(to)
    if more:
        mail = SendEmail(message_id=new_id(), to=to, **more)
    await shop.ask(mail)
    await settled(shop)
    return mail


def path_of(mail: SendEmail) -> str:
    """Its return path."""
    path = PATHS.of(mail.message_id)
    assert path is not None
    return path


async def test_a_mailbox_that_is_not_there_gets_no_more_but_codes(shop: Any) -> None:
    async with shop("messaging", settings=SETTINGS, shards=2) as s:
        first = await delivered(s, "Ann@example.com")
        bounce = report(path_of(first).upper())
        await asyncio.gather(*(note(s, bounce) for _ in range(4)))
        view = await view_of(s, first)
        assert (view.status, view.reason) == ("BOUNCED", "bounced-5.1.1")
        assert [one.reason for one in view.tries] == ["bounced-5.1.1"]
        (known,) = (await s.ask(ListSuppressions())).items
        assert (known.address, known.bounces, known.suppressed) == (
            *("ann@example.com", 1),
            True,
        )
        second = await delivered(s, "ann@example.com")
        view = await view_of(s, second)
        assert (view.status, view.reason) == ("FAILED", "recipient-suppressed")
        code = {"template": "verify_email", "data": {"code": "1"}}
        third = await delivered(s, "ann@example.com", priority="security", **code)
        assert (await view_of(s, third)).status == "SENT"
        assert (
            await view_of(s, await delivered(s, "bob@example.com"))
        ).status == "SENT"
        events = await s.events()
        reasons = [e["data"]["reason"] for e in events if "failed" in e["type"]]
        assert sorted(reasons) == ["bounced-5.1.1", "recipient-suppressed"]
        assert "example.com" not in str(events)
        await s.ask(RemoveSuppression(address="ann@example.com"))
        with pytest.raises(Refusal, match="not-found"):
            await s.ask(RemoveSuppression(address="ann@example.com"))
        assert (
            await view_of(s, await delivered(s, "ann@example.com"))
        ).status == "SENT"


async def test_a_full_mailbox_counts_and_five_times_is_enough(shop: Any) -> None:
    async with shop("messaging", settings=SETTINGS) as s:
        for count in range(1, 6):
            mail = await delivered(s, "ann@example.com")
            path = path_of(mail)
            await note(s, said(return_path=path, action="delayed", status="4.2.2"))
            assert (await view_of(s, mail)).status == "SENT"
            await note(s, said(return_path=path, action="failed", status="5.2.2"))
            await note(s, report(path))
            (known,) = (await s.ask(ListSuppressions())).items
            assert (known.bounces, known.suppressed) == (count, count == 5)
        mail = await delivered(s, "ann@example.com")
        assert (await view_of(s, mail)).reason == "recipient-suppressed"


async def test_nobody_can_have_a_strangers_address_stopped(shop: Any) -> None:
    async with shop("messaging", settings=SETTINGS) as s:
        mail = await delivered(s, "ann@example.com")
        other = await delivered(s, "bob@example.com")
        good = path_of(mail)
        tag, domain = good.split("@")
        mixed = good.replace(mail.message_id.hex, other.message_id.hex)
        forged = ReturnPaths("bounces@shop.example", ["a guess"]).of(mail.message_id)
        for query in (
            report("ann@example.com"),
            report(mixed),
            report(str(forged)),
            report(f"{tag[:-1]}@{domain}"),
            said(return_path=mixed),
            said(recipient="ann@example.com"),
            ReadBounce(content=b"[1]", content_type="application/json"),
            ReadBounce(content=b"\xff\xfe\x00", content_type=""),
            ReadBounce(content=b"[" * 100_000, content_type="application/json"),
            ReadBounce(content=b"To: x\r\n" * 100_000, content_type="message/rfc822"),
        ):
            with pytest.raises(Refusal, match="signature-invalid"):
                await s.ask(query)
        note_only = f"To: {good}\nSubject: On holiday\n\nBack in May.\n".encode()
        holiday = ReadBounce(content=note_only, content_type="message/rfc822")
        assert await s.ask(holiday) is None
        assert (await view_of(s, mail)).status == "SENT"
        assert (await s.ask(ListSuppressions())).items == ()
        older = ReturnPaths("bounces@shop.example", ["older-key"]).of(mail.message_id)
        assert (await s.ask(report(str(older)))).end == "hard"


async def test_a_mail_leaves_with_its_own_return_path(shop: Any) -> None:
    senders: list[str] = []

    class Noting(Server):
        async def handle_MAIL(  # noqa: N802 - aiosmtpd calls it so
            self, _server: Any, _session: Any, envelope: Any, address: str, _: Any
        ) -> str:
            senders.append(address)
            envelope.mail_from = address
            return "250 OK"

    server = Noting()
    async with mail_server(server) as url:
        for settings in (SETTINGS, Settings()):
            changed = settings.changed(smtp_url=url)
            async with shop("messaging", settings=changed) as s:
                mail = await delivered(s, "ann@example.com")
                expected = (
                    path_of(mail) if settings is SETTINGS else "shop@souk.example"
                )
                assert senders.pop() == expected
                assert len(expected.partition("@")[0]) <= 64
                assert b"From: Souk <shop@souk.example>" in server.taken[-1][1]
