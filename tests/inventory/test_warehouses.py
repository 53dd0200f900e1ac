"""Warehouses: changed and closed in one slot, seen by the shards of all SKUs."""

import asyncio

import asyncpg
import pytest

from bus.inventory import (
    AdjustStock,
    CloseWarehouse,
    CreateWarehouse,
    GetStock,
    ListMovements,
    ListWarehouses,
    ReserveStock,
    UpdateWarehouse,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from tests.inventory.support import (
    MAIN,
    check_books,
    counted,
    moving,
    opened,
    pieces,
    refusal,
    skus_in_shards,
)


def edited(warehouse_id, code="EAST", priority=50, version=None) -> UpdateWarehouse:
    return UpdateWarehouse(
        warehouse_id=warehouse_id,
        code=code,
        name="Else",
        priority=priority,
        version=version,
    )


def reserve(sku: str, quantity: int = 1) -> ReserveStock:
    return ReserveStock(order_id=new_id(), sku=sku, quantity=quantity)


async def test_a_new_priority_counts_at_once_in_every_shard(shop) -> None:
    async with shop("inventory", shards=2) as s:
        east = await opened(s, "EAST", 50)
        for sku in (skus := skus_in_shards(2)):
            await counted(s, sku, 5)
            await counted(s, sku, 5, east)
            await s.ask(reserve(sku))  # now the shard knows the rows in their order
            assert (await pieces(s, sku))[MAIN] == (5, 1)
        await s.ask(edited(east, priority=1))
        for sku in skus:
            await s.ask(reserve(sku))
            assert await pieces(s, sku) == {MAIN: (5, 1), east: (5, 1)}
            first = (await s.ask(GetStock(sku=sku))).warehouses[0]
            assert first.warehouse_id == east
        await check_books(s)


async def test_a_code_that_is_given_up_is_free_and_one_that_is_taken_is_not(
    shop,
) -> None:
    async with shop("inventory") as s:
        east = await opened(s, "EAST")
        assert await refusal(s, edited(east, "MAIN")) == "warehouse-code-taken"
        view = await s.ask(edited(east, "WEST", version=1))
        assert (view.code, view.version) == ("WEST", 2)
        assert await refusal(s, edited(east, "EAST", version=1)) == "version-mismatch"
        again = await opened(s, "EAST")
        assert again != east
        assert await refusal(s, edited(east, "EAST")) == "warehouse-code-taken"
        assert await refusal(s, edited(new_id(), "SOUTH")) == "not-found"
        assert await opened(s, "SOUTH")  # what was refused has claimed nothing
        [main] = [w for w in (await s.ask(ListWarehouses())).items if w.id == MAIN]
        assert (main.code, main.version) == ("MAIN", 1)


async def test_only_an_empty_warehouse_closes_and_never_the_last(shop) -> None:
    async with shop("inventory", shards=2) as s:
        close_main = CloseWarehouse(warehouse_id=MAIN)
        assert await refusal(s, close_main) == "last-warehouse"
        east = await opened(s, "EAST")
        sku = skus_in_shards(2)[1]
        await counted(s, sku, 2, east)
        close = CloseWarehouse(warehouse_id=east)
        assert await refusal(s, close) == "warehouse-in-use"
        await counted(s, sku, 0, east)
        old = CloseWarehouse(warehouse_id=east, version=9)
        assert await refusal(s, old) == "version-mismatch"
        await s.ask(close)
        assert await refusal(s, close) == "not-found"
        assert await refusal(s, close_main) == "last-warehouse"
        there = AdjustStock(sku=sku, delta=1, reason="x", warehouse_id=east)
        assert await refusal(s, there) == "not-found"
        assert await refusal(s, moving(east, (sku, 1))) == "not-found"
        moves = (await s.ask(ListMovements(sku=sku))).items
        assert [(m.warehouse_id, m.on_hand_after) for m in moves] == [
            (east, 0),
            (east, 2),
        ]
        await counted(s, sku, 3)  # and its version goes on from there
        view = await s.ask(GetStock(sku=sku))
        assert (view.version, [r.warehouse_id for r in view.warehouses]) == (3, [MAIN])
        assert await opened(s, "EAST") != east
        await check_books(s)


async def test_the_threshold_of_a_closed_warehouse_counts_no_longer(shop) -> None:
    async with shop("inventory", shards=2) as s:
        east = await opened(s, "EAST")
        sku = skus_in_shards(2)[1]
        await counted(s, sku, 0, east)
        await counted(s, sku, 5)
        await s.ask(reserve(sku))
        await s.ask(CloseWarehouse(warehouse_id=east))
        await s.ask(reserve(sku))
        assert await pieces(s, sku) == {MAIN: (5, 2)}
        await check_books(s)


@pytest.mark.parametrize("shards", [1, 3])
async def test_a_warehouse_that_closes_while_it_is_filled_ends_empty_or_open(
    shop, shards
) -> None:
    async with shop("inventory", shards=shards) as s:
        skus = skus_in_shards(shards, 4 // shards + 1)
        for sku in skus:
            await counted(s, sku, 9)
        for n in range(4):
            east = await opened(s, f"EAST-{n}")
            fill = [
                s.ask(AdjustStock(sku=sku, delta=1, reason="in", warehouse_id=east))
                for sku in skus
            ]
            carry = [s.ask(moving(east, *((sku, 1) for sku in skus[:2])))]
            close = [s.ask(CloseWarehouse(warehouse_id=east)) for _ in range(3)]
            mixed = close + fill + carry if n % 2 else fill + close + carry
            ends = await asyncio.gather(*mixed, return_exceptions=True)
            codes = {e.code for e in ends if isinstance(e, Refusal)}
            assert codes <= {"warehouse-in-use", "not-found"}
            assert all(not isinstance(e, Exception) or e.code in codes for e in ends)
        left = await s.rows(
            "inventory",
            """SELECT code FROM warehouses JOIN stock ON warehouse_id = id
               WHERE closed_at IS NOT NULL AND on_hand > 0""",
        )
        assert left == []
        await check_books(s)
        assert await deadlocks(s) == 0


async def test_who_puts_pieces_somewhere_keeps_it_from_closing(shop) -> None:
    async with shop("inventory") as s:
        east = await opened(s, "EAST")
        other = await s.database("inventory")
        transaction = other.transaction()
        await transaction.start()
        hold = "SELECT FROM warehouses WHERE id = $1 FOR KEY SHARE"
        await other.execute(hold, east)
        close = CloseWarehouse(warehouse_id=east)
        assert await refusal(s, close) == "warehouse-in-use"
        await transaction.rollback()
        await s.ask(close)


async def test_two_that_open_and_close_codes_at_once_end_with_one_of_each(
    shop,
) -> None:
    async with shop("inventory", shards=3) as s:
        commands = [
            CreateWarehouse(warehouse_id=new_id(), code=f"C-{n % 3}", name="C")
            for n in range(12)
        ]
        ends = await asyncio.gather(
            *(s.ask(c) for c in commands), return_exceptions=True
        )
        assert sum(not isinstance(end, Exception) for end in ends) == 3
        codes = [w.code for w in (await s.ask(ListWarehouses())).items]
        assert sorted(codes) == ["C-0", "C-1", "C-2", "MAIN"]


async def test_the_database_itself_refuses_stock_that_cannot_be(shop) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 2)
        connection = await s.database("inventory")
        for change in ("reserved = 3", "reserved = -1", "on_hand = -1"):
            with pytest.raises(asyncpg.CheckViolationError, match="stock_sane"):
                await connection.execute(f"UPDATE stock SET {change}")


async def deadlocks(s) -> int:
    """The server's own counter, of this database."""
    rows = await s.rows(
        "inventory",
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()",
    )
    return int(rows[0]["deadlocks"])
