"""A shop fails no request while it is renewed, resized and ended."""

import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from actors import DOMAINS
from tests.e2e import books, figures
from tests.e2e.crowd import LOST
from tests.e2e.people import Answer, Person, Stranger, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

REQUESTS_MIN = int(os.environ.get("SOUK_ROLL_REQUESTS", "2000"))
AT_ONCE, BUYERS, STOCK = 8, 4, 1_000_000
READS = 3  # for each order
HANDED_OVER = ", handed over in "
DECIDED = {"read 200", "order 201", "order 202"}
SHARDS = (3, 2)  # as many as inventory's pool has, one after another
SLOW_MS, SLOW_ORDERS = 3_000, 6

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def two() -> Iterator[LiveShop]:
    """A shop with two gateway replicas."""
    with tempfile.TemporaryDirectory(prefix="souk-roll-") as name:
        Path(name).chmod(0o711)
        shop = LiveShop(Path(name) / "data", variables={"SOUK_GATEWAY_REPLICAS": "2"})
        try:
            shop.start()
            yield shop
        finally:
            shop.stop("--purge")


@pytest.fixture
async def buyers(two: LiveShop, session: aiohttp.ClientSession) -> list[Person]:
    return [await Person.register(Stranger(session, two.url)) for _ in range(BUYERS)]


async def test_a_shop_that_is_rolled_fails_no_request(
    two: LiveShop, session: aiohttp.ClientSession, buyers: list[Person]
) -> None:
    load = Load(await goods(two, session), buyers)
    before = {name: await two.pid(f"{name}/0") for name in DOMAINS}
    await until(load.has_begun, "orders", seconds=60)
    said = await asyncio.to_thread(two.roll)
    await load.end()

    assert set(load.ended) <= DECIDED, (load.ended, said)
    assert sum(load.ended.values()) >= REQUESTS_MIN
    assert said.count(HANDED_OVER) == len(DOMAINS), said
    after = {name: await two.pid(f"{name}/0") for name in DOMAINS}
    assert [name for name in DOMAINS if before[name] == after[name]] == []
    await two.rest()
    books.check_stream(await two.events())
    audited = two.audit(load.answered)
    handed_over = [line for line in said.splitlines() if HANDED_OVER in line]
    figures.note(roll=load.told(audited) | {"handed over": handed_over})


async def test_a_shop_that_ends_answers_all_that_it_has_accepted(
    two: LiveShop, session: aiohttp.ClientSession, buyers: list[Person]
) -> None:
    sku = await goods(two, session)
    await two.set_bank(latency_ms=SLOW_MS)
    orders = [
        asyncio.ensure_future(buyers[n % BUYERS].order((sku, 1)))
        for n in range(SLOW_ORDERS)
    ]

    async def charging() -> bool:
        sql = "SELECT count(*) AS n FROM orders WHERE status = 'PENDING'"
        return bool((await two.rows("orders", sql))[0]["n"] >= SLOW_ORDERS)

    await until(charging, "orders at the bank", seconds=30)

    await asyncio.to_thread(two.stop)

    answers = await asyncio.gather(*orders)
    assert Counter(answer.status for answer in answers) == {201: SLOW_ORDERS}
    two.start()
    await two.rest()
    two.audit({answer.body["id"]: answer.body["status"] for answer in answers})
    await two.set_bank()


async def test_a_pool_that_grows_and_shrinks_fails_no_request(
    two: LiveShop, session: aiohttp.ClientSession, buyers: list[Person]
) -> None:
    load = Load(await goods(two, session), buyers)
    await until(load.has_begun, "orders", seconds=60)
    said = ""
    for size in SHARDS:
        said += await asyncio.to_thread(two.resize, "inventory", size)
    await load.end()

    assert set(load.ended) <= DECIDED, (load.ended, said)
    assert sum(load.ended.values()) >= REQUESTS_MIN
    sql = "SELECT shard, count(*)::int AS n FROM slots GROUP BY shard ORDER BY shard"
    owned = await two.rows("inventory", sql)
    assert [(row["shard"], row["n"]) for row in owned] == [(0, 32), (1, 32)]
    await two.rest()
    books.check_stream(await two.events())
    figures.note(resize=load.told(two.audit(load.answered)))


async def goods(shop: LiveShop, session: aiohttp.ClientSession) -> str:
    """Something to buy that is never sold out."""
    keeper = Person(session, shop.url, **shop.credentials["admin"])
    return await new_goods(keeper, stock=STOCK, amount=300)


class Load:
    """Reads and orders without an end, each asked once, and how each has ended."""

    def __init__(self, sku: str, buyers: list[Person]) -> None:
        self._sku = sku
        self.ended: Counter[str] = Counter()
        self.answered: dict[str, str] = {}
        self.longest: dict[str, float] = {}
        self._enough = asyncio.Event()
        self._going = [
            asyncio.create_task(self._run(buyers[n % BUYERS])) for n in range(AT_ONCE)
        ]

    async def end(self) -> None:
        """Have enough, and wait until everybody has been answered."""
        self._enough.set()
        await asyncio.gather(*self._going)

    def told(self, audited: str) -> dict[str, Any]:
        """What the report says of it."""
        return {
            "requests": sum(self.ended.values()),
            "ended": dict(self.ended),
            "longest seconds": self.longest,
            "audit": audited.strip().splitlines()[-1],
        }

    async def has_begun(self) -> bool:
        """Whether everybody has bought something."""
        return len(self.answered) > AT_ONCE

    async def _run(self, buyer: Person) -> None:
        """One request after another until there are enough."""
        while not self._enough.is_set() or sum(self.ended.values()) < REQUESTS_MIN:
            for _ in range(READS):
                await self._count("read", buyer.call("GET", f"/inventory/{self._sku}"))
            key = {"Idempotency_Key": str(uuid4())}
            answer = await self._count(
                "order", buyer.order((self._sku, 1), headers=key)
            )
            if answer is not None and answer.status in (201, 202):
                self.answered[answer.body["id"]] = answer.body["status"]

    async def _count(
        self, kind: str, asking: Coroutine[Any, Any, Answer]
    ) -> Answer | None:
        began_at = time.monotonic()
        try:
            answer = await asking
        except LOST as error:
            self.ended[f"{kind} lost {error!r}"] += 1
            return None
        seconds = round(time.monotonic() - began_at, 3)
        self.longest[kind] = max(seconds, self.longest.get(kind, 0.0))
        said = answer.code if answer.status >= 400 else ""
        self.ended[f"{kind} {answer.status} {said}".strip()] += 1
        return answer
