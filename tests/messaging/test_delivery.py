"""Mails and SMS from the ask to the mailbox, on the embedded SMTP server."""

import asyncio
from typing import Any

from bus.kit.addressing import new_id
from bus.messaging import GetMessage, ListMailbox, ListMessages, SendEmail, SendSms
from tests.messaging.support import confirmed, settled


async def test_a_mail_that_was_asked_for_is_in_the_mailbox(shop: Any) -> None:
    async with shop("messaging") as s:
        mail = confirmed("ann@example.com", number="SK-7")
        await s.ask(mail)
        await settled(s)
        page = await s.ask(ListMailbox())
        (caught,) = page.items
        assert (caught.channel, caught.to) == ("email", "ann@example.com")
        assert caught.subject == "Your order SK-7 is confirmed"
        assert "your payment of $19.99" in caught.text
        assert caught.html is not None
        assert "Hello Ann," in caught.html
        view = await s.ask(GetMessage(message_id=mail.message_id))
        assert (view.status, view.attempts, view.reason) == ("SENT", 1, None)


async def test_a_message_id_sends_once_however_often_it_is_asked(shop: Any) -> None:
    async with shop("messaging") as s:
        mail = confirmed("ann@example.com")
        await asyncio.gather(*(s.ask(mail) for _ in range(20)))
        await s.ask(mail)
        await settled(s)
        await s.ask(mail)
        await settled(s)
        assert len((await s.ask(ListMailbox())).items) == 1
        assert [event["type"] for event in await s.events()] == [
            "messaging.message_sent.v1"
        ]


async def test_hundreds_of_mails_all_arrive_and_each_is_marked(shop: Any) -> None:
    async with shop("messaging", shards=2) as s:
        mails = [confirmed(f"p{n}@example.com", number=f"SK-{n}") for n in range(300)]
        await asyncio.gather(*(s.ask(mail) for mail in mails))
        await settled(s)
        rows = await s.rows("messaging", "SELECT recipient FROM mailbox")
        assert sorted(row["recipient"] for row in rows) == sorted(m.to for m in mails)
        left = await s.rows(
            "messaging", "SELECT count(*) FROM messages WHERE status <> 'SENT'"
        )
        assert left[0]["count"] == 0
        assert len(await s.events()) == 300


async def test_an_sms_is_caught_by_the_mailbox(shop: Any) -> None:
    async with shop("messaging") as s:
        sms = SendSms(
            message_id=new_id(),
            to="+4917012345",
            template="order_delivered",
            data={"number": "SK-7"},
        )
        await s.ask(sms)
        await settled(s)
        (caught,) = (await s.ask(ListMailbox())).items
        assert (caught.channel, caught.to, caught.html) == ("sms", "+4917012345", None)
        assert caught.text == "Your order SK-7 has arrived"


async def test_what_cannot_be_a_mail_is_a_visible_dead_end(shop: Any) -> None:
    async with shop("messaging") as s:
        wrong = {
            "template-unknown": SendEmail(
                message_id=new_id(), to="a@example.com", template="nothing"
            ),
            "template-data-wrong": SendEmail(
                message_id=new_id(), to="a@example.com", template="order_confirmed"
            ),
            "address-unusable": confirmed("a@example.com>\r\nRCPT TO:<b@example.com"),
        }
        await asyncio.gather(*(s.ask(mail) for mail in wrong.values()))
        await settled(s)
        for reason, mail in wrong.items():
            view = await s.ask(GetMessage(message_id=mail.message_id))
            assert (view.status, view.reason) == ("FAILED", reason)
        failed = await s.ask(ListMessages(status="FAILED"))
        assert {view.id for view in failed.items} == {
            mail.message_id for mail in wrong.values()
        }
        assert {event["data"]["reason"] for event in await s.events()} == set(wrong)
        assert (await s.ask(ListMailbox())).items == ()


async def test_a_code_rests_no_longer_than_until_its_mail_is_sent(shop: Any) -> None:
    async with shop("messaging") as s:
        code = SendEmail(
            message_id=new_id(),
            to="ann@example.com",
            template="verify_email",
            data={"code": "271828"},
            priority="security",
        )
        await s.ask(code)
        await settled(s)
        (row,) = await s.rows("messaging", "SELECT data, security FROM messages")
        assert row == {"data": None, "security": True}
        assert "271828" not in str(await s.events())


async def test_a_hostile_name_stays_text_in_html_and_ends_no_header(shop: Any) -> None:
    async with shop("messaging") as s:
        mail = confirmed(
            "ann@example.com", name="<script>\r\nBcc: x@y", number="1\r\nBcc: a@b.c"
        )
        await s.ask(mail)
        await settled(s)
        (row,) = await s.rows("messaging", "SELECT content FROM mailbox")
        head, _, _ = row["content"].partition(b"\r\n\r\n")
        assert b"\r\nBcc:" not in head
        (caught,) = (await s.ask(ListMailbox())).items
        assert caught.subject == "Your order 1 Bcc: a@b.c is confirmed"
        assert "<script>" not in (caught.html or "")


async def test_the_log_is_paged_and_filtered(shop: Any) -> None:
    async with shop("messaging") as s:
        mails = [confirmed(f"p{n % 2}@example.com") for n in range(7)]
        for mail in mails:
            await s.ask(mail)
        await settled(s)
        first = await s.ask(ListMessages(limit=4))
        rest = await s.ask(ListMessages(limit=4, cursor=first.next_cursor))
        assert rest.next_cursor is None
        seen = [view.id for view in first.items + rest.items]
        assert seen == sorted((mail.message_id for mail in mails), reverse=True)
        mine = await s.ask(ListMessages(recipient="p1@example.com"))
        assert len(mine.items) == 3
