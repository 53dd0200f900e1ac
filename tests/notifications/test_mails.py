"""What mails say of orders beyond the fact, and what administrators hear of mails."""

from typing import Any

from msgspec.structs import replace

from bus.kit.addressing import derived_id, new_id
from bus.messaging import ListMailbox, MessageFailed
from bus.notifications import ListNotifications
from tests.messaging.support import settled
from tests.notifications import fakes
from tests.notifications.support import happens, order_confirmed, order_of, person


async def test_a_confirmation_lists_the_order_and_nothing_else_keeps_the_address(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann = person()
        fakes.Users.people[ann] = replace(fakes.Users.people[ann], locale="de-AT")
        order = order_of(ann, None, None)
        fakes.Orders.orders[order.id] = order
        guest = order_of(None, None)
        fakes.Orders.orders[guest.id] = guest
        await happens(s, order_confirmed(ann, order.id))
        await happens(s, order_confirmed(None, guest.id))
        await settled(s)
        (mail,) = (await s.ask(ListMailbox(to="ann@example.com"))).items
        assert mail.subject == "Ihre Bestellung SK-1 ist bestätigt"
        assert '<html lang="de-AT"' in mail.html
        for row in ("1 x Thing (SKU-1): ", "2 x Thing (SKU-2): ", "1 Main St", "1 X"):
            assert row in mail.text, mail.text
        assert "Summe: $\N{NO-BREAK SPACE}19,99" in mail.text
        (mail,) = (await s.ask(ListMailbox(to="gus@example.com"))).items
        assert "1 x Thing (SKU-1): $19.99\n\nItems: $19.99\n" in mail.text
        assert "It goes to:\nAnn Lee\n1 Main St\n1 X\nGB\n" in mail.text
        for table in ("notifications", "outbox", "handled", "due"):
            kept = str(await s.rows("notifications", f"SELECT * FROM {table}"))
            assert "Main St" not in kept, table
        data = await s.rows("messaging", "SELECT data FROM messages")
        assert [row["data"] for row in data] == [None, None]


async def test_administrators_hear_of_a_dead_end_once_an_hour_and_reason(
    told_shop: Any,
) -> None:
    def failed(reason: str) -> MessageFailed:
        return MessageFailed(
            message_id=new_id(), channel="email", template="letter", reason=reason
        )

    async with told_shop() as s:
        ada = person("Ada")
        fakes.Users.staff = (ada,)
        first, now = failed("server-refused-login"), new_id()
        facts = [first, first, failed("server-refused-login")]
        reasons = ("server-unreachable", "bounced-5.1.1", "recipient-refused-550")
        facts += [failed(reason) for reason in (*reasons, "address-unusable")]
        for fact in facts:
            purpose = str(fact.message_id)
            await happens(s, fact, derived_id(now, purpose, fact.message_id))
        page = await s.ask(ListNotifications(user_id=ada))
        told = {one.title: one.data["message_id"] for one in page.items}
        assert told == {
            "Messages are not sent: server-refused-login": str(first.message_id),
            "Messages are not sent: server-unreachable": str(facts[3].message_id),
        }
        await settled(s)
        assert len((await s.ask(ListMailbox(to="ada@example.com"))).items) == 2
