"""Mails and SMS asked for over NATS."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bus.messaging import ListMailbox, ListMessages
from tests.kit.over_nats import over_nats, refused
from tests.messaging.support import settled

TO = "ann@example.com"
PHONE = "+4917012345"
LETTER = {"to": TO, "subject": "S", "text": "T"}


async def caught(shop: Any) -> list[tuple[str, str, str, str]]:
    """(channel, to, subject, text) of all that came, the oldest first."""
    await settled(shop)
    items = (await shop.ask(ListMailbox())).items
    return [(one.channel, one.to, one.subject, one.text) for one in reversed(items)]


async def test_a_mail_says_what_its_sender_wrote(shop: Any) -> None:
    async with shop("messaging") as s:
        written = {"subject": "Grüße\r\nBcc: x@y.example", "text": "One <b>\nTwo"}
        assert await over_nats(s, "email.send", to=TO, **written) == {}
        ((channel, to, subject, text),) = await caught(s)
        assert (channel, to, text.rstrip("\n")) == ("email", TO, "One <b>\nTwo")
        assert subject == "Grüße Bcc: x@y.example"
        (mail,) = (await s.ask(ListMailbox())).items
        assert "One &lt;b&gt;" in mail.html


@pytest.mark.parametrize("subject", ["email.send", "email.send-template"])
async def test_a_mail_is_made_from_a_template(shop: Any, subject: str) -> None:
    async with shop("messaging") as s:
        data = {"title": "We close early", "body": "At four."}
        body = {"to": TO, "template": "notification", "data": data}
        assert await over_nats(s, subject, **body) == {}
        ((_, _, said, text),) = await caught(s)
        assert said == "We close early"
        assert "At four." in text


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("email.send", {"to": TO, "subject": "One", "text": "Said twice."}),
        (
            "email.send-template",
            {"to": TO, "template": "notification", "data": {"title": "T", "body": "B"}},
        ),
        ("sms.send", {"to": PHONE, "text": "Said twice."}),
    ],
    ids=["mail", "template", "sms"],
)
async def test_a_key_sends_once_and_takes_no_other_body(
    shop: Any, subject: str, body: dict[str, Any]
) -> None:
    """Overlapping, late, and after the shard has died."""
    async with shop("messaging", shards=2) as s:
        keyed = {**body, "idempotency_key": uuid4().hex}
        asks = (over_nats(s, subject, **keyed) for _ in range(8))
        assert await asyncio.gather(*asks) == [{}] * 8
        assert len(await caught(s)) == 1
        for shard in (0, 1):
            await s.kill("messaging", shard)
            await s.restart("messaging", shard)
        assert await over_nats(s, subject, **keyed) == {}
        other = {"to": "+4917099999" if subject == "sms.send" else "bob@example.com"}
        code = await refused(s, subject, **{**keyed, **other})
        assert code == "idempotency-key-reused"
        assert len(await caught(s)) == 1
        await over_nats(s, subject, **body)
        await over_nats(s, subject, **body)
        assert len(await caught(s)) == 3
        kept = str(await s.rows("messaging", "SELECT * FROM handled"))
        assert "example" not in kept
        assert "4917012345" not in kept


async def test_an_sms_says_what_its_sender_wrote(shop: Any) -> None:
    async with shop("messaging") as s:
        text = "Your parcel is at the door.\nRing twice."
        await over_nats(s, "sms.send", to=PHONE, text=text)
        assert await caught(s) == [("sms", PHONE, "", text)]


NEVER: list[tuple[str, dict[str, Any], str]] = [
    ("email.send", {"to": TO}, "content-required"),
    ("email.send", {"to": TO, "subject": "S"}, "content-required"),
    ("email.send", {**LETTER, "template": "notification"}, "content-required"),
    ("email.send", {**LETTER, "data": {"a": 1}}, "content-required"),
    ("email.send", {**LETTER, "subject": ""}, "invalid-request"),
    ("email.send", {**LETTER, "to": "nobody"}, "invalid-request"),
    ("email.send", {**LETTER, "to": "a>b@example.com"}, "address-unusable"),
    ("email.send-template", {"to": TO, "template": "no_such"}, "template-unknown"),
    ("email.send-template", {"to": TO, "template": "low_stock"}, "template-data-wrong"),
    ("email.send-template", {"to": TO, "template": "../x"}, "invalid-request"),
    ("sms.send", {"to": "017012345", "text": "T"}, "invalid-request"),
    ("sms.send", {"to": PHONE, "text": "x" * 460}, "invalid-request"),
    ("sms.send", {"to": PHONE, "text": "T", "from": "x"}, "invalid-request"),
]


async def test_what_could_never_be_sent_is_refused_and_leaves_nothing(
    shop: Any,
) -> None:
    async with shop("messaging") as s:
        for subject, body, code in NEVER:
            assert await refused(s, subject, **body) == code, body
        assert (await s.ask(ListMessages())).items == ()
