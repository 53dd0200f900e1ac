"""Orders and notifications followed over the edge, on the real databases."""

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest

from serve_app.app import build, hearing, routers
from serve_app.kit.following import Pace
from tests.edge.front import Front, Person, order
from tests.edge.test_told import tell
from tests.gateway.readers import Reader

SHIPPED = {"status": "SHIPPED", "carrier": "DHL", "tracking_number": "1Z"}


class Following:
    """The streams of a shop; what it tells wakes them, and nothing else does."""

    def __init__(self, front: Front) -> None:
        self._shop = front.shop
        self._app = build(front.gateway, routers())
        self._heard: Any = hearing(front.gateway, routers())
        self._told = len(front.shop.published)
        front.gateway.streams.ear = None
        front.gateway.streams.pace = Pace(away_seconds=60, pause_seconds=0)
        self._hearing = asyncio.create_task(self._hear())

    def follow(self, who: Person, path: str, after: int | None = None) -> Reader:
        """Follow a path as this person does."""
        resumes = {} if after is None else {"Last-Event-ID": str(after)}
        return Reader(self._app, path, who._headers | resumes)

    async def stop(self) -> None:
        """Hear nothing more."""
        self._hearing.cancel()
        await asyncio.wait({self._hearing})

    async def _hear(self) -> None:
        while True:
            for event in self._shop.published[self._told :]:
                self._told += 1
                subject = f"events.{event['type'].removesuffix('.v1')}"
                if subject in self._heard._types:
                    data = json.dumps(event).encode()
                    await self._heard._hear(SimpleNamespace(subject=subject, data=data))
            await asyncio.sleep(0.01)


@pytest.fixture
async def following(front: Front) -> Any:
    """The shop's streams."""
    made = Following(front)
    yield made
    await made.stop()
    assert front.gateway.measures.streams_open == 0


async def test_an_order_is_followed_through_every_change_by_whom_it_concerns(
    front: Front, following: Following
) -> None:
    sam, tom = await front.person("SELLER"), await front.person("SELLER")
    ada, admin = await front.person(), await front.person("ADMIN")
    (a,) = await front.goods(5, seller=sam)
    (b,) = await front.goods(5, seller=tom)
    made = await ada.call("POST /orders", 201, order((a, 2), (b, 1)))
    place = f"/orders/{made['id']}"
    people = (ada, sam, tom, admin)
    readers = [following.follow(who, f"{place}/stream") for who in people]
    moved = f"PUT {place}/status"
    for count, (who, body) in enumerate(
        (
            (sam, {"status": "PROCESSING"}),  # its lines alone
            (tom, {"status": "PROCESSING"}),
            (sam, {**SHIPPED, "items": [{"sku": a, "quantity": 1}]}),
            (sam, SHIPPED),
            (tom, SHIPPED),
            (sam, {"status": "DELIVERED"}),  # its lines alone
            (tom, {"status": "DELIVERED"}),
        ),
        start=3,
    ):
        await who.call(moved, 200, body)
        for reader in readers:
            await reader.ids(count)
    timeline = (await ada.call(f"GET {place}/timeline", 200))["items"]
    assert [entry["status"] for entry in timeline] == [
        *("PENDING", "CONFIRMED", "CONFIRMED", "PROCESSING", "PROCESSING"),
        *("PROCESSING", "SHIPPED", "SHIPPED", "DELIVERED"),
    ]
    for who, reader in zip(people, readers, strict=True):
        seen = (await who.call(f"GET {place}/timeline", 200))["items"]
        assert [data for _, _, data in reader.got] == seen
        await reader.leave()
    for n, entry in enumerate(timeline):
        again = following.follow(ada, f"{place}/stream", after=entry["version"])
        rest = timeline[n + 1 :]
        await again.ids(len(rest))
        await again.leave()
        assert [data for _, _, data in again.got] == rest
    for other in (await front.person(), await front.person("SELLER"), front.guest):
        refused = await following.follow(other, f"{place}/stream").ended()
        assert (refused.status, refused.code) == (404, "not-found")


async def test_a_guest_follows_by_token_until_the_order_is_cancelled(
    front: Front, following: Following
) -> None:
    (a,) = await front.goods(5)
    body = order((a, 1), email="gus@example.com")
    made = await front.guest.call("POST /orders", 201, body)
    gus = front.guest.holding(X_Order_Token=made["order_token"])
    place = f"/orders/{made['id']}"
    reader = following.follow(gus, f"{place}/stream", after=1)
    await reader.ids(1)
    await gus.call(f"PUT {place}/cancel", 200)
    # Cancelled; then the money comes back.
    await reader.ids(2)
    assert [data["status"] for _, _, data in reader.got[:2]] == [
        "CONFIRMED",
        "CANCELLED",
    ]
    assert "gus" not in reader.body.decode()
    cookie = {"Cookie": f"souk_order={made['order_token']}"}
    browser = following.follow(front.guest.holding(**cookie), f"{place}/stream")
    assert (await browser.ids(3))[:2] == [1, 2]
    for each in (reader, browser):
        await each.leave()


async def test_two_windows_agree_on_what_was_told_and_read(
    front: Front, following: Following
) -> None:
    ada, bob = await front.person(), await front.person()
    old = await tell(front, ada, "Old")
    path = "/notifications/stream"
    windows = [following.follow(ada, path) for _ in range(2)]
    theirs = await following.follow(bob, path).began()
    for window in windows:
        await window.ids(1)
    new = await tell(front, ada, "New")
    for window in windows:
        await window.ids(2)
    left = await windows[1].leave()
    await ada.call(f"PUT /notifications/{old}/read", 200)
    windows[1] = following.follow(ada, path, after=left[-1])
    await windows[0].ids(3)
    await windows[1].ids(1)
    await ada.call("PUT /notifications/read-all", 200)
    assert await windows[0].ids(4) == left + await windows[1].ids(2)
    assert [(name, data["id"]) for _, name, data in windows[0].got] == [
        ("notification_created", old),
        ("notification_created", new),
        ("notification_read", old),
        ("notification_read", new),
    ]
    assert windows[0].got[2:] == windows[1].got
    listed = (await ada.call("GET /notifications", 200))["items"]
    assert [one["position"] for one in listed] == [
        windows[0].got[3][0],
        windows[0].got[2][0],
    ]
    assert theirs.got == []
    for reader in (*windows, theirs):
        await reader.leave()


async def test_a_payment_that_waits_is_told_to_followers(
    front: Front, following: Following
) -> None:
    ada = await front.person()
    (a,) = await front.goods(5)
    body = order((a, 1), payment={"method": "CREDIT_CARD", "token": "tok_pending"})
    made = await ada.call("POST /orders", 202, body)
    reader = following.follow(ada, f"/orders/{made['id']}/stream")
    await reader.ids(2)
    assert [data["reason"] for _, _, data in reader.got] == [
        *("placed", "payment-pending"),
    ]
    told = [
        event["data"]["reason"]
        for event in await front.shop.events("orders")
        if event["type"] == "orders.order_updated.v1" and event["subject"] == made["id"]
    ]
    assert told == ["payment-pending"]
    await reader.leave()
