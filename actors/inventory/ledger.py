"""Stock while it is decided: which warehouse gives, and a movement for every change."""

from typing import Any
from uuid import UUID

import msgspec

from bus.inventory import StockAdjusted, StockLow, StockReplenished, WarehouseStock
from persistence.inventory import Movement, Stock
from persistence.kit.transaction import Tx


def allocate(stock: Stock, quantity: int) -> dict[UUID, int] | None:
    """Which warehouses give how many pieces; None when there are too few.

    The first warehouse that has all of them gives all; else they give in their
    order.
    """
    for row in stock.rows:
        if row.available >= quantity:
            return {row.warehouse_id: quantity}
    parts: dict[UUID, int] = {}
    for row in stock.rows:
        if (taken := min(row.available, quantity - sum(parts.values()))) > 0:
            parts[row.warehouse_id] = taken
    return parts if sum(parts.values()) == quantity else None


def changed(row: WarehouseStock, on_hand: int = 0, reserved: int = 0) -> WarehouseStock:
    """The row after so many pieces more in the warehouse, and more promised."""
    return msgspec.structs.replace(
        row,
        on_hand=row.on_hand + on_hand,
        reserved=row.reserved + reserved,
        version=row.version + 1,
    )


class Ledger:
    """The stock of a round while it is decided: each change leaves a movement."""

    def __init__(self, tx: Tx, stocks: dict[str, Stock]) -> None:
        self.tx = tx
        self.stocks = stocks
        self.moves: list[Movement] = []

    def move(self, sku: str, after: WarehouseStock, **why: Any) -> None:
        """Replace one row of a SKU, or add it, and remember why."""
        stock = self.stocks[sku]
        ids = [row.warehouse_id for row in stock.rows]
        if after.warehouse_id in ids:
            before = stock.rows[ids.index(after.warehouse_id)]
            rows = tuple(
                after if row.warehouse_id == after.warehouse_id else row
                for row in stock.rows
            )
        else:
            before = WarehouseStock(
                warehouse_id=after.warehouse_id, on_hand=0, reserved=0, threshold=0
            )
            rows = (*stock.rows, after)
        move = Movement(sku=sku, before=before, after=after, **why)
        self.stocks[sku] = Stock(sku, rows)
        self.moves.append(move)
        self._tell_level(stock, self.stocks[sku])

    def row(self, sku: str, warehouse_id: UUID) -> WarehouseStock:
        """One row as it stands now."""
        rows = self.stocks[sku].rows
        return next(row for row in rows if row.warehouse_id == warehouse_id)

    def _tell_level(self, before: Stock, after: Stock) -> None:
        """Low, once a fall (or to none); replenished, once a rise (or from none)."""
        low, level = after.threshold, after.available
        if before.rows and (
            before.available > low >= level or before.available > 0 >= level
        ):
            self.tx.tell(StockLow(sku=after.sku, available=level, threshold=low))
        elif (before.available <= low < level) or (before.available <= 0 < level):
            self.tx.tell(
                StockReplenished(sku=after.sku, available=level, threshold=low)
            )


def tell_adjusted(
    tx: Tx,
    ledger: Ledger,
    sku: str,
    row: WarehouseStock,
    delta: int,
    order_id: UUID | None,
) -> None:
    """Say how many pieces a warehouse has now, and by how many it changed."""
    tx.tell(
        StockAdjusted(
            sku=sku,
            warehouse_id=row.warehouse_id,
            delta=delta,
            on_hand=row.on_hand,
            available=ledger.stocks[sku].available,
            order_id=order_id,
        )
    )
