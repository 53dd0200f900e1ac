"""Stock rows and their movements: read, and written a round at a time."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from bus.inventory import MovementView
from bus.kit.addressing import new_id
from persistence.inventory.holds import SAVE_HOLDS, columns_of_holds
from persistence.inventory.states import Hold, Level, Movement, Shelf, Stock
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def load_stock(tx: Tx, skus: Iterable[str], generation: int) -> dict[str, Stock]:
    """The stock of SKUs, from memory where it is known; absent ones have no rows.

    What is remembered has its rows in the order of the warehouses' `generation`, which
    every caller reads in its own transaction: a shard that has not heard of a changed
    priority, or of a closed warehouse, finds nothing under the new number and reads.
    """
    states = await tx.load(_kind(generation), skus, _read_stock)
    return {sku: stock or Stock(sku) for sku, stock in states.items()}


async def save_stock(
    tx: Tx,
    stocks: dict[str, Stock],
    moves: Sequence[Movement],
    levels: dict[str, Level],
    generation: int,
    holds: Iterable[Hold] = (),
) -> None:
    """Write the changed rows, their movements, the levels that were told, and `holds`.

    One statement for all but the levels, which seldom change: to a batch of few
    messages a statement costs more than its rows.
    """
    last = {(move.sku, move.after.warehouse_id): move.after for move in moves}
    await tx.execute(
        _SAVE, tx.now, *columns_of_holds(holds), *_rows(last), *_movements(moves)
    )
    if levels:
        await _save_levels(tx, levels)
    for sku in {move.sku for move in moves}:
        tx.keep(_kind(generation), sku, stocks[sku])


async def read_stock(db: Db, sku: str) -> Stock | None:
    """One SKU's stock as last committed; None where no warehouse ever held it."""
    return (await _read_stock(db, [sku])).get(sku)


async def read_available(db: Db, skus: Sequence[str]) -> dict[str, int]:
    """The available pieces of each SKU that is known."""
    rows = await db.fetch(
        """SELECT sku, sum(on_hand - reserved)::int AS available FROM stock
           WHERE sku = ANY($1) GROUP BY sku""",
        list(skus),
    )
    return {row["sku"]: row["available"] for row in rows}


async def read_low(
    db: Db, after: str, limit: int, skus: Sequence[str] | None
) -> list[Stock]:
    """The SKUs at or below their threshold, by SKU, after `after`."""
    rows = await db.fetch(
        """SELECT sku FROM stock JOIN warehouses ON warehouses.id = warehouse_id
           WHERE sku > $1 AND ($3::text[] IS NULL OR sku = ANY($3))
             AND closed_at IS NULL
           GROUP BY sku HAVING sum(on_hand - reserved) <= max(threshold)
           ORDER BY sku LIMIT $2""",
        after,
        limit,
        None if skus is None else list(skus),
    )
    wanted = [row["sku"] for row in rows]
    found = await _read_stock(db, wanted)
    return [found[sku] for sku in wanted]


async def read_movements(
    db: Db, sku: str, before: int | None, limit: int
) -> list[MovementView]:
    """A SKU's movements, newest first, from before the one numbered `before`."""
    rows = await db.fetch(
        """SELECT id, sku, number, warehouse_id, kind, reason, actor_id, order_id,
             transfer_id, on_hand_before, on_hand_after, reserved_before,
             reserved_after, created_at
           FROM movements WHERE sku = $1 AND ($2::int IS NULL OR number < $2)
           ORDER BY number DESC LIMIT $3""",
        sku,
        before,
        limit,
    )
    return [MovementView(**dict(row)) for row in rows]


# --- private -----------------------------------------------------------------


def _kind(generation: int) -> str:
    return f"stock@{generation}"


async def _read_stock(db: Db, skus: Sequence[str]) -> dict[str, Stock]:
    rows = await db.fetch(
        """SELECT stock.sku, warehouse_id, on_hand, reserved, threshold, stock.version,
             closed_at IS NOT NULL AS closed, coalesce(told, $2) AS told
           FROM stock JOIN warehouses ON warehouses.id = warehouse_id
             LEFT JOIN levels ON levels.sku = stock.sku
           WHERE stock.sku = ANY($1) ORDER BY priority, warehouse_id""",
        list(skus),
        int(Level.OUT),
    )
    found: dict[str, list[Shelf]] = {}
    told: dict[str, Level] = {}
    closed: dict[str, int] = {}
    for row in rows:
        sku = row["sku"]
        told[sku] = Level(row["told"])
        found.setdefault(sku, [])
        if row["closed"]:
            closed[sku] = closed.get(sku, 0) + row["version"]
            continue
        found[sku].append(
            Shelf(
                warehouse_id=row["warehouse_id"],
                on_hand=row["on_hand"],
                reserved=row["reserved"],
                threshold=row["threshold"],
                version=row["version"],
            )
        )
    return {
        sku: Stock(sku, tuple(found[sku]), told[sku], closed.get(sku, 0))
        for sku in found
    }


_SAVE = f"""
WITH kept AS (
  INSERT INTO stock (sku, warehouse_id, on_hand, reserved, threshold, version)
  SELECT * FROM unnest($9::text[], $10::uuid[], $11::int[], $12::int[], $13::int[],
                       $14::int[])
  ON CONFLICT (sku, warehouse_id) DO UPDATE SET on_hand = excluded.on_hand,
    reserved = excluded.reserved, threshold = excluded.threshold,
    version = excluded.version),
moved AS (
  INSERT INTO movements (sku, number, warehouse_id, version, id, kind, reason, actor_id,
    order_id, transfer_id, on_hand_before, on_hand_after, reserved_before,
    reserved_after, created_at)
  SELECT *, $1 FROM unnest($15::text[], $16::int[], $17::uuid[], $18::int[],
    $19::uuid[], $20::text[], $21::text[], $22::uuid[], $23::uuid[], $24::uuid[],
    $25::int[], $26::int[], $27::int[], $28::int[]))
{SAVE_HOLDS}"""


def _rows(last: dict[tuple[str, UUID], Shelf]) -> tuple[list[Any], ...]:
    """The stock's values by column, sorted by primary key."""
    keys = sorted(last)
    shelves = [last[key] for key in keys]
    return (
        [sku for sku, _ in keys],
        [warehouse_id for _, warehouse_id in keys],
        [shelf.on_hand for shelf in shelves],
        [shelf.reserved for shelf in shelves],
        [shelf.threshold for shelf in shelves],
        [shelf.version for shelf in shelves],
    )


def _movements(moves: Sequence[Movement]) -> tuple[list[Any], ...]:
    """The movements' values by column; a SKU's are in their order."""
    return (
        [move.sku for move in moves],
        [move.number for move in moves],
        [move.after.warehouse_id for move in moves],
        [move.after.version for move in moves],
        [new_id(move.sku) for move in moves],
        [move.kind for move in moves],
        [move.reason for move in moves],
        [move.actor_id for move in moves],
        [move.order_id for move in moves],
        [move.transfer_id for move in moves],
        [move.before.on_hand for move in moves],
        [move.after.on_hand for move in moves],
        [move.before.reserved for move in moves],
        [move.after.reserved for move in moves],
    )


async def _save_levels(tx: Tx, levels: dict[str, Level]) -> None:
    skus = sorted(levels)
    await tx.execute(
        """INSERT INTO levels SELECT * FROM unnest($1::text[], $2::smallint[])
           ON CONFLICT (sku) DO UPDATE SET told = excluded.told""",
        skus,
        [int(levels[sku]) for sku in skus],
    )
