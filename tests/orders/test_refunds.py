"""Money that went back: how much an order shows, and whom its timeline names."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import derived_id, new_id
from bus.kit.refusals import Unavailable
from bus.kit.values import Money
from bus.orders import GetTimeline
from bus.payments import (
    PaymentView,
    RefundCompleted,
    RefundStatus,
    RefundView,
    payment_id_of,
)
from tests.kit.faults import Doom
from tests.orders.fakes import FakePayments, order_of
from tests.orders.support import ADMIN, seen, selling

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


def refunded(
    order_id: UUID, amount: int, actor_id: UUID | None, refund_id: UUID | None = None
) -> RefundCompleted:
    """A refund that payments knows, as it tells of it."""
    payment_id, money = payment_id_of(order_id), Money(amount, "USD")
    known = FakePayments.payments.get(payment_id)
    refund = RefundView(
        id=refund_id or new_id(order_id),
        payment_id=payment_id,
        amount=money,
        status=RefundStatus.COMPLETED,
        actor_id=actor_id,
        created_at=NOW,
    )
    refunds = (*(known.refunds if known else ()), refund)
    FakePayments.payments[payment_id] = PaymentView(
        id=payment_id,
        order_id=order_id,
        user_id=None,
        status="PARTIALLY_REFUNDED",
        method="CREDIT_CARD",
        amount=Money(1000, "USD"),
        authorized=Money(0, "USD"),
        captured=Money(1000, "USD"),
        refunded=money,
        attempts=(),
        refunds=refunds,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return RefundCompleted(
        refund_id=refund.id,
        payment_id=payment_id,
        order_id=order_id,
        user_id=None,
        amount=money,
        refunded=money,
    )


async def happens(s: Any, event: RefundCompleted, event_id: UUID) -> None:
    """As the bridge delivers it to orders."""
    await s.ask(event, id=event_id, sequence=1, domain="orders", join=True)


async def of_refunds(s: Any, order_id: UUID) -> list[tuple[str, UUID | None]]:
    """Who gave back, as the timeline of an order says."""
    page = await s.ask(GetTimeline(order_id=order_id, viewer=ADMIN))
    return [(it.actor, it.actor_id) for it in page.items if it.reason == "refunded"]


async def test_each_refund_is_written_once_with_who_made_it(shop: Any) -> None:
    """Overlapping, the later first, and once more after the shard has died."""
    async with selling(shop, A=5) as s:
        order_id = (await s.ask(order_of(new_id(), ("A", 1)))).order_id
        admin = new_id()
        told = [
            (refunded(order_id, 300, admin), new_id(order_id)),
            (refunded(order_id, 200, None), new_id(order_id)),
        ]
        await asyncio.gather(*(happens(s, *it) for it in (told[1], *told, *told)))
        await s.kill("orders")
        await s.restart("orders")
        for it in told:
            await happens(s, *it)
        assert sorted(await of_refunds(s, order_id)) == [
            ("ADMIN", admin),
            ("SYSTEM", None),
        ]
        order = await seen(s, order_id)
        assert order.status == "PARTIALLY_REFUNDED"
        facts = await s.events("orders")
        kind = "orders.order_refunded.v1"
        sums = [it["data"]["refunded"] for it in facts if it["type"] == kind]
        assert [it["amount"] for it in sums][-1] == 500
        assert len(sums) == 2


async def test_what_an_order_gives_back_itself_needs_no_asking(shop: Any) -> None:
    async with selling(shop, A=5) as s:
        order_id = (await s.ask(order_of(new_id(), ("A", 1)))).order_id
        own = derived_id(order_id, "cancelled")
        await happens(s, refunded(order_id, 1000, None, own), new_id(order_id))
        assert await of_refunds(s, order_id) == [("SYSTEM", None)]
        assert FakePayments.asked == []


async def test_while_payments_is_away_a_refund_waits_and_is_written_later(
    shop: Any,
) -> None:
    async with selling(shop, A=5) as s:
        order_id = (await s.ask(order_of(new_id(), ("A", 1)))).order_id
        event, event_id = refunded(order_id, 300, new_id()), new_id(order_id)
        before = await seen(s, order_id)
        FakePayments.away = True
        with pytest.raises(Unavailable):
            await happens(s, event, event_id)
        assert await seen(s, order_id) == before
        FakePayments.away = False
        await happens(s, event, event_id)
        assert len(await of_refunds(s, order_id)) == 1


async def test_money_without_an_order_is_nothing_to_orders(shop: Any) -> None:
    async with selling(shop) as s:
        await happens(s, refunded(new_id(), 300, None), new_id())
        assert await s.events("orders") == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_refund_is_written_once_wherever_the_shard_is_killed(
    shop: Any, after: bool
) -> None:
    async with selling(shop, A=5) as s:
        order_id = (await s.ask(order_of(new_id(), ("A", 1)))).order_id
        event, event_id = refunded(order_id, 300, new_id()), new_id(order_id)
        doom = Doom(s.shard("orders"), 1, after=after)
        asked = asyncio.create_task(happens(s, event, event_id))
        await doom.reached.wait()
        await s.kill("orders")
        await s.restart("orders")
        await asyncio.gather(asked, return_exceptions=True)
        await happens(s, event, event_id)
        assert len(await of_refunds(s, order_id)) == 1
        facts = [it["type"] for it in await s.events("orders")]
        assert facts.count("orders.order_refunded.v1") == 1
