"""Notifications asked for over NATS."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from bus.kit.addressing import new_id
from bus.messaging import ListMailbox
from tests.kit.faults import Doom
from tests.kit.over_nats import over_nats, refused
from tests.messaging.support import settled
from tests.notifications.support import happens, order_confirmed, order_of, person


async def told(shop: Any, user_id: UUID) -> list[str]:
    """The titles of what a person was told, the newest first, as NATS says."""
    page = await over_nats(shop, "notification.get-user", user_id=str(user_id))
    return [one["title"] for one in page["items"]]


async def mailed(shop: Any) -> list[tuple[str, str]]:
    """(to, subject) of every mail."""
    await settled(shop)
    items = (await shop.ask(ListMailbox())).items
    return sorted((one.to, one.subject) for one in items)


def alert(user_id: UUID, /, **more: Any) -> dict[str, Any]:
    return {
        "user_id": str(user_id),
        "type": "SYSTEM_ALERT",
        "title": "Maintenance",
        "body": "Tonight at ten.",
        **more,
    }


async def test_a_key_tells_once_and_takes_no_other_body(told_shop: Any) -> None:
    """Overlapping, late, and after the shard has died."""
    async with told_shop(shards=2) as s:
        ann, bob = person("Ann"), person("Bob")
        body = alert(ann, idempotency_key=uuid4().hex)
        asks = (over_nats(s, "notification.send", **body) for _ in range(8))
        first, *others = await asyncio.gather(*asks)
        assert others == [first] * 7
        assert (first["email"], first["sms"]) == (True, False)
        for shard in (0, 1):
            await s.kill("notifications", shard)
            await s.restart("notifications", shard)
        assert await over_nats(s, "notification.send", **body) == first
        for other in ({"title": "Another"}, {"user_id": str(bob)}):
            code = await refused(s, "notification.send", **{**body, **other})
            assert code == "idempotency-key-reused"
        assert await told(s, ann) == ["Maintenance"]
        assert await told(s, bob) == []
        assert await mailed(s) == [("ann@example.com", "Maintenance")]
        kept = str(await s.rows("notifications", "SELECT * FROM handled"))
        assert "Tonight" not in kept


@pytest.mark.parametrize(
    "after",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["before", "after"],
)
async def test_what_a_key_began_ends_though_the_shard_dies(
    told_shop: Any, after: bool
) -> None:
    """Killed at each commit in turn; its caller asks again, as callers do."""
    async with told_shop() as s:
        for at in (1, 2, 3):
            ann = person(f"Ann{at}{after}")
            body = alert(ann, idempotency_key=uuid4().hex)
            doom = Doom(s.shard("notifications"), at, after=after)
            asked = asyncio.create_task(over_nats(s, "notification.send", **body))
            await asyncio.wait_for(doom.reached.wait(), 5)
            await s.kill("notifications")
            await s.restart("notifications")
            assert (await asked)["email"] is True
            assert await told(s, ann) == ["Maintenance"]
            to = f"ann{at}{after}@example.com".lower()
            assert (await mailed(s)).count((to, "Maintenance")) == 1
        rows = await s.rows("notifications", "SELECT * FROM handled WHERE state < 2")
        assert [row for row in rows if row["state"] == 0] == []


async def test_a_list_is_paged_and_filtered(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = str(person())
        for title in ("One", "Two", "Three"):
            body = alert(UUID(ann), title=title, idempotency_key=uuid4().hex)
            await over_nats(s, "notification.send", **body)
        ask = {"user_id": ann, "limit": 2}
        page = await over_nats(s, "notification.get-user", **ask)
        assert [one["title"] for one in page["items"]] == ["Three", "Two"]
        more = {**ask, "cursor": page["next_cursor"]}
        rest = await over_nats(s, "notification.get-user", **more)
        assert [one["title"] for one in rest["items"]] == ["One"]
        assert rest["next_cursor"] is None
        read = {"user_id": ann, "notification_id": rest["items"][0]["id"]}
        await over_nats(s, "notification.mark-read", **read)
        unread = await over_nats(s, "notification.get-user", user_id=ann, unread=True)
        assert [one["title"] for one in unread["items"]] == ["Three", "Two"]
        for wrong in ({"limit": 0}, {"limit": 101}, {"all": True}, {"cursor": "x"}):
            code = await refused(s, "notification.get-user", user_id=ann, **wrong)
            assert code in ("invalid-request", "invalid-cursor")


async def test_only_its_owner_has_read_it_and_once(told_shop: Any) -> None:
    async with told_shop() as s:
        ann, bob = person("Ann"), person("Bob")
        await happens(s, order_confirmed(ann))
        page = await over_nats(s, "notification.get-user", user_id=str(ann))
        ids = {"user_id": str(ann), "notification_id": page["items"][0]["id"]}
        strange = {**ids, "user_id": str(bob)}
        assert await refused(s, "notification.mark-read", **strange) == "not-found"
        first = await over_nats(s, "notification.mark-read", **ids)
        assert sorted(first) == ["id", "read_at"]
        key = {"idempotency_key": uuid4().hex}
        for _ in range(2):
            again = await over_nats(s, "notification.mark-read", **ids, **key)
            assert again == first
        code = await refused(s, "notification.mark-read", **strange, **key)
        assert code == "idempotency-key-reused"
        kinds = [one["type"].split(".")[1] for one in await s.events("notifications")]
        assert kinds == ["notification_created", "notification_read"]


async def test_a_new_order_is_told_to_its_buyer_and_its_sellers_once(
    told_shop: Any,
) -> None:
    """A seller hears of own lines alone, and of nobody's address."""
    async with told_shop(shards=2) as s:
        ann, sue, tom = person("Ann"), person("Sue"), person("Tom")
        order = order_of(ann, sue, tom, sue, None, ann)
        body = {"order_id": str(order.id)}
        keyed = {**body, "idempotency_key": uuid4().hex}
        for asked in (body, body, keyed, keyed):
            assert await over_nats(s, "notification.order-created", **asked) == {}
        page = await over_nats(s, "notification.get-user", user_id=str(sue))
        (sale,) = page["items"]
        assert sale["body"] == "Yours to send: 1 of SKU-1, 3 of SKU-3"
        assert sale["data"]["items"] == [
            {"sku": "SKU-1", "quantity": 1},
            {"sku": "SKU-3", "quantity": 3},
        ]
        assert "Lee" not in str(sale)
        assert await told(s, tom) == ["New order SK-9"]
        assert sorted(await told(s, ann)) == [
            "New order SK-9",
            "We have received your order SK-9",
        ]
        assert await mailed(s) == [
            ("ann@example.com", "New order SK-9"),
            ("ann@example.com", "We have received your order SK-9"),
            ("sue@example.com", "New order SK-9"),
            ("tom@example.com", "New order SK-9"),
        ]


async def test_a_guest_hears_of_a_new_order_by_mail_alone(told_shop: Any) -> None:
    async with told_shop() as s:
        order = order_of(None, None)
        for _ in range(2):
            await over_nats(s, "notification.order-created", order_id=str(order.id))
        assert await mailed(s) == [
            ("gus@example.com", "We have received your order SK-9")
        ]
        unknown = str(new_id())
        code = await refused(s, "notification.order-created", order_id=unknown)
        assert code == "not-found"


async def test_a_bad_request_tells_nobody(told_shop: Any) -> None:
    async with told_shop() as s:
        ann = person()
        for wrong in (
            {"type": "NONSENSE"},
            {"title": ""},
            {"title": "x" * 201},
            {"body": "x" * 2_001},
            {"user_id": "ann"},
            {"data": {"a": [1]}},
            {"urgent": True},
        ):
            code = await refused(s, "notification.send", **alert(ann, **wrong))
            assert code == "invalid-request", wrong
        assert await told(s, ann) == []
