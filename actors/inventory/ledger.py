"""Stock while it is decided: a movement for every change, an alert for every fall."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from bus.inventory import (
    StockAdjusted,
    StockLow,
    StockReplenished,
    StockSoldOut,
)
from persistence import inventory as store
from persistence.inventory import Hold, Level, Movement, Shelf, Stock
from persistence.kit.transaction import Tx


def changed(row: Shelf, on_hand: int = 0, reserved: int = 0) -> Shelf:
    """The row after so many pieces more in the warehouse, and more promised."""
    return Shelf(
        warehouse_id=row.warehouse_id,
        on_hand=row.on_hand + on_hand,
        reserved=row.reserved + reserved,
        threshold=row.threshold,
        version=row.version + 1,
    )


class Ledger:
    """The stock of a round while it is decided: each change leaves a movement."""

    def __init__(self, tx: Tx, stocks: dict[str, Stock], generation: int) -> None:
        self.tx = tx
        self.stocks = stocks
        self.moves: list[Movement] = []
        self._levels: dict[str, Level] = {}
        self._generation = generation

    def row(self, sku: str, warehouse_id: UUID) -> Shelf:
        """One row as it stands now; an empty one where the SKU never lay there."""
        for row in self.stocks[sku].rows:
            if row.warehouse_id == warehouse_id:
                return row
        return Shelf(
            warehouse_id=warehouse_id,
            on_hand=0,
            reserved=0,
            threshold=self.stocks[sku].threshold,
        )

    def move(
        self,
        sku: str,
        after: Shelf,
        order: Sequence[UUID] | None = None,
        **why: Any,
    ) -> None:
        """Replace one row of a SKU, or add it, and remember why.

        Only where a row may be new, `order` says after which warehouses it gives.
        """
        stock = self.stocks[sku]
        before = self.row(sku, after.warehouse_id)
        if before in stock.rows:
            rows = tuple(after if row is before else row for row in stock.rows)
        else:
            place = list(order or ()).index
            rows = tuple(
                sorted((*stock.rows, after), key=lambda row: place(row.warehouse_id))
            )
        stock = self.stocks[sku] = Stock(sku, rows, stock.told, stock.closed)
        self.moves.append(
            Movement(sku=sku, number=stock.version, before=before, after=after, **why)
        )

    def tell_level(self, sku: str) -> None:
        """Say when a SKU has run low or out, or is there again: once a change.

        What was told is remembered with the stock, so a fall is told once however it
        comes about, and again only after a rise above the threshold.
        """
        stock = self.stocks[sku]
        now, told = stock.level, stock.told
        if now is told:
            return
        left, low = stock.available, stock.threshold
        if now < told:
            self.tx.tell(StockReplenished(sku=sku, available=left, threshold=low))
        elif told is Level.FINE:
            self.tx.tell(StockLow(sku=sku, available=left, threshold=low))
        if now is Level.OUT:
            self.tx.tell(StockSoldOut(sku=sku, available=left))
        self.stocks[sku] = msgspec.structs.replace(stock, told=now)
        self._levels[sku] = now

    def tell_adjusted(
        self, sku: str, warehouse_id: UUID, delta: int, order_id: UUID | None = None
    ) -> None:
        """Say how many pieces a warehouse has now, and by how many it changed."""
        self.tx.tell(
            StockAdjusted(
                sku=sku,
                warehouse_id=warehouse_id,
                delta=delta,
                on_hand=self.row(sku, warehouse_id).on_hand,
                available=self.stocks[sku].available,
                order_id=order_id,
            )
        )

    async def save(self, holds: Sequence[Hold] = ()) -> None:
        """Write what was decided, of the stock and of `holds`."""
        if self.moves:
            await store.save_stock(
                self.tx, self.stocks, self.moves, self._levels, self._generation, holds
            )
        elif holds:
            await store.save_holds(self.tx, holds)
