"""Warehouses: written by one slot, held open by whoever puts pieces into one."""

from collections.abc import Iterable
from uuid import UUID

from bus.inventory import WarehouseView
from persistence.inventory.states import GivingOrder
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

_COLUMNS = "id, code, name, priority, version, created_at, updated_at"


async def insert_warehouse(tx: Tx, warehouse: WarehouseView) -> bool:
    """Open a warehouse, once by its id."""
    tag = await tx.execute(
        f"""INSERT INTO warehouses ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT DO NOTHING""",
        *(getattr(warehouse, name) for name in _COLUMNS.split(", ")),
    )
    return tag.endswith(" 1")


async def save_warehouse(tx: Tx, warehouse: WarehouseView) -> None:
    """Bring a warehouse one version further."""
    tag = await tx.execute(
        """UPDATE warehouses SET code = $2, name = $3, priority = $4, version = $5,
             updated_at = $6
           WHERE id = $1 AND version = $5 - 1 AND closed_at IS NULL""",
        warehouse.id,
        warehouse.code,
        warehouse.name,
        warehouse.priority,
        warehouse.version,
        warehouse.updated_at,
    )
    if not tag.endswith(" 1"):
        raise RuntimeError("a warehouse changed between its reading and its writing")


async def close_warehouse(tx: Tx, warehouse_id: UUID) -> bool:
    """Close a warehouse for good, unless something lies there or is on its way.

    Whoever puts pieces into it holds its row (`hold_warehouses`) until that is
    committed. A row that is held counts as in use: to wait for it here, while its
    holder waits for another warehouse, would be a deadlock. Once the row is ours,
    nobody can put anything there before this transaction ends, and then it is closed.
    """
    mine = await tx.fetchval(
        """SELECT id FROM warehouses WHERE id = $1 AND closed_at IS NULL
           FOR UPDATE SKIP LOCKED""",
        warehouse_id,
    )
    if mine is None:
        return False
    tag = await tx.execute(
        """UPDATE warehouses SET closed_at = $2, updated_at = $2, version = version + 1
           WHERE id = $1
             AND NOT EXISTS (SELECT FROM stock WHERE warehouse_id = $1 AND on_hand > 0)
             AND NOT EXISTS (SELECT FROM transfers WHERE status = 'IN_TRANSIT'
                               AND $1 IN (from_warehouse_id, to_warehouse_id))""",
        warehouse_id,
        tx.now,
    )
    return tag.endswith(" 1")


async def hold_warehouses(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Those that are open, kept from being closed until this transaction ends."""
    rows = await tx.fetch(
        """SELECT id FROM warehouses WHERE id = ANY($1) AND closed_at IS NULL
           ORDER BY id FOR KEY SHARE""",
        sorted(set(ids)),
    )
    return {row["id"] for row in rows}


async def read_order(tx: Tx) -> GivingOrder:
    """The open warehouses as they give, and how often any was changed."""
    rows = await tx.fetch(
        """SELECT id, (SELECT sum(version)::int FROM warehouses) AS generation
           FROM warehouses WHERE closed_at IS NULL ORDER BY priority, id"""
    )
    return GivingOrder(rows[0]["generation"], tuple(row["id"] for row in rows))


async def read_warehouses(db: Db) -> list[WarehouseView]:
    """The open warehouses, in the order in which they give their pieces."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM warehouses WHERE closed_at IS NULL
            ORDER BY priority, id"""
    )
    return [WarehouseView(**dict(row)) for row in rows]


async def find_warehouse(db: Db, code: str) -> UUID | None:
    """The open warehouse that has this code."""
    found: UUID | None = await db.fetchval(
        "SELECT id FROM warehouses WHERE code = $1 AND closed_at IS NULL", code
    )
    return found
