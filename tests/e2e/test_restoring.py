"""The drill: a selling shop is copied, destroyed, and made again of the copy."""

import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import aiohttp
import pytest

from tests.e2e import books, figures
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, Stranger, new_goods
from tests.e2e.shops import LiveShop

BEFORE, AT_ONCE, BUYERS, STOCK = 40, 8, 4, 100_000

pytestmark = pytest.mark.full


@pytest.fixture
def doomed() -> Iterator[LiveShop]:
    """A shop of the test's own, in a folder that Postgres' own user can reach."""
    with tempfile.TemporaryDirectory(prefix="souk-drill-") as name:
        Path(name).chmod(0o711)
        shop = LiveShop(Path(name) / "data")
        try:
            shop.start()
            yield shop
        finally:
            shop.stop("--purge")


async def test_a_restored_shop_has_every_order_acknowledged_before_its_backup_ended(
    doomed: LiveShop, session: aiohttp.ClientSession
) -> None:
    shop, copy = doomed, doomed.data_dir.parent / "copy"
    keeper = Person(session, shop.url, **shop.credentials["admin"])
    sku = await new_goods(keeper, stock=STOCK, amount=300)
    crowd = await _sell_while_copying(shop, session, sku, copy)
    about = json.loads((copy / "backup.json").read_text())
    point = datetime.fromisoformat(about["point_at"]).timestamp()
    kept = {key: "" for key, at in crowd.answered_at.items() if at < point}
    assert BEFORE <= len(kept) < len(crowd.answered) - BEFORE
    shop.stop("--purge")
    assert not (shop.data_dir / "postgres").exists()

    shop.restore(copy)
    shop.start()

    await shop.rest()
    sql = "SELECT id::text FROM orders WHERE id = ANY($1::text[]::uuid[])"
    found = await shop.rows("orders", sql, list(kept))
    assert {row["id"] for row in found} == set(kept)
    said = shop.audit(kept)
    await _check_told_once(shop, kept)
    answered = kept | await _sell_again(shop, crowd.buyers, sku)
    shop.audit(answered)
    rebuilt = shop.replay("stream")
    await shop.rest()
    replayed = shop.replay("consumer", "notifications", "--from", "1")
    assert ", 0 still under way" in replayed
    await _check_told_once(shop, kept)
    shop.audit(answered)
    figures.note(
        drill={
            "orders before the point": len(kept),
            "audit": said.strip().splitlines()[-1],
            "stream": rebuilt.strip(),
            "consumer": replayed.strip(),
        }
    )


async def _sell_while_copying(
    shop: LiveShop, session: aiohttp.ClientSession, sku: str, copy: Path
) -> Crowd:
    """Orders before, while and after the copy is made."""
    buyers = [await Person.register(Stranger(session, shop.url)) for _ in range(BUYERS)]
    crowd = Crowd(list(buyers))
    ending = asyncio.Event()

    async def sell() -> None:
        numbers = iter(range(100_000))
        while not ending.is_set():
            await crowd.place(buyers[next(numbers) % BUYERS], (sku, 1))

    selling = [asyncio.ensure_future(sell()) for _ in range(AT_ONCE)]
    await crowd.reached(BEFORE)
    await asyncio.to_thread(shop.back_up, copy)
    began = len(crowd.answers)
    await crowd.reached(began + BEFORE)
    ending.set()
    await asyncio.gather(*selling)
    return crowd


async def _sell_again(
    shop: LiveShop, buyers: list[Stranger], sku: str
) -> dict[str, str]:
    """The same people sign in again, and each order is taken."""
    people = [one for one in buyers if isinstance(one, Person)]
    for person in people:
        person.url = shop.url
        await person.log_in()
    crowd = Crowd(list(people))
    await crowd.buy(BEFORE, AT_ONCE, lambda _: [(sku, 1)])
    assert Counter(answer.status for answer in crowd.answers) == {201: BEFORE}
    await shop.rest()
    return crowd.answered


async def _check_told_once(shop: LiveShop, orders: Iterable[str]) -> None:
    """The buyer of each order was told of its confirmation, once."""
    sql = """SELECT data::json ->> 'order_id' AS id FROM notifications
             WHERE type = 'ORDER_CONFIRMATION'"""
    told = Counter(row["id"] for row in await shop.rows("notifications", sql))
    assert {key: told[key] for key in orders} == dict.fromkeys(orders, 1)
    books.check_stream(await shop.events())
