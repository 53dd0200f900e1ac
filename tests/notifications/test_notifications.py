"""One fact, one notification, and the mail that the person wants of it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.inventory import StockLow
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.values import Money
from bus.messaging import CaughtMessage, ListMailbox
from bus.notifications import (
    ListNotifications,
    MarkAllRead,
    MarkRead,
    NotificationType,
    NotificationView,
    SetPreferences,
)
from bus.orders import (
    OrderCancelled,
    OrderDelivered,
    OrderRefunded,
    OrderShipped,
)
from bus.payments import LatePaymentReturned, PaymentFailed, PaymentSucceeded
from bus.products import Offer
from tests.messaging.support import settled
from tests.notifications import fakes
from tests.notifications.support import (
    TOTAL,
    guest_order,
    happens,
    order_confirmed,
    person,
)


async def notifications_of(shop: Any, user_id: UUID) -> tuple[NotificationView, ...]:
    items: tuple[NotificationView, ...] = (
        await shop.ask(ListNotifications(user_id=user_id))
    ).items
    return items


async def mails(shop: Any) -> tuple[CaughtMessage, ...]:
    await settled(shop)
    items: tuple[CaughtMessage, ...] = (await shop.ask(ListMailbox())).items
    return items


async def test_a_confirmed_order_is_told_in_the_shop_and_by_mail(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann = person()
        await happens(s, order_confirmed(ann))
        (told,) = await notifications_of(s, ann)
        assert told.type is NotificationType.ORDER_CONFIRMATION
        assert told.title == "Order SK-1 is confirmed"
        assert told.data["total"] == {"amount": 1999, "currency": "USD"}
        assert told.read_at is None
        (mail,) = await mails(s)
        assert (mail.to, mail.subject) == (
            "ann@example.com",
            "Your order SK-1 is confirmed",
        )
        assert "Hello Ann," in mail.text
        assert "$19.99" in mail.text


@pytest.mark.parametrize("shards", [pytest.param(1, marks=pytest.mark.full), 3])
async def test_an_event_tells_once_however_often_it_is_delivered(
    told_shop: Any, shards: int
) -> None:
    async with told_shop(shards=shards) as s:
        people = [person(f"P{n}") for n in range(12)]
        events = [(order_confirmed(user_id), new_id(user_id)) for user_id in people]
        await asyncio.gather(
            *(happens(s, event, identity) for event, identity in events * 3)
        )
        for event, identity in events:
            await happens(s, event, identity)
        for user_id in people:
            assert len(await notifications_of(s, user_id)) == 1
        assert len(await mails(s)) == 12
        told = await s.events("notifications")
        assert len(told) == 12
        assert "example.com" not in str(told)


async def test_an_event_that_comes_again_after_its_handled_row_is_gone_tells_once(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann = person()
        event = order_confirmed(ann)
        identity = await happens(s, event)
        connection = await s.database("notifications")
        await connection.execute("DELETE FROM handled")
        await happens(s, event, identity)
        assert len(await notifications_of(s, ann)) == 1
        assert len(await mails(s)) == 1
        assert len(await s.events("notifications")) == 1


async def test_when_users_is_away_the_event_is_not_taken_and_tells_once_later(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann = person()
        event, identity = order_confirmed(ann), new_id(ann)
        fakes.Users.away = True
        with pytest.raises(Unavailable):
            await happens(s, event, identity)
        fakes.Users.away = False
        await happens(s, event, identity)
        assert len(await notifications_of(s, ann)) == 1
        assert len(await mails(s)) == 1


async def test_a_guest_gets_the_mail_alone(told_shop: Any) -> None:
    async with told_shop() as s:
        order_id = guest_order("gus@example.com")
        await happens(s, order_confirmed(None, order_id))
        paid = PaymentSucceeded(
            payment_id=new_id(order_id),
            order_id=order_id,
            user_id=None,
            attempt=1,
            amount=TOTAL,
        )
        await happens(s, paid)
        (mail,) = await mails(s)
        assert (mail.to, mail.subject) == (
            "gus@example.com",
            "Your order SK-9 is confirmed",
        )
        (rows,) = await s.rows(
            "notifications", "SELECT count(*) AS n FROM notifications"
        )
        assert rows["n"] == 0


def returned(user_id: UUID | None, order_id: UUID) -> LatePaymentReturned:
    """The fact that late money went back."""
    return LatePaymentReturned(
        refund_id=new_id(order_id),
        payment_id=new_id(order_id),
        order_id=order_id,
        user_id=user_id,
        attempt=1,
        amount=TOTAL,
    )


async def test_whoever_paid_too_late_hears_once_that_the_money_goes_back(
    told_shop: Any,
) -> None:
    """Overlapping, and late: after the shard has died; a guest by mail alone."""
    async with told_shop() as s:
        ann = person()
        events = [
            returned(ann, new_id(ann)),
            returned(None, guest_order("gus@example.com")),
        ]
        facts = [(event, new_id(event.key)) for event in events]
        await asyncio.gather(*(happens(s, *fact) for fact in facts * 3))
        await s.kill("notifications")
        await s.restart("notifications")
        for fact in facts:
            await happens(s, *fact)
        title = "A payment came too late and is on its way back"
        (told,) = await notifications_of(s, ann)
        assert (told.type, told.title) == (NotificationType.ORDER_UPDATE, title)
        assert told.data == {
            "order_id": str(events[0].order_id),
            "amount": {"amount": 1999, "currency": "USD"},
        }
        came = {mail.to: mail for mail in await mails(s)}
        assert sorted(came) == ["ann@example.com", "gus@example.com"]
        assert len(await mails(s)) == 2
        assert {mail.subject for mail in came.values()} == {title}
        assert "your payment of $19.99 reached us" in came["ann@example.com"].text
        gus = came["gus@example.com"]
        for part in (gus.text, gus.html):
            assert "your payment of $19.99 for order SK-9 reached us" in part


async def test_money_without_an_order_and_a_person_tells_nobody(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        nobody = new_id()
        failed = PaymentFailed(
            payment_id=new_id(nobody),
            order_id=nobody,
            user_id=None,
            attempt=1,
            amount=TOTAL,
            decline_code="expired_card",
        )
        for event in (failed, returned(None, nobody)):
            await happens(s, event)
        assert await mails(s) == ()


async def test_every_step_of_an_order_is_told(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = person()
        order_id = new_id(ann)
        common: dict[str, Any] = {
            "order_id": order_id,
            "user_id": ann,
            "number": "SK-1",
            "total": TOTAL,
        }
        parcel = {"carrier": "DHL", "tracking_number": "T1", "complete": True}
        shipped = OrderShipped(**common, **parcel, shipment_id=new_id())
        payment: dict[str, Any] = {
            "payment_id": new_id(order_id),
            "order_id": order_id,
            "user_id": ann,
            "attempt": 1,
            "amount": TOTAL,
        }
        for event in (
            shipped,
            OrderDelivered(**common, product_ids=()),
            OrderCancelled(**common, reason="expired"),
            OrderRefunded(**common, refunded=Money(500, "USD")),
            PaymentSucceeded(**payment),
            PaymentFailed(**payment, decline_code="insufficient_funds"),
            OrderCancelled(**common, reason="payment-declined"),
        ):
            await happens(s, event)
        titles = [told.title for told in await notifications_of(s, ann)]
        assert sorted(titles) == [
            "Order SK-1 has arrived",
            "Order SK-1 is on its way",
            "Order SK-1 was cancelled",
            "Order SK-1: money is on its way back",
            "We have received your payment",
            "Your payment did not go through",
        ]
        subjects = {mail.subject for mail in await mails(s)}
        assert subjects == {
            "Your order SK-1 has arrived",
            "Your order SK-1 is on its way",
            "Your order SK-1 was cancelled",
            "Refund for your order SK-1",
            "Your payment did not go through",
        }


async def test_low_stock_goes_to_the_seller_and_to_every_admin(told_shop: Any) -> None:
    async with told_shop(shards=3) as s:
        seller, *admins = people = [person(name) for name in ("Sue", "Al", "Bo")]
        fakes.Users.staff = tuple(admins)
        fakes.Products.offers["A"] = Offer(
            sku="A",
            product_id=new_id(),
            name="Tea",
            options={},
            price=TOTAL,
            seller_id=seller,
            image=None,
            active=True,
        )
        low = StockLow(sku="A", available=2, threshold=5)
        identity = await happens(s, low)
        await happens(s, low, identity)
        for user_id in people:
            (told,) = await notifications_of(s, user_id)
            assert (told.type, told.title) == ("LOW_STOCK", "Low stock: A")
            assert told.data == {"sku": "A", "available": 2, "threshold": 5}
        assert sorted(mail.to for mail in await mails(s)) == [
            "al@example.com",
            "bo@example.com",
            "sue@example.com",
        ]


async def test_a_channel_that_was_turned_off_is_not_used(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = person(phone="+4917012345")
        kind = NotificationType.ORDER_CONFIRMATION
        choice: Any = {kind: {"email": False, "sms": True, "in_app": False}}
        await s.ask(SetPreferences(user_id=ann, types=choice))
        await happens(s, order_confirmed(ann))
        assert await notifications_of(s, ann) == ()
        (sms,) = await mails(s)
        assert (sms.channel, sms.to) == ("sms", "+4917012345")
        assert sms.text == "Your order SK-1 is confirmed"
        assert await s.events("notifications") == []


async def test_an_erased_person_is_written_to_no_more(told_shop: Any) -> None:
    async with told_shop() as s:
        gone = new_id()
        await happens(s, order_confirmed(gone))
        assert await mails(s) == ()


async def test_reading_is_told_once_and_only_by_its_owner(told_shop: Any) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann"), person("Bob")
        await happens(s, order_confirmed(ann))
        (told,) = await notifications_of(s, ann)
        with pytest.raises(Refusal, match="not-found"):
            await s.ask(MarkRead(user_id=bob, notification_id=told.id))
        read = await s.ask(MarkRead(user_id=ann, notification_id=told.id))
        again = await s.ask(MarkRead(user_id=ann, notification_id=told.id))
        assert read.read_at is not None
        assert again == read
        kinds = [event["type"] for event in await s.events("notifications")]
        assert kinds == [
            "notifications.notification_created.v1",
            "notifications.notification_read.v1",
        ]


async def test_read_all_leaves_nothing_unread(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = person()
        for _ in range(5):
            await happens(s, order_confirmed(ann))
        assert (await s.ask(MarkAllRead(user_id=ann))).count == 5
        assert (await s.ask(MarkAllRead(user_id=ann))).count == 0
        unread = await s.ask(ListNotifications(user_id=ann, unread=True))
        assert unread.items == ()
        read = await s.ask(ListNotifications(user_id=ann, unread=False, limit=3))
        rest = await s.ask(
            ListNotifications(user_id=ann, unread=False, cursor=read.next_cursor)
        )
        assert len(read.items) == 3
        assert len(rest.items) == 2


async def test_a_charge_without_an_order_of_this_shop_is_nobodys_news(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        order_id = new_id()
        await happens(
            s,
            PaymentFailed(
                payment_id=new_id(order_id),
                order_id=order_id,
                user_id=None,
                attempt=1,
                amount=TOTAL,
                decline_code="card-declined",
            ),
        )
        assert await mails(s) == ()
