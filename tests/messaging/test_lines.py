"""Nothing waits for what it has nothing to do with: lines, slow servers, hangs."""

import asyncio
from typing import Any

import pytest

from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from bus.messaging import GetMessage, ListMailbox, MessageView, SendEmail, SendSms
from tests.messaging.servers import Server, mail_server
from tests.messaging.support import confirmed, eventually

SLOW_SECONDS = 3.0


async def view_of(shop: Any, message: Any) -> MessageView:
    view: MessageView = await shop.ask(GetMessage(message_id=message.message_id))
    return view


@pytest.mark.full
async def test_a_thousand_promotions_delay_neither_codes_nor_sms(shop: Any) -> None:
    server = Server()
    server.delay_seconds = SLOW_SECONDS
    async with (
        mail_server(server) as url,
        shop("messaging", settings=Settings().changed(smtp_url=url)) as s,
    ):
        loop = asyncio.get_running_loop()
        mails = [confirmed(f"p{n}@example.com") for n in range(1_000)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        code = SendEmail(
            message_id=new_id(),
            to="ann@example.com",
            template="verify_email",
            data={"code": "271828"},
            priority="security",
        )
        sms = SendSms(
            message_id=new_id(),
            to="+4917012345",
            template="letter",
            data={"subject": "Your parcel is here."},
        )
        begun = loop.time()
        await asyncio.gather(s.ask(code), s.ask(sms))

        async def sms_is_sent() -> bool:
            return (await view_of(s, sms)).status == "SENT"

        await eventually(sms_is_sent)
        assert loop.time() - begun < SLOW_SECONDS / 2
        assert (await s.ask(ListMailbox(to=sms.to))).items[0].text == (
            "Your parcel is here."
        )

        async def code_is_sent() -> bool:
            return (await view_of(s, code)).status == "SENT"

        await eventually(code_is_sent)
        assert loop.time() - begun < SLOW_SECONDS * 1.6
        assert len(server.taken) < 12


@pytest.mark.full
async def test_a_letter_is_marked_soon_after_it_is_taken(shop: Any) -> None:
    """However slow the server: a crash sends few mails twice."""
    server = Server()
    server.delay_seconds = 0.6
    async with (
        mail_server(server) as url,
        shop("messaging", settings=Settings().changed(smtp_url=url)) as s,
    ):
        mails = [confirmed(f"p{n}@example.com") for n in range(40)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        for _ in range(8):
            await asyncio.sleep(1)
            rows = await s.rows(
                "messaging", "SELECT count(*) AS n FROM messages WHERE status = 'SENT'"
            )
            assert len(server.taken) - rows[0]["n"] <= 4 * 4
