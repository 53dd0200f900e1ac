"""An event that nobody can handle: every administrator is alerted once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import msgspec
import nats
import pytest
import structlog

from actors.kit.declarations import alert
from bus.kit import alerts, consumer, streams
from bus.kit.addressing import new_id
from bus.kit.bridge import Bridge
from bus.kit.messages import Event
from bus.kit.values import Money
from bus.notifications import ListNotifications
from bus.orders import OrderConfirmed
from scripts.embedded.nats import Nats
from tests.kit.conftest import nats_server, plain_logs
from tests.kit.faults import caller, until
from tests.kit.local import LocalShop
from tests.notifications import fakes
from tests.notifications.support import person

__all__ = ["nats_server", "plain_logs"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, plain_logs: None) -> None:
    monkeypatch.setattr(consumer, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(consumer, "FETCH_SECONDS", 0.3)
    monkeypatch.setattr(alerts, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setattr(alerts, "FETCH_SECONDS", 0.3)


@pytest.fixture
async def js(nats_server: Nats) -> AsyncIterator[Any]:
    """JetStream without any stream."""
    client = await nats.connect(nats_server.url())
    context = client.jetstream()
    for name in (streams.EVENTS, streams.DEAD):
        try:
            await context.delete_stream(name)
        except nats.js.errors.NotFoundError:
            continue
    yield context
    await client.close()


@asynccontextmanager
async def bridged(
    s: LocalShop, server: Nats, *, alerting: bool = True
) -> AsyncIterator[Bridge]:
    """A bridge that pulls for notifications; without alerts it dies before them."""
    bridge = Bridge(
        server.url(),
        caller(s),
        name="bridge/0",
        consumers={"notifications": [OrderConfirmed]},
        services={},
        log=structlog.get_logger("bridge"),
        alert=alert() if alerting else None,
    )
    await bridge.start()
    try:
        yield bridge
    finally:
        await bridge.stop()


async def poison(js: Any, order_id: UUID, sequence: int = 1) -> None:
    """An order that nobody knows: whoever asks for its buyer's address breaks."""
    event: Event = OrderConfirmed(
        order_id=order_id,
        user_id=None,
        number="SK-1",
        total=Money(1999, "USD"),
        skus=("A",),
    )
    document = {
        "id": str(new_id(order_id)),
        "type": "orders.order_confirmed.v1",
        "subject": str(order_id),
        "sequence": str(sequence),
        "data": event,
    }
    body = msgspec.json.encode(document)
    await js.publish("events.orders.order_confirmed", body)


async def told(s: LocalShop, user_id: UUID) -> list[dict[str, Any]]:
    """What a person was told, without ids and times."""
    page = await s.ask(ListNotifications(user_id=user_id))
    return [{"title": one.title, "data": one.data} for one in page.items]


def alerted_of(order_id: UUID) -> dict[str, Any]:
    return {
        "title": "Notifications could not handle an event",
        "data": {
            "domain": "notifications",
            "entity": str(order_id),
            "event_type": "orders.order_confirmed.v1",
        },
    }


async def letters(js: Any) -> int:
    info = await js.stream_info(streams.DEAD)
    return int(info.state.messages)


async def test_every_administrator_is_alerted_once_of_an_entity_that_is_parked(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    async with told_shop(shards=2) as s, bridged(s, nats_server) as bridge:
        fakes.Users.staff = admins = (person("Al"), person("Bo"))
        order_id, other = new_id(), new_id()
        await poison(js, order_id)
        await poison(js, order_id, sequence=2)
        await until(lambda: bridge._alerts.alerted_total == 2)
        for admin in admins:
            assert await told(s, admin) == [alerted_of(order_id)]
        await poison(js, other)
        await until(lambda: bridge._alerts.alerted_total == 3)
        for admin in admins:
            assert await told(s, admin) == [alerted_of(other), alerted_of(order_id)]
        assert await letters(js) == 3
        assert "example.com" not in str(await s.events("notifications"))


async def test_a_bridge_that_dies_before_the_alert_alerts_when_it_is_back(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    async with told_shop() as s:
        fakes.Users.staff = (admin,) = (person("Al"),)
        order_id = new_id()
        async with bridged(s, nats_server, alerting=False) as bridge:
            await poison(js, order_id)
            await until(lambda: bridge._dead.parked_total == 1)
        assert await told(s, admin) == []
        async with bridged(s, nats_server) as bridge:
            await until(lambda: bridge._alerts.alerted_total == 1)
            assert await told(s, admin) == [alerted_of(order_id)]


async def test_a_bridge_that_dies_before_it_says_so_alerts_nobody_again(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    """Its durable consumer is as it was before: every letter comes again."""
    async with told_shop() as s:
        fakes.Users.staff = (admin,) = (person("Al"),)
        order_id = new_id()
        async with bridged(s, nats_server) as bridge:
            await poison(js, order_id)
            await until(lambda: bridge._alerts.alerted_total == 1)
        await js.delete_consumer(streams.DEAD, alerts.DURABLE)
        async with bridged(s, nats_server) as bridge:
            await until(lambda: bridge._alerts.alerted_total == 1)
            assert await told(s, admin) == [alerted_of(order_id)]


async def test_one_that_is_parked_twice_lies_there_once(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    """Killed between parking and acknowledging, it is delivered again and parked."""
    async with told_shop() as s:
        order_id = new_id()
        for _ in range(2):
            async with bridged(s, nats_server, alerting=False) as bridge:
                if not bridge._dead.holds("notifications", str(order_id)):
                    await poison(js, order_id)
                await until(lambda one=bridge: one._dead.parked_total == 1)
            await js.delete_consumer(streams.EVENTS, "notifications")
        assert await letters(js) == 1


async def test_an_alert_waits_for_who_is_away_and_ends_where_it_fails(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    """No loop: what cannot be told is logged, and nothing new is put aside."""
    async with told_shop() as s, bridged(s, nats_server) as bridge:
        fakes.Users.staff = (admin,) = (person("Al"),)
        fakes.Users.away = True  # staff is found, but nobody can be written to
        first, second = new_id(), new_id()
        await poison(js, first)
        await until(lambda: bridge._dead.parked_total == 1)
        await asyncio.sleep(0.2)
        assert bridge._alerts.alerted_total == 0
        fakes.Users.away = False
        await until(lambda: bridge._alerts.alerted_total == 1)
        assert await told(s, admin) == [alerted_of(first)]
        fakes.Users.staff = None  # asking for them is a bug now
        await poison(js, second)
        await until(lambda: bridge._dead.parked_total == 2)
        await asyncio.sleep(0.5)
        assert bridge._alerts.alerted_total == 1
        assert await letters(js) == 2


async def test_what_nobody_can_read_is_alerted_of_too(
    told_shop: Any,
    nats_server: Nats,
    js: Any,
) -> None:
    async with told_shop() as s, bridged(s, nats_server) as bridge:
        fakes.Users.staff = (admin,) = (person("Al"),)
        await js.publish("events.orders.order_confirmed", b"no document")
        await until(lambda: bridge._alerts.alerted_total == 1)
        (one,) = await told(s, admin)
        assert one["data"] == {
            "domain": "notifications",
            "entity": "unreadable",
            "event_type": "unreadable",
        }
