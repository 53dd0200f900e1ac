"""Callers who ask too often wait, whichever replica they ask."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from bus.inventory import GetStock, StockView
from bus.kit.outside import DEFAULT_LIMITS, Limit, Proxies, parse_limits, parse_proxies
from bus.kit.settings import Settings, SettingsError
from serve_app.app import hearing
from serve_app.kit import limits as limiting
from serve_app.kit.clients import Clients
from serve_app.kit.heads import RequestHead
from serve_app.kit.limits import Bucket
from tests.gateway.fakes import Front, Hands
from tests.gateway.test_hearing import Server

LATER = "POST /later"


def limit(quota: int, window_seconds: int = 60) -> Limit:
    return Limit(
        name="address", quota=quota, window_seconds=window_seconds, per="address"
    )


async def made(folder: Path, rate_limits: str, **settings: Any) -> Front:
    front = Front(folder, Hands(), rate_limits=rate_limits, **settings)
    front.gateway.limits._clock = front.gateway.near._clock
    await front.gateway.epochs.confirm()
    return front


async def statuses(front: Front, count: int, **options: Any) -> list[int]:
    return [
        (await front.http.post("/later", **options)).status_code for _ in range(count)
    ]


def test_a_bucket_gives_its_quota_then_one_request_at_a_time() -> None:
    bucket = Bucket(limit(3, 30))
    for left in (2, 1, 0):
        assert bucket.wait_seconds(1, 100.0) <= 0
        bucket.take(1, 100.0)
        assert bucket.state(1, 100.0) == b'"address";r=%d;t=%d' % (
            left,
            (3 - left) * 10,
        )
    assert bucket.wait_seconds(1, 100.0) == pytest.approx(10, abs=0.01)
    assert bucket.wait_seconds(2, 100.0) <= 0
    assert bucket.wait_seconds(1, 110.0) <= 0
    bucket.take(1, 110.0)
    assert bucket.wait_seconds(1, 110.0) > 9
    assert bucket.state(1, 140.0) == b'"address";r=3;t=0'


def test_whoever_is_over_a_limit_stays_so_in_a_crowd(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limiting, "BUCKETS_MAX", 100)
    bucket = Bucket(limit(10))
    for _ in range(10):
        bucket.take(1, 0.0)
    for other in range(2, 1_000):
        bucket.take(other, 0.001 * other)
    assert len(bucket) <= 100
    assert bucket.wait_seconds(1, 1.0) > 0
    # Those whose time has passed need no place at all.
    bucket._move(5_000, 500.0, 1)
    assert bucket.wait_seconds(1, 500.0) <= 0


def test_what_others_tell_can_lock_nobody_out_for_long() -> None:
    bucket = Bucket(limit(10, 60))
    bucket.hear(1, 0.0, 10**9)
    bucket.hear(1, 0.0, 10**9)
    assert 0 < bucket.wait_seconds(1, 0.0) <= 120
    assert bucket.wait_seconds(1, 121.0) <= 0


async def test_a_route_past_its_limit_says_when_to_come_back(
    tmp_path: Path, clock: Hands
) -> None:
    front = await made(tmp_path, f"{LATER}=2/60")
    answer = await front.http.post("/later")
    assert answer.headers["ratelimit"] == (
        '"address";r=1199999;t=1, "POST /later";r=1;t=30'
    )
    assert answer.headers["ratelimit-policy"] == (
        '"address";q=1200000;w=60, "POST /later";q=2;w=60'
    )
    assert await statuses(front, 1) == [202]
    refused = await front.http.post("/later")
    document = refused.json()
    assert refused.status_code == document["status"] == 429
    assert document["code"] == "too-many-requests"
    assert document["violated_policies"] == [LATER]
    assert refused.headers["retry-after"] == "30"
    assert '"POST /later";r=0;t=60' in refused.headers["ratelimit"]
    assert refused.headers.get_list("ratelimit-policy", split_commas=False) == [
        '"address";q=1200000;w=60, "POST /later";q=2;w=60'
    ]
    assert front.asker.asked == []
    text = front.gateway.measures.text(0)
    assert 'souk_gateway_limited_total{replica="0",limit="POST /later"} 1' in text
    # Another route is another matter, and waiting is all that it takes.
    assert (await front.http.get("/things/A?x=1")).status_code != 429
    hands: Any = front.gateway.limits._clock
    hands.now += 30
    assert await statuses(front, 2) == [202, 429]


async def test_a_limit_is_of_a_route_whatever_it_is_asked_for(tmp_path: Path) -> None:
    front = await made(tmp_path, "GET /things/{sku}=2/60,GET /things=1/60")
    front.asker.answers[GetStock] = StockView(sku="A", available=3, version=2)
    for path, status in (("A", 200), ("B", 200), ("A", 429), ("A/B", 404)):
        answer = await front.http.get(f"/things/{path}")
        assert answer.status_code == status
    assert (await front.http.get("/things")).status_code == 401
    assert '"GET /things/{sku}"' not in answer.headers["ratelimit"]


async def test_persons_are_counted_apart_and_by_no_address(tmp_path: Path) -> None:
    front = await made(tmp_path, f"{LATER}=2/60,account=3/60")
    ada = front.bearer()
    eve = {
        "Authorization": "Bearer "
        + front.gateway.tokens.sign(UUID(int=7), "CUSTOMER", 1, UUID(int=8))
    }
    assert await statuses(front, 3, headers=ada) == [202, 202, 429]
    assert await statuses(front, 3, headers=eve) == [202, 202, 429]
    # The caller of no name is the address.
    assert await statuses(front, 3) == [202, 202, 429]
    # A refused request took nothing from the account: one is left.
    for status in (404, 429):
        answer = await front.http.get("/nothing", headers=ada)
        assert answer.status_code == status
    assert answer.json()["violated_policies"] == ["account"]
    # A token that is none does not make another caller of an address.
    bad = {"Authorization": "Bearer nonsense"}
    assert (await front.http.post("/later", headers=bad)).status_code == 401


async def test_addresses_are_counted_apart_and_memory_answers_count(
    tmp_path: Path,
) -> None:
    front = await made(tmp_path, "address=3/60")
    front.asker.answers = {}

    def at(address: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(front.edge, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://shop")

    async with at("2001:db8::1") as one, at("2001:db8::2") as same, at("::1") as other:
        for client, status in ((one, 202), (same, 202), (one, 202), (same, 429)):
            assert (await client.post("/later")).status_code == status
        forwarded = {"X-Forwarded-For": "198.51.100.9"}
        assert (await other.post("/later", headers=forwarded)).status_code == 202
        health = [(await same.get("/health/live")).status_code for _ in range(5)]
        assert health == [200] * 5
        assert (await same.get("/metrics")).headers.get("ratelimit") is None


async def test_two_replicas_hold_one_limit_together(tmp_path: Path) -> None:
    server = Server()
    server.start()
    fronts = [
        await made(tmp_path, f"{LATER}=20/600", gateway_replicas=2, nats_url=server.url)
        for _ in range(2)
    ]
    for number, front in enumerate(fronts):
        front.gateway.sharing._replica = str(number)
    ears = [hearing(front.gateway, []) for front in fronts]
    try:
        for ear in ears:
            await ear.connect()
        follows = [
            asyncio.create_task(front.gateway.sharing.follow(ear))
            for front, ear in zip(fronts, ears, strict=True)
        ]
        # In turn, slower than they tell each other: one quota, and not two.
        assert await statuses(fronts[0], 12) == [202] * 12
        await _told(fronts[1], 12)
        assert await statuses(fronts[1], 10) == [202] * 8 + [429] * 2
        await _told(fronts[0], 8)
        assert await statuses(fronts[0], 3) == [429] * 3
        # A person is one, too, wherever they ask.
        ada = fronts[0].bearer()
        assert await statuses(fronts[0], 15, headers=ada) == [202] * 15
        await _told(fronts[1], 15)
        assert await statuses(fronts[1], 6, headers=ada) == [202] * 5 + [429]
        assert 'limits_alone{replica="0"} 0' in (fronts[0].gateway.measures.text(0))
        # All at once, faster than that: at most one quota more from each further one.
        hands: Any = fronts[0].gateway.limits._clock
        hands.now += 2_000
        fronts[1].gateway.limits._clock.now += 2_000  # type: ignore[attr-defined]
        both = await asyncio.gather(*(statuses(front, 30) for front in fronts))
        assert 20 <= sum(some.count(202) for some in both) <= 40
        # Without the bus each holds its limit alone, and nobody waits.
        hands.now += 5_000
        server.stop()
        await asyncio.sleep(0.1)
        assert await statuses(fronts[0], 21) == [202] * 20 + [429]
        await fronts[0].gateway.sharing.tell(ears[0])
        assert 'limits_alone{replica="0"} 1' in (fronts[0].gateway.measures.text(0))
        for follow in follows:
            assert not follow.done()
            follow.cancel()
    finally:
        server.stop()
        for ear in ears:
            await ear.close()


async def _told(front: Front, count: int) -> None:
    """Wait until a replica has heard of so many more requests."""
    bucket = front.gateway.limits.buckets[LATER]
    now = front.gateway.limits._clock()
    before = sum(bucket._full.values()) - len(bucket) * now
    async with asyncio.timeout(5):
        while True:
            ahead = sum(bucket._full.values()) - len(bucket) * now
            if round((ahead - before) / 30) >= count:
                return
            await asyncio.sleep(0.01)


def test_what_is_no_word_of_another_replica_changes_nothing(tmp_path: Path) -> None:
    front = Front(tmp_path, Hands())
    sharing = front.gateway.sharing
    for payload in (b"", b"\xc1", b"x" * 300_000, b"\x93\xa11\xa6nobody\x81\x01\x05"):
        sharing.hear(payload)
    assert all(len(bucket) == 0 for bucket in front.gateway.limits.buckets.values())
    sharing.hear(b"\x93\xa11\xa7address\x81\x01\x05")
    assert len(front.gateway.limits.buckets["address"]) == 1


def test_limits_are_the_defaults_changed_by_the_setting() -> None:
    assert parse_limits("") == DEFAULT_LIMITS
    assert parse_limits("off") == {}
    found = parse_limits("account=off, POST /auth/login=5/30,GET /products/{id}=9/1")
    assert "account" not in found
    assert found["POST /auth/login"].quota == 5
    assert found["POST /auth/login"].per == "address"
    assert found["GET /products/{id}"].per == "caller"
    assert found["address"] == DEFAULT_LIMITS["address"]
    changed = parse_limits("POST /orders=5/30 caller")["POST /orders"]
    assert (changed.per, changed.window_seconds) == ("caller", 30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rate_limits", "POST /auth/login"),
        ("rate_limits", "POST /auth/login=0/60"),
        ("rate_limits", "POST /auth/login=5/0"),
        ("rate_limits", 'POST /a"b=5/60'),
        ("rate_limits", "address=5/60 account"),
        ("rate_limits", "everybody=5/60"),
        ("rate_limits", ",".join(f"GET /{n}=1/1" for n in range(70))),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "proxy.example"),
        ("trusted_proxies", "9"),
        ("cors_origins", "*"),
        ("cors_origins", "null"),
        ("cors_origins", "https://*.shop.example"),
        ("cors_origins", "https://shop.example/"),
        ("cors_origins", "https://shop.example:443"),
        ("cors_origins", "https://ada@shop.example"),
        ("cors_origins", "shop.example"),
    ],
)
def test_what_cannot_be_meant_stops_the_start(name: str, value: str) -> None:
    variable = f"SOUK_{name.upper()}"
    with pytest.raises(SettingsError, match=f"^{variable}: "):
        Settings.load({variable: value})


@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "client"),
    [
        ("", "127.0.0.1", ["198.51.100.9"], "198.51.100.9"),
        ("", "127.0.0.1", ["::ffff:198.51.100.9"], "198.51.100.9"),
        ("", "::ffff:203.0.113.7", [], "203.0.113.7"),
        ("", "10.0.0.2", ["198.51.100.9"], "10.0.0.2"),
        ("10.0.0.0/8", "127.0.0.1", ["6.6.6.6, 198.51.100.9", "10.0.0.2"], None),
        ("10.0.0.0/8", "10.0.0.9", ["198.51.100.9", "10.0.0.2"], None),
        ("10.0.0.0/8", "127.0.0.1", ["198.51.100.9"], None),
        ("10.0.0.0/8", "127.0.0.1", ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.0/8", "203.0.113.7", ["198.51.100.9"], "203.0.113.7"),
        ("10.0.0.0/8", "127.0.0.1", ["x, 10.0.0.2"], "10.0.0.2"),
        ("1", "127.0.0.1", ["6.6.6.6, 198.51.100.9", "10.0.0.2"], None),
        ("2", "127.0.0.1", ["6.6.6.6", "198.51.100.9, 10.0.0.3", "10.0.0.2"], None),
        ("2", "127.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("1", "203.0.113.7", ["198.51.100.9"], "203.0.113.7"),
    ],
)
def test_the_client_is_the_last_one_that_a_trusted_proxy_saw(
    proxies: str, peer: str, forwarded: list[str], client: str | None
) -> None:
    clients = Clients(parse_proxies(proxies), b"secret")
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    said = RequestHead.read([(b"accept", b"a"), (b"accept", b"b"), *headers]).forwarded
    scope = {"type": "http", "client": (peer, 1)}
    found = clients.of(scope, said)
    assert found.address == (client or "198.51.100.9")
    assert found == clients.of(scope, said)
    # Only replicas of one shop can tell which address a number stands for.
    others = Clients(parse_proxies(proxies), b"other")
    assert found.number != others.of(scope, said).number
    assert Proxies() == parse_proxies("") == parse_proxies("0")
