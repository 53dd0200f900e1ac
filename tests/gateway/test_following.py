"""Event streams: who may follow, a place for each reader, and an end for each."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bus.kit.refusals import Failed, Unavailable, not_found
from bus.orders import GetOrder, Viewer
from serve_app.kit import following
from serve_app.kit.exchange import Exchange
from serve_app.kit.following import Pace
from tests.gateway.fakes import PERSON, SESSION, Front
from tests.gateway.followed import (
    ORDER,
    PATH,
    TOKEN,
    Timeline,
    ends,
    follow,
    hint,
    streams,
)
from tests.gateway.readers import Reader


@pytest.fixture
def shop(followed_shop: Front) -> Front:
    """The gateway before an order that is followed."""
    return followed_shop


# --- who may follow ----------------------------------------------------------


async def test_an_order_that_one_may_not_see_is_not_there(
    shop: Front, timeline: Timeline
) -> None:
    reader = await Reader(shop.edge, f"/orders/{uuid4()}/stream", TOKEN).ended()
    assert (reader.status, reader.code) == (404, "not-found")
    reader = await Reader(shop.edge, "/orders/17/stream", TOKEN).ended()
    assert (reader.status, reader.code) == (404, "not-found")
    asked = shop.asker.asked[-1][0].viewer
    assert (asked.user_id, asked.role, len(asked.token_hash)) == (None, "CUSTOMER", 32)
    reader = await Reader(shop.edge, "/notifications/stream").ended()
    assert (reader.status, reader.code) == (401, "authentication-required")
    assert timeline.looks == 1


async def test_a_stream_takes_its_tokens_from_cookies_too(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow()
    token = shop.bearer()["Authorization"].removeprefix("Bearer ")
    cookies = {"Cookie": f"a=b; souk_access={token}; souk_order={'t' * 43}"}
    reader = Reader(shop.edge, PATH, cookies)
    assert await reader.ids(1) == [1]
    viewer = shop.asker.asked[-1][0].viewer
    assert (viewer.user_id, len(viewer.token_hash)) == (PERSON, 32)
    await reader.leave()
    bad = Reader(shop.edge, PATH, {"Cookie": "souk_access=x"})
    assert ((await bad.ended()).status, bad.code) == (401, "invalid-token")
    header = shop.bearer() | {"Cookie": "souk_access=x"}  # the header comes first
    reader = Reader(shop.edge, PATH, header)
    await reader.ids(1)
    await reader.leave()


async def test_no_other_route_takes_a_cookie(shop: Front, timeline: Timeline) -> None:
    token = shop.bearer("ADMIN")["Authorization"].removeprefix("Bearer ")
    cookies = {"Cookie": f"souk_access={token}; souk_order={'t' * 43}"}
    for method, path in (
        ("GET", "/notifications"),
        ("GET", "/orders"),
        ("POST", "/notifications/stream"),
        ("PUT", "/notifications/read-all"),
    ):
        answer = await shop.http.request(method, path, headers=cookies)
        assert answer.status_code in (401, 405), path
    shop.asker.answers[GetOrder] = not_found("order")
    await shop.http.get(f"/orders/{ORDER}", headers=cookies)
    assert shop.asker.asked[-1][0].viewer == Viewer()
    assert shop.gateway.measures.streams_open == 0


async def test_only_a_get_of_a_streams_own_path_is_a_stream(shop: Front) -> None:
    for path in (f"{PATH}/", "/stream", "/orders//stream", "/orders/1/2/stream"):
        reader = await Reader(shop.edge, path, TOKEN).ended()
        assert (reader.status, reader.code) == (404, "not-found"), path
    answer = await shop.http.post(PATH, headers=TOKEN)
    assert answer.status_code == 405


# --- places ------------------------------------------------------------------


async def test_a_person_has_a_few_places_and_a_guest_too(
    shop: Front, timeline: Timeline
) -> None:
    del timeline
    mine = [Reader(shop.edge, PATH, shop.bearer()) for _ in range(5)]
    theirs = [follow(shop) for _ in range(5)]
    for reader in mine + theirs:
        await reader.began()
    for headers in (shop.bearer(), TOKEN):
        full = await Reader(shop.edge, PATH, headers).ended()
        assert (full.status, full.code) == (429, "too-many-streams")
        assert full.headers["retry-after"] == "5"
    other = await Reader(shop.edge, PATH, {"X-Order-Token": "u" * 43}).began()
    assert other.status == 200
    await mine.pop().leave()
    mine.append(await Reader(shop.edge, PATH, shop.bearer()).began())
    assert mine[-1].status == 200
    for reader in (*mine, *theirs, other):
        await reader.leave()


async def test_a_full_replica_says_so_and_still_answers_requests(
    shop: Front, timeline: Timeline
) -> None:
    readers = [
        await Reader(shop.edge, PATH, {"X-Order-Token": f"{n:043}"}).began()
        for n in range(200)
    ]
    assert {reader.status for reader in readers} == {200}
    full = await follow(shop).ended()
    assert (full.status, full.code) == (503, "unavailable")
    assert int(full.headers["retry-after"]) >= 1
    # Two hundred streams are one subscription, take no request's place, and ask
    # nothing while nothing happens.
    assert streams(shop).ear.kinds == ["order"]  # type: ignore[union-attr]
    assert shop.gateway.measures.in_flight == 0
    assert timeline.looks == 200
    shop.asker.answers[GetOrder] = not_found("order")
    assert (await shop.http.get(f"/orders/{ORDER}")).json()["code"] == "not-found"
    text = (await shop.http.get("/metrics")).text
    assert 'souk_gateway_streams_open{replica="0"} 200' in text
    assert 'souk_gateway_streams_refused_total{replica="0"} 1' in text
    timeline.grow()
    for _ in range(3):
        hint(shop)
    for reader in readers:
        assert await reader.ids(1) == [1]
    assert timeline.looks == 400
    for reader in readers:
        await reader.leave()
    assert streams(shop).ear.kinds == []  # type: ignore[union-attr]


# --- ends --------------------------------------------------------------------


async def test_a_slow_reader_is_cut_and_misses_nothing(
    shop: Front, timeline: Timeline
) -> None:
    streams(shop).pace = Pace(send_seconds_max=0.02, pause_seconds=0)
    timeline.grow(2)
    slow, quick = follow(shop), follow(shop)
    assert await slow.ids(2) == [1, 3]
    slow.open.clear()
    timeline.grow(2)
    hint(shop)
    await slow.ended()
    assert ends(shop) == {"slow": 1}
    assert await quick.ids(4) == timeline.versions
    again = follow(shop, after=slow.got[-1][0])
    assert await again.ids(2) == [5, 7]
    for reader in (again, quick):
        await reader.leave()


async def test_a_stream_ends_with_its_session(shop: Front, timeline: Timeline) -> None:
    timeline.grow()
    mine = Reader(shop.edge, PATH, shop.bearer(session_id=SESSION))
    other = Reader(shop.edge, PATH, shop.bearer(session_id=uuid4()))
    guest = follow(shop)
    for reader in (mine, other, guest):
        await reader.ids(1)
    shop.sessions.ended.append(SESSION)
    await shop.gateway.epochs.confirm()
    await mine.ended()
    assert not other.task.done()
    shop.sessions.raised[PERSON] = 2
    await shop.gateway.epochs.confirm()
    await other.ended()
    assert not guest.task.done()
    assert ends(shop) == {"revoked": 2}
    again = await Reader(shop.edge, PATH, shop.bearer()).ended()
    assert (again.status, again.code) == (401, "token-revoked")
    await guest.leave()


async def test_nothing_is_sent_to_a_session_of_which_nothing_is_known(
    shop: Front, timeline: Timeline
) -> None:
    streams(shop).pace = Pace(away_seconds=0.02, pause_seconds=0, watch_seconds=0.01)
    reader = await Reader(shop.edge, PATH, shop.bearer()).began()
    shop.sessions.away = True
    shop.gateway.epochs._confirmed_at = float("-inf")
    timeline.grow()
    hint(shop)
    while timeline.looks < 3:  # noqa: ASYNC110 - what is waited for is elsewhere
        await asyncio.sleep(0.01)
    assert reader.got == []
    assert not reader.task.done()
    shop.sessions.away = False
    await shop.gateway.epochs.confirm()
    assert await reader.ids(1) == [1]
    await reader.leave()


async def test_a_stream_ends_with_its_token(
    shop: Front, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeline.grow()
    reader = Reader(shop.edge, PATH, shop.bearer())
    await reader.ids(1)
    (stream,) = streams(shop)._open
    stream._until = 0
    await reader.ended()
    monkeypatch.setattr(following, "LIFE_SECONDS_MAX", 0)
    guest = await follow(shop).ended()
    assert guest.status == 200
    assert ends(shop) == {"expired": 2}


async def test_a_right_that_ends_ends_the_stream(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow()
    reader = follow(shop)
    await reader.ids(1)
    timeline.failing.append(not_found("order"))
    hint(shop)
    await reader.ended()
    assert ends(shop) == {"refused": 1}


async def test_a_domain_that_is_away_for_a_while_ends_nothing(
    shop: Front, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams(shop).pace = Pace(away_seconds=0.01, pause_seconds=0)
    reader = await follow(shop).began()
    timeline.grow()
    timeline.failing += [Unavailable("orders"), Failed("orders"), TimeoutError()]
    hint(shop)
    assert await reader.ids(1) == [1]
    monkeypatch.setattr(following, "FAILURES_MAX", 2)
    timeline.failing += [Unavailable("orders")] * 3
    hint(shop)
    await reader.ended()
    assert ends(shop) == {"failed": 1}
    first = follow(shop)
    await first.ids(1)
    await first.leave()
    timeline.failing.append(Unavailable("orders"))
    refused = await follow(shop).ended()
    assert (refused.status, refused.code) == (503, "unavailable")


async def test_a_bug_ends_the_stream_and_is_logged(
    shop: Front, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(
        Exchange, "log_bug", lambda it: logged.append(it.scope["souk.template"])
    )
    reader = await follow(shop).began()
    timeline.failing.append(ValueError("a bug"))
    hint(shop)
    with pytest.raises(ValueError, match="a bug"):
        await reader.ended()
    assert logged == ["/orders/{order_id}/stream"]


async def test_a_replica_that_ends_sends_its_readers_away(
    shop: Front, timeline: Timeline
) -> None:
    timeline.grow()
    reader = follow(shop)
    await reader.ids(1)
    streams(shop).drain()
    await reader.ended()
    assert ends(shop) == {"draining": 1}
    late = await follow(shop, after=1).ended()
    assert (late.status, late.code) == (503, "unavailable")


async def test_serves_own_answer_tells_that_a_replica_ends(
    shop: Front, timeline: Timeline
) -> None:
    healthy = [200, 200, 503]

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        assert scope["path"] == "/-/healthz"
        status = healthy.pop(0)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    shop.edge._app, shop.edge._around_serve = serve, True
    timeline.grow()
    reader = follow(shop)
    await reader.ids(1)
    await reader.ended()
    assert (ends(shop), healthy) == ({"draining": 1}, [])
