"""Event streams: no gap and no repeat, whatever becomes of hints and connections."""

import asyncio
import random
from typing import Any
from uuid import uuid4

import pytest

from bus.inventory import StockAdjusted
from serve_app.app import application, hearing, routers
from serve_app.kit.feeds import LINES_MAX
from serve_app.kit.following import Pace
from serve_app.kit.openapi import document
from tests.gateway.fakes import PERSON, Front
from tests.gateway.followed import ORDER, PATH, TOKEN, Timeline, follow, hint, streams
from tests.gateway.readers import Reader


@pytest.fixture
def shop(followed_shop: Front) -> Front:
    """The gateway before an order that is followed."""
    return followed_shop


async def test_a_stream_begins_with_what_there_is_and_goes_on(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow(3)
    reader = await follow(shop).began()
    assert await reader.ids(3) == [1, 3, 5]
    timeline.grow()
    hint(shop)
    assert await reader.ids(4) == [1, 3, 5, 7]
    assert reader.got[3][:2] == (7, "status")
    entry = {
        "status": "CONFIRMED",
        "actor_id": None,
        "reason": "change 7",
        "at": "2026-01-01T00:00:00Z",
        "version": 7,
    }
    assert entry.items() <= reader.got[3][2].items()
    assert 1_000 <= reader.retry_ms <= 3_000
    wanted = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    assert wanted.items() <= reader.headers.items()
    assert "x-request-id" in reader.headers
    await reader.leave()


async def test_last_event_id_is_answered_with_exactly_the_rest(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow(4)
    reader = follow(shop, after=3)
    assert await reader.ids(2) == [5, 7]
    first = Reader(shop.edge, f"{PATH}?after=5", TOKEN)
    assert await first.ids(1) == [7]
    both = Reader(shop.edge, f"{PATH}?after=1", TOKEN | {"Last-Event-ID": "5"})
    assert await both.ids(1) == [7]
    empty = Reader(shop.edge, PATH, TOKEN | {"Last-Event-ID": ""})
    assert await empty.ids(4) == [1, 3, 5, 7]
    for each in (reader, first, both, empty):
        await each.leave()


async def test_more_than_one_look_takes_comes_whole_and_in_order(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow(2 * LINES_MAX + 1)
    reader = follow(shop)
    assert await reader.ids(2 * LINES_MAX + 1) == timeline.versions
    await reader.leave()
    assert timeline.looks == 3
    # What is not for this reader, however much of it, hides nothing that comes after.
    timeline.secret = set(timeline.versions[5 : LINES_MAX + 50])
    reader = follow(shop)
    rest = sorted(set(timeline.versions) - timeline.secret)
    assert await reader.ids(len(rest)) == rest
    await reader.leave()


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "1 ", "9" * 19, "0x1"])
async def test_an_event_id_that_we_never_gave_is_422(
    shop: Front, timeline: Timeline, bad: str
) -> None:
    reader = Reader(shop.edge, PATH, TOKEN | {"Last-Event-ID": bad})
    assert (await reader.ended()).status == 422
    assert reader.code == "invalid-request"
    assert timeline.looks == 0
    for query in ("after=x", "after=-1", f"after={10**18}"):
        reader = Reader(shop.edge, f"{PATH}?{query}", TOKEN)
        assert (await reader.ended()).status == 422


@pytest.mark.parametrize("seed", range(6))
async def test_no_gap_and_no_repeat_whatever_becomes_of_hints_and_connections(
    shop: Front, timeline: Timeline, seed: int
) -> None:
    streams(shop).pace = Pace(
        comment_seconds=0.02, pause_seconds=0, watch_seconds=0.01, send_seconds_max=0.05
    )
    chance = random.Random(seed)
    got: list[int] = []
    reader = follow(shop)
    while len(timeline.entries) < 40:
        await asyncio.sleep(chance.choice((0, 0, 0.001, 0.01)))
        match chance.randrange(7):
            case 0 | 1:  # changed, and told once or more, or never
                timeline.grow(chance.randrange(1, 4))
                for _ in range(chance.randrange(3)):
                    hint(shop)
            case 2:  # told before it can be seen
                timeline.hidden = 1
                timeline.grow()
                hint(shop)
            case 3:
                timeline.hidden = 0
                hint(shop)
            case 4:
                reader.open.clear()  # reads no more, for a while or for ever
            case 5:
                reader.open.set()
            case 6:
                got += await reader.leave()
                reader = follow(shop, after=got[-1] if got else None)
    timeline.hidden = 0
    got += await reader.leave()
    reader = follow(shop, after=got[-1] if got else None)
    assert got + await reader.ids(len(timeline.entries) - len(got)) == timeline.versions
    await reader.leave()


async def test_a_reader_can_come_back_after_any_event(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow(9)
    for after in timeline.versions:
        reader = await follow(shop, after=after).began()
        rest = [version for version in timeline.versions if version > after]
        assert await reader.ids(len(rest)) == rest
        assert await reader.leave() == rest


async def test_a_lost_hint_is_made_good_with_the_next_comment(
    shop: Front, timeline: Timeline
) -> None:
    streams(shop).pace = Pace(comment_seconds=0.03, pause_seconds=0)
    reader = await follow(shop).began()
    await reader.commented(2)
    timeline.grow()
    assert await reader.ids(1) == [1]
    await reader.leave()


async def test_a_hundred_hints_are_one_look(shop: Front, timeline: Timeline) -> None:
    streams(shop).pace = Pace(pause_seconds=0.5)
    timeline.grow()
    reader = follow(shop)
    await reader.ids(1)
    for _ in range(100):
        hint(shop)
        await asyncio.sleep(0)
    timeline.grow()
    hint(shop)
    await reader.ids(2)
    assert timeline.looks == 2
    await reader.leave()


async def test_a_hint_about_another_order_wakes_nobody(
    shop: Front, timeline: Timeline
) -> None:
    reader = await follow(shop).began()
    streams(shop).wake("order", uuid4())
    streams(shop).wake("notifications", ORDER)
    await asyncio.sleep(0.01)
    assert timeline.looks == 1
    await reader.leave()


# --- the ear -----------------------------------------------------------------


async def test_while_the_bus_is_away_streams_look_by_themselves(
    shop: Front, timeline: Timeline
) -> None:
    streams(shop).pace = Pace(away_seconds=0.05, pause_seconds=0, watch_seconds=0.01)
    reader = await follow(shop).began()
    streams(shop).ear.works = False  # type: ignore[union-attr]
    streams(shop).miss()
    timeline.grow()
    assert await reader.ids(1) == [1]
    assert reader.comments == 0
    await reader.leave()


async def test_every_change_that_is_told_wakes_its_followers(shop: Front) -> None:
    heard = hearing(shop.gateway, routers())
    woken: list[tuple[str, object]] = []
    shop.gateway.streams.wake = (  # type: ignore[method-assign]
        lambda kind, key: woken.append((kind, key))
    )
    told = {name: heard._types[name] for name in heard._kinds["order"]}
    told |= {name: heard._types[name] for name in heard._kinds["notifications"]}
    assert sorted(name.rsplit(".", 1)[1] for name in told) == [
        "notification_created",
        "notification_read",
        "order_cancelled",
        "order_confirmed",
        "order_delivered",
        "order_placed",
        "order_processing",
        "order_refunded",
        "order_shipped",
        "order_updated",
    ]
    for name, kind in told.items():
        fields: dict[str, Any] = dict.fromkeys(kind.__struct_fields__)
        fields |= {"order_id": ORDER} if "orders" in name else {"user_id": PERSON}
        fields = {k: v for k, v in fields.items() if k in kind.__struct_fields__}
        (call,) = heard._calls[name]
        call(kind(**fields))
    assert woken.count(("order", ORDER)) == 8
    assert woken.count(("notifications", PERSON)) == 2
    assert StockAdjusted.nats_subject() not in told


async def test_a_stream_says_what_it_is_in_the_document(shop: Front) -> None:
    made = document(application(shop.gateway, routers()), "0")
    for path, view, security in (
        ("/orders/{order_id}/stream", "TimelineEntry", "order_cookie"),
        ("/notifications/stream", "NotificationView", "access_cookie"),
    ):
        operation = made["paths"][path]["get"]
        media = operation["responses"]["200"]["content"]["text/event-stream"]
        assert media["x-event-data"]["$ref"].endswith(f"/{view}")
        names = [each["name"] for each in operation["parameters"]]
        assert {"Last-Event-ID", "after"} <= set(names)
        assert {"401", "404", "422", "429", "503"} & set(operation["responses"]) >= {
            "422",
            "429",
            "503",
        }
        assert {security: []} in operation["security"]
