"""What a domain says was written since: by itself or by hand, late or gone."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from bus.inventory import AdjustStock
from bus.kit.books import Written, changed_since, read_books, walk_books
from bus.kit.messages import decode
from tests.kit.local import Databases, LocalShop, local_shop

INVENTORY = changed_since("inventory")
EVER = 2


@pytest.fixture(scope="module")
async def stocked(databases: Databases) -> AsyncIterator[LocalShop]:
    async with local_shop(databases, "inventory") as shop:
        for sku in ("A", "B"):
            await shop.ask(AdjustStock(sku=sku, on_hand=5, reason="count"))
        yield shop


@pytest.fixture
async def hand(stocked: LocalShop) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stocked.urls["inventory"])
    yield connection
    await connection.close()


async def written(shop: LocalShop, since: int, **more: int) -> Written:
    return await shop.ask(INVENTORY(since=since, **more))


async def set_on_hand(hand: asyncpg.Connection, sku: str, change: int) -> None:
    sql = "UPDATE stock SET on_hand = on_hand + $2 WHERE sku = $1"
    await hand.execute(sql, sku, change)


async def test_all_is_told_once_and_what_is_written_after_it(
    stocked: LocalShop, hand: asyncpg.Connection
) -> None:
    first = await written(stocked, EVER)
    assert set(first.keys["stock"]) == {"A", "B"}
    assert set(first.keys["movements"]) == {"A", "B"}
    assert first.found == ()
    assert (await written(stocked, first.next)).keys == {}
    await set_on_hand(hand, "A", 1)
    after = await written(stocked, first.next)
    assert after.keys == {"stock": ("A",)}
    [(check, ids, words)] = after.found
    assert (check, ids.split()[0]) == ("stock-movements", "A")
    assert words == "movements end at (1,5,0), the row is (1,6,0)"
    await set_on_hand(hand, "A", -1)
    mended = await written(stocked, after.next, checks_since=first.next)
    assert mended.found == ()


async def test_a_transaction_that_commits_late_is_not_skipped(
    stocked: LocalShop, hand: asyncpg.Connection
) -> None:
    transaction = hand.transaction()
    await transaction.start()
    await set_on_hand(hand, "B", 0)
    await stocked.ask(AdjustStock(sku="A", delta=1, reason="found"))
    before = await written(stocked, EVER)
    await transaction.commit()
    assert "B" in (await written(stocked, before.next)).keys["stock"]


async def test_what_is_gone_is_noted_by_its_key(
    stocked: LocalShop, hand: asyncpg.Connection
) -> None:
    before = await written(stocked, EVER)
    kept = await hand.fetchrow("DELETE FROM levels WHERE sku = 'B' RETURNING *")
    after = await written(stocked, before.next)
    assert after.removed == {"levels": ("B",)}
    assert after.found == (("stock-level", "B", "told 2, is 0"),)
    await hand.execute("INSERT INTO levels VALUES ($1, $2)", *kept)
    again = await written(stocked, after.next, checks_since=before.next)
    assert again.found == ()


async def test_a_cursor_of_another_past_is_told(stocked: LocalShop) -> None:
    now = await written(stocked, EVER)
    later = await written(stocked, now.next + 1_000_000)
    assert later.lost
    assert later.keys == {}


async def test_rows_come_by_their_keys_and_a_walk_passes_all(
    stocked: LocalShop,
) -> None:
    rows = await stocked.ask(
        read_books("inventory")(keys={"levels": ("A", "B", "none")})
    )
    assert decode(list[tuple[str, int]], rows.tables["levels"]) == [("A", 0), ("B", 0)]
    walk = walk_books("inventory")
    first = await stocked.ask(walk(table="stock", after=None, limit=1))
    assert first == (("A", "A"),)
    second = await stocked.ask(walk(table="stock", after="A", limit=9))
    assert second == (("B", "B"),)
    assert await stocked.ask(walk(table="stock", after="B", limit=9)) == ()


async def test_an_event_that_holds_an_address_or_a_phone_is_named(
    stocked: LocalShop, hand: asyncpg.Connection
) -> None:
    before = await written(stocked, EVER)
    [row] = await hand.fetch("SELECT slot, n, id, payload FROM outbox LIMIT 1")
    for words, kind in (
        ("ada@example.com", "an e-mail address"),
        ("+442079460001", "a phone"),
    ):
        said = row["payload"].replace('"data":{', f'"data":{{"said":"{words}",')
        sql = "UPDATE outbox SET payload = $1 WHERE id = $2"
        await hand.execute(sql, said, row["id"])
        found = (await written(stocked, before.next)).found
        assert found == (("no-person-in-outbox", str(row["id"]), f"holds {kind}"),)
    await hand.execute(
        "UPDATE outbox SET payload = $1 WHERE id = $2", row["payload"], row["id"]
    )
    assert (await written(stocked, before.next)).found == ()
