"""What the people of the shop hear: providers, refunds, stock; each once by fact."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace

from actors.notifications.tellings import of_mismatch
from bus.inventory import StockLow
from bus.kit.addressing import new_id
from bus.kit.messages import Event
from bus.kit.values import Money
from bus.messaging import ListMailbox
from bus.notifications import ListNotifications, NotificationType, SetPreferences
from bus.orders import OrderConfirmed
from bus.payments import (
    DiscrepancyKind,
    ProviderFailing,
    ProviderRecovered,
    ReconciliationMismatch,
    RefundRejected,
)
from tests.kit.faults import Doom
from tests.messaging.support import settled
from tests.notifications import fakes
from tests.notifications.support import happens, order_confirmed, person

REJECTED = RefundRejected(
    refund_id=new_id(),
    payment_id=new_id(),
    order_id=new_id(),
    user_id=new_id(),
    amount=Money(500, "USD"),
    refunded=Money(0, "USD"),
    reason_code="account-closed",
)
DIFFERS = ReconciliationMismatch(
    provider="stripe",
    reconciliation_id=new_id(),
    difference=DiscrepancyKind.MISSING_HERE,
    transaction="ch_1",
    payment_id=None,
)
LOW = StockLow(sku="A", available=2, threshold=5)


async def titles(shop: Any, user_id: UUID) -> list[str]:
    """What a person was told, the newest first."""
    page = await shop.ask(ListNotifications(user_id=user_id))
    return [one.title for one in page.items]


FACTS: list[tuple[Event, str, dict[str, Any]]] = [
    (
        ProviderFailing(provider="sandbox", failures=7),
        "Payments: sandbox does not answer",
        {"provider": "sandbox", "failures": 7},
    ),
    (
        ProviderRecovered(provider="sandbox"),
        "Payments: sandbox answers again",
        {"provider": "sandbox"},
    ),
    (
        REJECTED,
        "A refund was refused",
        {
            "order_id": str(REJECTED.order_id),
            "payment_id": str(REJECTED.payment_id),
            "refund_id": str(REJECTED.refund_id),
            "amount": {"amount": 500, "currency": "USD"},
            "reason_code": "account-closed",
        },
    ),
    (
        DIFFERS,
        "Payments: the books differ from stripe",
        {
            "provider": "stripe",
            "reconciliation_id": str(DIFFERS.reconciliation_id),
            "difference": "MISSING_HERE",
            "transaction": "ch_1",
            "payment_id": None,
        },
    ),
]


async def test_every_administrator_hears_of_it_once_and_nobody_else(
    told_shop: Any,
) -> None:
    """Twice, overlapping, and late: after the shard has died."""
    async with told_shop() as s:
        al, bo, ann = person("Al"), person("Bo"), person("Ann")
        fakes.Users.staff = (al, bo)
        facts: list[tuple[Event, UUID]] = []
        for event, _, _ in FACTS:
            identity = new_id(event.key)
            await asyncio.gather(*(happens(s, event, identity) for _ in range(3)))
            facts.append((event, identity))
        await s.kill("notifications")
        await s.restart("notifications")
        for event, identity in facts:
            await happens(s, event, identity)
        for admin in (al, bo):
            items = (await s.ask(ListNotifications(user_id=admin))).items
            assert {one.type for one in items} == {NotificationType.SYSTEM_ALERT}
            told = [(one.title, one.data) for one in reversed(items)]
            assert told == [(title, data) for _, title, data in FACTS]
        assert await titles(s, ann) == []
        await settled(s)
        mails = (await s.ask(ListMailbox())).items
        assert sorted((mail.to, mail.subject) for mail in mails) == sorted(
            (f"{name}@example.com", title)
            for name in ("al", "bo")
            for _, title, _ in FACTS
        )


@pytest.mark.parametrize("kind", DiscrepancyKind)
def test_each_difference_of_the_books_has_words_of_its_own(
    kind: DiscrepancyKind,
) -> None:
    told = of_mismatch(replace(DIFFERS, difference=kind))
    said = [of_mismatch(replace(DIFFERS, difference=it)).body for it in DiscrepancyKind]
    assert said.count(told.body) == 1
    assert "ch_1" in told.body


async def test_a_provider_that_fails_again_is_told_of_again(told_shop: Any) -> None:
    async with told_shop() as s:
        fakes.Users.staff = (al,) = (person("Al"),)
        failing = ProviderFailing(provider="sandbox", failures=7)
        for event in (failing, ProviderRecovered(provider="sandbox"), failing):
            await happens(s, event)
        assert await titles(s, al) == [
            "Payments: sandbox does not answer",
            "Payments: sandbox answers again",
            "Payments: sandbox does not answer",
        ]


async def test_later_facts_that_come_first_are_told_once_each(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = person()
        ids = [new_id(ann) for _ in range(4)]
        for identity in (*reversed(ids), *ids):
            await happens(s, order_confirmed(ann), identity)
        page = await s.ask(ListNotifications(user_id=ann))
        assert len(page.items) == 4


async def test_who_wants_sms_and_has_a_phone_gets_one_beside_the_mail(
    told_shop: Any,
) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann", phone="+4917012345"), person("Bob")
        choice: Any = {NotificationType.ORDER_CONFIRMATION: {"sms": True}}
        for user_id in (ann, bob):
            await s.ask(SetPreferences(user_id=user_id, types=choice))
            event = order_confirmed(user_id)
            identity = await happens(s, event)
            await happens(s, event, identity)
        await settled(s)
        came = [(one.channel, one.to) for one in (await s.ask(ListMailbox())).items]
        assert sorted(came) == [
            ("email", "ann@example.com"),
            ("email", "bob@example.com"),
            ("sms", "+4917012345"),
        ]


@pytest.mark.parametrize(
    "after",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["before", "after"],
)
@pytest.mark.parametrize(
    "domain", ["notifications", pytest.param("messaging", marks=pytest.mark.full)]
)
@pytest.mark.parametrize("fact", ["order", "stock"])
async def test_a_fact_is_told_once_wherever_a_shard_is_killed(
    told_shop: Any, fact: str, domain: str, after: bool
) -> None:
    """The walk kills at the first commit, the second, …, until none is met."""
    async with told_shop() as s:
        for at in range(1, 12):
            name = f"Ann{at}"
            ann = person(name, phone="+4917012345")
            fakes.Users.staff = (ann,)
            kind = NotificationType.LOW_STOCK
            await s.ask(SetPreferences(user_id=ann, types={kind: {"sms": True}}))
            event: Event = LOW if fact == "stock" else order_confirmed(ann)
            doom = Doom(s.shard(domain), at, after=after)
            killer = asyncio.create_task(_kill_when_reached(s, doom, domain))
            await _delivered(s, event)
            await settled(s)
            assert len(await titles(s, ann)) == 1
            mails = (await s.ask(ListMailbox(to=f"{name.lower()}@example.com"))).items
            assert {mail.subject for mail in mails} == {_subject(event)}
            if not doom.reached.is_set():
                killer.cancel()
                break
            await killer
        assert 2 <= at < 11, "the walk ended too early, or never"


async def _kill_when_reached(shop: Any, doom: Doom, domain: str) -> None:
    await doom.reached.wait()
    await shop.kill(domain)
    await shop.restart(domain)


async def _delivered(shop: Any, event: Event) -> None:
    """As a bridge delivers: again and again, until it is handled."""
    identity = new_id(event.key)
    await happens(shop, event, identity)
    await happens(shop, event, identity)


def _subject(event: Event) -> str:
    if isinstance(event, OrderConfirmed):
        return "Your order SK-1 is confirmed"
    return "Low stock: A"
