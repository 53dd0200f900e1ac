"""SMS by Twilio's API, against a double of it on a real port."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings, SettingsError
from bus.messaging import (
    TWILIO_PATH,
    GetMessage,
    MessageView,
    NoteReport,
    ReadSmsStatus,
    SendSms,
)
from tests.messaging.servers import scripted
from tests.messaging.support import eventually, settled

TOKEN = "a token of the account"
SHOP = "https://shop.example"
TAKEN = (201, {}, '{"sid": "SM1", "status": "queued"}')
BAD_NUMBER = (400, {}, '{"code": 21211, "message": "Invalid +4917012345"}')


class TwilioDouble:
    """Answers each POST with the next of `answers`, the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str], str] | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, dict[str, list[str]]]] = []

    @asynccontextmanager
    async def settings(self, **more: Any) -> AsyncIterator[Settings]:
        """A shop's settings that name this double, as long as it stands."""
        async with scripted(self._talk) as url:
            yield Settings().changed(
                twilio_url=url.replace("smtp", "http"),
                twilio_account_sid="AC1",
                twilio_auth_token=TOKEN,
                **{"twilio_from": "+15005550006", "public_url": SHOP, **more},
            )

    async def _talk(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while head := await _head(reader):
            line, *lines = head.decode().split("\r\n")
            headers = dict(row.lower().split(": ", 1) for row in lines if ": " in row)
            body = await reader.readexactly(int(headers["content-length"]))
            login = next(
                row for row in lines if row.lower().startswith("authorization")
            )
            self.asked.append((line, login, parse_qs(body.decode())))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                return  # no answer: nobody knows what became of it
            status, more, said = answer
            named = {"Content-Length": str(len(said)), **more}
            rows = "".join(f"{name}: {value}\r\n" for name, value in named.items())
            writer.write(f"HTTP/1.1 {status} X\r\n{rows}\r\n{said}".encode())


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def sms(to: str = "+4917012345") -> SendSms:
    return SendSms(
        message_id=new_id(), to=to, template="letter", data={"subject": "Hello"}
    )


async def view_of(shop: Any, message: SendSms) -> MessageView:
    view: MessageView = await shop.ask(GetMessage(message_id=message.message_id))
    return view


def signature(url: str, form: dict[str, str]) -> str:
    """As Twilio signs: the URL, then names and values in their order."""
    said = url + "".join(name + form[name] for name in sorted(form))
    digest = hmac.new(TOKEN.encode(), said.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def callback(message: SendSms, **form: str) -> ReadSmsStatus:
    """What Twilio would post of a message."""
    path = f"{TWILIO_PATH}?message_id={message.message_id}"
    return ReadSmsStatus(
        path=path, body=urlencode(form).encode(), signature=signature(SHOP + path, form)
    )


async def test_an_sms_is_taken_and_its_callback_says_that_it_arrived(shop: Any) -> None:
    twilio = TwilioDouble(TAKEN)
    async with (
        twilio.settings() as settings,
        shop("messaging", settings=settings) as s,
    ):
        message = sms()
        await s.ask(message)
        await settled(s)
        ((line, login, form),) = twilio.asked
        assert line == "POST /2010-04-01/Accounts/AC1/Messages.json HTTP/1.1"
        word = base64.b64encode(f"AC1:{TOKEN}".encode()).decode()
        assert login.endswith(f"Basic {word}")
        place = f"{SHOP}{TWILIO_PATH}?message_id={message.message_id}"
        assert form == {
            "To": ["+4917012345"],
            "From": ["+15005550006"],
            "Body": ["Hello"],
            "StatusCallback": [place],
        }
        for status, end in (("queued", None), ("delivered", "delivered")):
            report = await s.ask(callback(message, MessageStatus=status, To="+49170"))
            assert (report and report.end) == end
        good = callback(message, MessageStatus="delivered")
        for wrong in (
            ReadSmsStatus(path=good.path, body=good.body, signature="AAAA"),
            ReadSmsStatus(path=good.path, body=b"a=b", signature=good.signature),
            ReadSmsStatus(path="/x", body=good.body, signature=good.signature),
            ReadSmsStatus(path=good.path, body=b"\xff", signature=""),
        ):
            with pytest.raises(Refusal, match="signature-invalid"):
                await s.ask(wrong)
        note = NoteReport(message_id=message.message_id, end="delivered", reason="x")
        await asyncio.gather(*(s.ask(note) for _ in range(5)))
        assert (await view_of(s, message)).status == "DELIVERED"
        assert [event["type"] for event in await s.events()] == [
            "messaging.message_sent.v1"
        ]


async def test_an_sms_that_does_not_arrive_came_back_and_no_fact_has_the_number(
    shop: Any,
) -> None:
    twilio = TwilioDouble(TAKEN)
    async with (
        twilio.settings() as settings,
        shop("messaging", settings=settings) as s,
    ):
        message = sms()
        await s.ask(message)
        await settled(s)
        late = await s.ask(
            callback(message, MessageStatus="undelivered", ErrorCode="30003")
        )
        came = NoteReport(message_id=late.message_id, end=late.end, reason=late.reason)
        await s.ask(came)
        view = await view_of(s, message)
        assert (view.status, view.reason) == ("BOUNCED", "sms-undelivered-30003")
        assert (await s.rows("messaging", "SELECT * FROM suppressions")) == []
        kept = str(
            [
                await s.rows("messaging", f"SELECT * FROM {t}")
                for t in ("outbox", "handled", "due")
            ]
        )
        assert "4917012345" not in kept


@pytest.mark.full
async def test_what_twilio_refuses_is_given_up_and_what_it_cannot_do_now_comes_again(
    shop: Any,
) -> None:
    busy = (429, {"Retry-After": "120"}, "{}")
    twilio = TwilioDouble(BAD_NUMBER, busy, (503, {}, "sorry"), None, TAKEN)
    async with (
        twilio.settings(twilio_from="MG1", public_url="") as settings,
        shop("messaging", settings=settings) as s,
    ):
        bad, local = sms(), sms("017012345")
        await s.ask(bad)
        await s.ask(local)
        await settled(s)
        view = await view_of(s, bad)
        assert (view.status, view.reason) == ("FAILED", "sms-refused-21211")
        assert [one.reason for one in view.tries] == ["sms-refused-21211"]
        assert "4917012345" not in str(await s.events())
        assert (await view_of(s, local)).reason == "number-unusable"
        assert len(twilio.asked) == 1
        assert twilio.asked[0][2].keys() == {"To", "Body", "MessagingServiceSid"}
        message = sms()
        await s.ask(message)
        reasons = (
            *("sms-provider-busy", "sms-provider-503"),
            "sms-provider-unreachable",
        )
        for tried, reason in enumerate(reasons, 1):

            async def deferred(tried: int = tried) -> bool:
                return (await view_of(s, message)).attempts == tried

            await eventually(deferred)
            view = await view_of(s, message)
            assert (view.status, view.reason) == ("QUEUED", reason)
            assert view.next_attempt_at is not None
            if tried == 1:
                waits = (view.next_attempt_at - view.updated_at).total_seconds()
                assert 119 < waits < 121
            await (await s.database("messaging")).execute("UPDATE due SET at = now()")
        await settled(s)
        view = await view_of(s, message)
        assert (view.status, view.attempts) == ("SENT", 4)
        assert [one.reason for one in view.tries] == list(reasons)


def test_an_account_is_whole_or_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="go together"):
        Settings.load({"SOUK_TWILIO_ACCOUNT_SID": "AC1"})
    assert TOKEN not in repr(
        Settings().changed(
            twilio_account_sid="AC1", twilio_auth_token=TOKEN, twilio_from="MG1"
        )
    )
