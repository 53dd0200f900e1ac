"""Warehouses."""

from bus.inventory import WarehouseView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def insert_warehouse(tx: Tx, warehouse: WarehouseView) -> bool:
    """Open a warehouse, once by its id."""
    tag = await tx.execute(
        """INSERT INTO warehouses VALUES ($1, $2, $3, $4, $5, $6, $7)
           ON CONFLICT DO NOTHING""",
        warehouse.id,
        warehouse.code,
        warehouse.name,
        warehouse.priority,
        warehouse.version,
        warehouse.created_at,
        warehouse.updated_at,
    )
    return tag.endswith(" 1")


async def read_warehouses(db: Db) -> list[WarehouseView]:
    """All warehouses, in the order in which they give their pieces."""
    rows = await db.fetch("SELECT * FROM warehouses ORDER BY priority, id")
    return [WarehouseView(**dict(row)) for row in rows]
