"""Nobody is told anything, or written to, who is gone; and of old nothing is left."""

from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from bus.messaging import ListMailbox, SendEmail
from bus.notifications import (
    CarryNotification,
    ListNotifications,
    NotificationType,
    SendNotification,
    SetPreferences,
    Told,
)
from bus.users import UserErased
from tests.messaging.servers import Server, mail_server
from tests.messaging.support import eventually, settled
from tests.notifications.support import happens, order_confirmed, person
from tests.users.persons import refused

TABLES = {
    "notifications": ("notifications", "preferences"),
    "messaging": ("messages", "mailbox", "erased_recipients"),
}


async def erase(s: Any, user_id: UUID) -> None:
    """The fact that a person is gone, as the bridge hands it over."""
    for domain in TABLES:
        event = UserErased(user_id=user_id)
        await s.ask(event, id=new_id(), domain=domain, join=True)


async def rows(s: Any) -> dict[str, int]:
    """How many rows each table holds."""
    return {
        table: len(await s.rows(domain, f"SELECT 1 FROM {table}"))
        for domain, tables in TABLES.items()
        for table in tables
    }


async def come_due(s: Any, user_id: UUID) -> None:
    """The minute after, in which mail that had left the queue was caught."""
    name = f"recipients:{user_id}"
    sql = "UPDATE due SET at = now() WHERE name = $1"
    await s.rows("messaging", sql, name)

    async def over() -> bool:
        return not await s.rows("messaging", "SELECT 1 FROM due WHERE name = $1", name)

    await eventually(over)


async def comes_late(s: Any, ann: UUID, choice: Any) -> None:
    """All that can still be said to, or of, somebody who is gone."""
    await happens(s, order_confirmed(ann))
    notice = SendNotification(
        notification_id=new_id(ann),
        user_id=ann,
        type=NotificationType.PROMOTION,
        title="Come back, Ann",
        body="",
    )
    identity = notice.notification_id
    assert await s.ask(notice) == Told(id=identity, email=False, sms=False)
    carry = CarryNotification(user_id=ann, notification_id=identity)
    assert await s.ask(carry) == Told(id=identity, email=False, sms=False)
    mail = SendEmail(
        message_id=new_id(ann), to="ann@example.com", template="x", user_id=ann
    )
    await s.ask(mail)
    again = SetPreferences(user_id=ann, types=choice)
    assert (await refused(s.ask(again))).code == "not-found"


async def test_of_who_is_gone_nothing_is_left_and_nothing_new_is_written(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann", phone="+4917012345"), person("Bob")
        choice: Any = {NotificationType.ORDER_CONFIRMATION: {"sms": True}}
        await s.ask(SetPreferences(user_id=ann, types=choice))
        for user_id in (ann, bob):
            await happens(s, order_confirmed(user_id))
        by_address = SendEmail(
            message_id=new_id(),
            to="ann@example.com",
            template="notification",
            data={"title": "Hello", "body": "Ann", "name": "Ann"},
        )
        await s.ask(by_address)
        await settled(s)
        kept = {"notifications": 2, "preferences": 1, "messages": 4, "mailbox": 4}

        async def caught() -> bool:
            return await rows(s) == {**kept, "erased_recipients": 0}

        await eventually(caught)
        await erase(s, ann)
        left = {"notifications": 1, "preferences": 0, "messages": 1, "mailbox": 1}
        assert await rows(s) == {**left, "erased_recipients": 2}
        late = (await s.ask(ListMailbox(to="bob@example.com"))).items[0].id
        await s.rows(  # caught by now, though it had left the queue before
            "messaging",
            "INSERT INTO mailbox SELECT $1, channel, 'ann@example.com', content, at"
            " FROM mailbox WHERE id = $2",
            new_id(),
            late,
        )

        await comes_late(s, ann, choice)
        await come_due(s, ann)
        await erase(s, ann)
        await come_due(s, ann)
        assert await rows(s) == {**left, "erased_recipients": 0}
        assert len((await s.ask(ListNotifications(user_id=bob))).items) == 1


@pytest.mark.full
async def test_mail_that_waits_for_its_next_try_is_not_sent_any_more(
    told_shop: Any,
) -> None:
    server = Server()
    server.refused["ann@example.com"] = "451 come again"
    async with (
        mail_server(server) as url,
        told_shop(settings=Settings().changed(smtp_url=url)) as s,
    ):
        ann = person("Ann")
        await happens(s, order_confirmed(ann))

        async def tried() -> bool:
            sql = "SELECT 1 FROM messages WHERE attempts = 1"
            return bool(await s.rows("messaging", sql))

        await eventually(tried)
        server.refused.clear()
        await erase(s, ann)
        await s.rows("messaging", "UPDATE due SET at = now()")

        async def over() -> bool:
            return not await s.rows("messaging", "SELECT 1 FROM due")

        await eventually(over)
        assert server.taken == []
        assert set((await rows(s)).values()) == {0}
