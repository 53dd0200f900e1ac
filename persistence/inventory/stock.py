"""Stock rows and their movements: read, and written a round at a time."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from bus.inventory import MovementView, WarehouseStock
from bus.kit.addressing import new_id
from persistence.inventory.states import Movement, Stock
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def load_stock(tx: Tx, skus: Iterable[str]) -> dict[str, Stock]:
    """The stock of SKUs, from memory where it is known; absent ones have no rows."""
    states = await tx.load("stock", skus, _read_stock)
    return {sku: stock or Stock(sku) for sku, stock in states.items()}


async def _read_stock(db: Db, skus: Sequence[str]) -> dict[str, Stock]:
    rows = await db.fetch(
        """SELECT sku, warehouse_id, on_hand, reserved, threshold, stock.version
           FROM stock JOIN warehouses ON warehouses.id = warehouse_id
           WHERE sku = ANY($1) ORDER BY priority, warehouse_id""",
        list(skus),
    )
    by_sku: dict[str, list[WarehouseStock]] = {}
    for row in rows:
        by_sku.setdefault(row["sku"], []).append(
            WarehouseStock(
                warehouse_id=row["warehouse_id"],
                on_hand=row["on_hand"],
                reserved=row["reserved"],
                threshold=row["threshold"],
                version=row["version"],
            )
        )
    return {sku: Stock(sku, tuple(found)) for sku, found in by_sku.items()}


async def save_stock(
    tx: Tx, stocks: dict[str, Stock], moves: Sequence[Movement]
) -> None:
    """Write the changed rows and their movements, each in one statement."""
    last = {(move.sku, move.after.warehouse_id): move.after for move in moves}
    keys = sorted(last)
    await tx.execute(
        """INSERT INTO stock (sku, warehouse_id, on_hand, reserved, threshold, version)
           SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[], $5::int[],
                                $6::int[])
           ON CONFLICT (sku, warehouse_id) DO UPDATE SET on_hand = excluded.on_hand,
             reserved = excluded.reserved, threshold = excluded.threshold,
             version = excluded.version""",
        [sku for sku, _ in keys],
        [warehouse for _, warehouse in keys],
        [last[key].on_hand for key in keys],
        [last[key].reserved for key in keys],
        [last[key].threshold for key in keys],
        [last[key].version for key in keys],
    )
    await _insert_movements(tx, moves)
    for sku in {move.sku for move in moves}:
        tx.keep("stock", sku, stocks[sku])


async def _insert_movements(tx: Tx, moves: Sequence[Movement]) -> None:
    await tx.execute(
        """INSERT INTO movements (sku, warehouse_id, version, id, kind, reason,
             actor_id, order_id, on_hand_before, on_hand_after, reserved_before,
             reserved_after, created_at)
           SELECT *, $13 FROM unnest($1::text[], $2::uuid[], $3::int[], $4::uuid[],
             $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::int[], $10::int[],
             $11::int[], $12::int[])""",
        [move.sku for move in moves],
        [move.after.warehouse_id for move in moves],
        [move.after.version for move in moves],
        [new_id(move.sku) for move in moves],
        [move.kind for move in moves],
        [move.reason for move in moves],
        [move.actor_id for move in moves],
        [move.order_id for move in moves],
        [move.before.on_hand for move in moves],
        [move.after.on_hand for move in moves],
        [move.before.reserved for move in moves],
        [move.after.reserved for move in moves],
        tx.now,
    )


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
        """SELECT sku FROM stock
           WHERE sku > $1 AND ($3::text[] IS NULL OR sku = ANY($3))
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
    db: Db, sku: str, before: UUID | None, limit: int
) -> list[MovementView]:
    """A SKU's movements, newest first, from before the movement `before`."""
    rows = await db.fetch(
        """SELECT id, sku, warehouse_id, kind, reason, actor_id, order_id,
             on_hand_before, on_hand_after, reserved_before, reserved_after, created_at
           FROM movements WHERE sku = $1 AND ($2::uuid IS NULL OR id < $2)
           ORDER BY id DESC LIMIT $3""",
        sku,
        before,
        limit,
    )
    return [MovementView(**dict(row)) for row in rows]
