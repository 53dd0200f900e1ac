"""Answers kept near: what is kept, for how long, and what makes them forgotten."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.inventory import GetStock, StockView
from serve_app.app import hearing
from serve_app.kit import near_cache
from serve_app.kit.near_cache import NearCache
from tests.gateway.fakes import Front, Hands, routes


def put(cache: NearCache, key: bytes, *tags: str, **changed: Any) -> bool:
    """Put a small answer in."""
    options: dict[str, Any] = {"age_seconds": 5.0, "began_at": cache.now(), **changed}
    body = options.pop("body", b"x")
    return cache.put(key, [], body, '"1"', tags=tags, **options)


@pytest.fixture
def cache(clock: Hands) -> NearCache:
    return NearCache(bytes_max=10_000, age_seconds_max=5, clock=clock)


async def get(front: Front, **headers: str) -> Any:
    return await front.http.get("/things/A", headers=headers)


async def test_a_public_read_is_asked_once_and_answered_alike(front: Front) -> None:
    first, second = await get(front), await get(front)
    assert len(front.asker.asked) == 1
    assert (first.content, first.status_code) == (second.content, second.status_code)
    same = ("etag", "cache-control", "content-type", "content-length")
    assert [first.headers[n] for n in same] == [second.headers[n] for n in same]
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    assert front.gateway.measures.near_hits == 1


async def test_an_answer_is_as_old_as_its_route_allows(
    front: Front, clock: Hands
) -> None:
    await get(front)
    clock.now += 0.99
    await get(front)
    assert len(front.asker.asked) == 1
    clock.now += 0.02
    await get(front)
    assert len(front.asker.asked) == 2


async def test_an_etag_that_the_client_has_is_304(front: Front) -> None:
    for _ in ("routed", "near"):
        tag = (await get(front)).headers["etag"]
        assert tag.startswith('"2-')
        answer = await get(front, **{"If-None-Match": f'"other", W/{tag}'})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert "content-length" not in answer.headers
    answer = await get(front, **{"If-None-Match": '"other"'})
    assert answer.status_code == 200


async def test_staff_and_no_cache_pass_it_by(front: Front) -> None:
    await get(front)
    for headers in (
        front.bearer("SELLER"),
        front.bearer("ADMIN"),
        {"Cache-Control": "no-cache"},
    ):
        before = len(front.asker.asked)
        answer = await get(front, **headers)
        assert len(front.asker.asked) == before + 1
        staff = "Authorization" in headers
        assert (answer.headers["cache-control"] == "no-store") == staff
    before = len(front.asker.asked)
    await get(front, **front.bearer("CUSTOMER"))
    assert len(front.asker.asked) == before


async def test_what_staff_sees_is_not_kept_for_others(front: Front) -> None:
    await get(front, **front.bearer("ADMIN"))
    await get(front)
    assert len(front.asker.asked) == 2


async def test_another_query_is_another_answer(front: Front) -> None:
    await front.http.get("/things/A?x=1")
    await front.http.get("/things/A?x=2")
    assert len(front.asker.asked) == 2


async def test_errors_are_not_kept(front: Front) -> None:
    good = front.asker.answers[GetStock]
    front.asker.answers[GetStock] = RuntimeError("x")
    assert (await get(front)).status_code == 500
    front.asker.answers[GetStock] = good
    assert (await get(front)).status_code == 200


async def test_an_event_about_it_makes_it_forgotten(front: Front) -> None:
    heard = hearing(front.gateway, [routes()])
    await get(front)
    (call,) = heard._calls["events.inventory.stock_adjusted"]
    told = heard._types["events.inventory.stock_adjusted"]
    fields = {"warehouse_id": UUID(int=1), "delta": 1, "on_hand": 1, "available": 1}
    call(told(sku="B", **fields))
    await get(front)
    assert len(front.asker.asked) == 1
    call(told(sku="A", **fields))
    await get(front)
    assert len(front.asker.asked) == 2


async def test_an_answer_begun_before_the_event_is_not_kept(
    front: Front, clock: Hands
) -> None:
    def stale(_: GetStock) -> StockView:
        # The event comes while the old view is on its way.
        front.gateway.near.forget(["A"])
        clock.now += 0.001
        return StockView(sku="A", available=1)

    front.asker.answers[GetStock] = stale
    await get(front)
    assert len(front.gateway.near) == 0


def test_nothing_is_older_than_the_limit(cache: NearCache, clock: Hands) -> None:
    put(cache, b"k", age_seconds=60.0)
    clock.now += 5.01
    assert cache.get(b"k") is None
    assert cache.bytes == 0


def test_the_age_counts_from_the_beginning_of_the_making(
    cache: NearCache, clock: Hands
) -> None:
    began_at = cache.now()
    clock.now += 3
    put(cache, b"k", began_at=began_at)
    clock.now += 2.01
    assert cache.get(b"k") is None


def test_it_is_bounded_in_bytes_and_drops_the_least_used(
    cache: NearCache, clock: Hands
) -> None:
    for number in range(9):
        assert put(cache, b"%d" % number, body=b"x" * 600)
        clock.now += 0.01
    assert cache.get(b"0") is None or cache.bytes <= 10_000
    assert cache.get(b"1") is not None
    put(cache, b"new", body=b"x" * 600)
    assert cache.get(b"1") is not None
    assert cache.bytes <= 10_000
    assert not put(cache, b"huge", body=b"x" * 2_000)
    assert not put(cache, b"k" * 2_000)


def test_clearing_also_stops_what_is_being_made(cache: NearCache, clock: Hands) -> None:
    began_at = cache.now()
    put(cache, b"kept")
    cache.clear()
    assert cache.get(b"kept") is None
    assert not put(cache, b"late", began_at=began_at)
    clock.now += 0.01
    assert put(cache, b"after")


def test_a_making_that_took_too_long_is_not_kept(
    cache: NearCache, clock: Hands
) -> None:
    began_at = cache.now()
    clock.now += near_cache.FILL_SECONDS_MAX + 1
    assert not put(cache, b"k", began_at=began_at, age_seconds=100.0)


def test_forgetting_is_bounded_and_stays_safe(
    cache: NearCache, clock: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_cache, "FORGOTTEN_MAX", 3)
    began_at = cache.now()
    for number in range(10):
        clock.now += 0.1
        cache.forget([f"tag{number}"])
    assert len(cache._forgotten) == 3
    # Its tag is remembered no more, and yet it is refused.
    assert not put(cache, b"k", "tag0", began_at=began_at)


def test_putting_again_replaces_tags_and_bytes(cache: NearCache) -> None:
    put(cache, b"k", "a", body=b"x" * 100)
    put(cache, b"k", "b")
    assert cache.bytes == 1 + 1 + near_cache.ENTRY_OVERHEAD_BYTES
    cache.forget(["a"])
    assert cache.get(b"k") is not None
    cache.forget(["b"])
    assert cache.get(b"k") is None
    assert cache._by_tag == {}


async def test_many_at_once_get_the_same_bytes(front: Front) -> None:
    answers = await asyncio.gather(*(get(front) for _ in range(20)))
    assert len({answer.content for answer in answers}) == 1
