"""The shop's own templates as mails are made of them, by every shard at once."""

import asyncio
from typing import Any

import pytest

from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.messaging import (
    ChangeTemplate,
    CreateTemplate,
    GetMessage,
    ListMailbox,
    RemoveTemplate,
    SendEmail,
    TemplateText,
)
from tests.kit.over_nats import over_nats, refused
from tests.messaging.support import settled

ADMIN = new_id()


def content(subject: str, **more: Any) -> TemplateText:
    parts = {"mjml": "<mj-text>{{ body }}</mj-text>", "text": "{{ body }}", **more}
    return TemplateText(subject=subject, **parts)


async def subjects(shop: Any, locale: str = "en", **data: Any) -> set[str]:
    """The subjects of eight mails, which all shards have a part in."""
    to = f"{new_id()}@example.com"
    data = {"title": "T", "body": "B", **data}
    mails = [
        SendEmail(
            message_id=new_id(),
            to=to,
            template="notification",
            data=data,
            locale=locale,
        )
        for _ in range(8)
    ]
    await asyncio.gather(*(shop.ask(mail) for mail in mails))
    await settled(shop)
    return {mail.subject for mail in (await shop.ask(ListMailbox(to=to))).items}


async def test_a_change_counts_at_once_in_every_shard_and_locale(shop: Any) -> None:
    about: dict[str, Any] = {
        "name": "notification",
        "locale": "en",
        "actor_id": ADMIN,
    }
    async with shop("messaging", shards=3) as s:
        assert await subjects(s) == {"T"}
        create = CreateTemplate(content=content("1 {{ title }}"), **about)
        made = await asyncio.gather(
            *(s.ask(create) for _ in range(4)), return_exceptions=True
        )
        codes = [one.code for one in made if isinstance(one, Refusal)]
        assert codes == ["template-exists"] * 3
        assert await subjects(s) == {"1 T"}
        assert await subjects(s, "fr") == {"1 T"}
        assert await subjects(s, "de") == {"T"}, "a shipped one in the reader's own"
        for version in (1, 2):
            change = ChangeTemplate(
                content=content(f"{version + 1} {{{{ title }}}}"),
                version=version,
                **about,
            )
            again = await asyncio.gather(
                *(s.ask(change) for _ in range(3)), return_exceptions=True
            )
            stale = [one.code for one in again if isinstance(one, Refusal)]
            assert stale == ["version-mismatch"] * 2
            assert await subjects(s) == {f"{version + 1} T"}
        for shard in range(3):
            await s.kill("messaging", shard)
            await s.restart("messaging", shard)
        assert await subjects(s) == {"3 T"}
        await s.ask(RemoveTemplate(version=3, **about))
        assert await subjects(s) == {"T"}
        kept = await s.rows("messaging", "SELECT * FROM outbox")
        assert "{{" not in str(kept)


async def test_an_own_version_that_fails_does_not_keep_a_mail_back(shop: Any) -> None:
    """It was right for its sample; a mail whose data differ is made as shipped."""
    async with shop("messaging") as s:
        await s.ask(
            CreateTemplate(
                name="order_shipped",
                locale="en",
                content=content(
                    "{{ number[3] }}", mjml="<mj-text>x</mj-text>", text="x"
                ),
                actor_id=ADMIN,
            )
        )
        data = {"carrier": "DHL", "tracking_number": "J"}
        for number, subject in (("1234", "4"), ("12", "Your order 12 is on its way")):
            mail = SendEmail(
                message_id=new_id(),
                to="ann@example.com",
                template="order_shipped",
                data={**data, "number": number},
            )
            await s.ask(mail)
            await settled(s)
            assert (await s.ask(GetMessage(message_id=mail.message_id))).reason is None
            newest = (await s.ask(ListMailbox())).items[0]
            assert newest.subject == subject


async def test_nats_callers_use_the_same_templates(shop: Any) -> None:
    async with shop("messaging", shards=2) as s:
        sample = {"who": "Ann"}
        hello = content("Hello {{ who }}", text="Hello!", sample=sample)
        body = {"to": "ann@example.com", "template": "we-say-hello"}
        code = await refused(s, "email.send-template", **body)
        assert code == "template-unknown"
        with pytest.raises(Refusal, match="template-broken"):
            await s.ask(
                CreateTemplate(
                    name="we-say-hello", locale="en", content=hello, actor_id=ADMIN
                )
            )
        fine = content(
            "Hello {{ who }}",
            text="Hello!",
            mjml="<mj-text>{{ who }}</mj-text>",
            sample=sample,
        )
        await s.ask(
            CreateTemplate(
                name="we-say-hello", locale="en", content=fine, actor_id=ADMIN
            )
        )
        code = await refused(s, "email.send-template", **body)
        assert code == "template-data-wrong"
        await over_nats(s, "email.send-template", **body, data={"who": "Bo"})
        await settled(s)
        (mail,) = (await s.ask(ListMailbox())).items
        assert (mail.subject, mail.text) == ("Hello Bo", "Hello!")
