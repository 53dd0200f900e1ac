"""Inventory: promises pieces, takes promises back, and counts every movement.

`on_hand` are the pieces in a warehouse, sold ones until they ship; `reserved` those
promised, pending or sold; `0 <= reserved <= on_hand` always.
"""

from collections.abc import Sequence

import msgspec

from actors.inventory.holds import Holds
from actors.inventory.ledger import Ledger, allocate, changed, tell_adjusted
from actors.kit.domain import handles, handles_many
from bus.inventory import (
    AdjustStock,
    Availability,
    CreateWarehouse,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    ListWarehouses,
    MovementView,
    SetThreshold,
    StockView,
    WarehouseStock,
    WarehouseView,
)
from bus.kit.cursors import id_of
from bus.kit.refusals import conflict, invalid, not_found
from bus.kit.values import Page
from persistence import inventory as store
from persistence.inventory import Stock
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

__all__ = ["Inventory", "allocate"]

THRESHOLD_DEFAULT = 0


class Inventory(Holds):
    """Owns the stock of its SKUs."""

    name = "inventory"

    @handles(AdjustStock)
    async def adjust_stock(self, tx: Tx, m: AdjustStock) -> StockView:
        """Count anew, or take in and out."""
        if (m.delta is None) == (m.on_hand is None):
            raise invalid("delta-or-on-hand", "Give either `delta` or `on_hand`.")
        warehouses = await store.read_warehouses(tx)
        warehouse_id = m.warehouse_id or warehouses[0].id
        if warehouse_id not in {warehouse.id for warehouse in warehouses}:
            raise not_found("warehouse")
        ledger = Ledger(tx, await store.load_stock(tx, [m.sku]))
        rows = {row.warehouse_id: row for row in ledger.stocks[m.sku].rows}
        row = rows.get(warehouse_id) or WarehouseStock(
            warehouse_id=warehouse_id,
            on_hand=0,
            reserved=0,
            threshold=ledger.stocks[m.sku].threshold or THRESHOLD_DEFAULT,
        )
        delta = m.delta if m.delta is not None else (m.on_hand or 0) - row.on_hand
        if row.on_hand + delta < 0:
            raise conflict("below-zero", "There are not so many pieces.")
        if row.on_hand + delta < row.reserved:
            raise conflict("below-reserved", f"{row.reserved} pieces are promised.")
        after = changed(row, delta)
        ledger.move(m.sku, after, kind="ADJUST", reason=m.reason, actor_id=m.actor_id)
        order = [warehouse.id for warehouse in warehouses]
        stock = ledger.stocks[m.sku]
        sorted_rows = sorted(stock.rows, key=lambda one: order.index(one.warehouse_id))
        ledger.stocks[m.sku] = stock = Stock(m.sku, tuple(sorted_rows))
        tell_adjusted(tx, ledger, m.sku, after, delta, None)
        await store.save_stock(tx, ledger.stocks, ledger.moves)
        return stock.view()

    @handles(SetThreshold)
    async def set_threshold(self, tx: Tx, m: SetThreshold) -> StockView:
        """Set when a SKU counts as low; a row's threshold is no movement of pieces."""
        stock = (await store.load_stock(tx, [m.sku]))[m.sku]
        if not stock.rows:
            raise not_found("SKU")
        ledger = Ledger(tx, {m.sku: stock})
        for row in stock.rows:
            if m.warehouse_id in (None, row.warehouse_id):
                after = msgspec.structs.replace(changed(row), threshold=m.threshold)
                ledger.move(m.sku, after, kind="THRESHOLD", reason="threshold")
        if not ledger.moves:
            raise not_found("warehouse")
        await store.save_stock(tx, ledger.stocks, ledger.moves)
        return ledger.stocks[m.sku].view()

    @handles(
        CreateWarehouse,
        claims=lambda m: (Claim("warehouse-code", m.code, m.warehouse_id),),
    )
    async def create_warehouse(self, tx: Tx, m: CreateWarehouse) -> WarehouseView:
        """Open a warehouse."""
        if not tx.claimed("warehouse-code", m.code, m.warehouse_id):
            raise conflict("warehouse-code-taken", "Another warehouse has this code.")
        view = WarehouseView(
            id=m.warehouse_id,
            code=m.code,
            name=m.name,
            priority=m.priority,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        await store.insert_warehouse(tx, view)
        return view

    # --- queries -------------------------------------------------------------

    @handles(GetStock)
    async def get_stock(self, db: Db, q: GetStock) -> StockView:
        """One SKU's stock, by warehouse."""
        stock = await store.read_stock(db, q.sku)
        if stock is None:
            raise not_found("SKU")
        return stock.view()

    @handles_many(GetAvailability)
    async def get_availability(
        self, db: Db, queries: Sequence[GetAvailability]
    ) -> list[Availability]:
        """How many pieces of each SKU may be promised; 0 for an unknown one."""
        wanted = sorted({sku for query in queries for sku in query.skus})
        found = await store.read_available(db, wanted)
        return [
            Availability({sku: found.get(sku, 0) for sku in q.skus}) for q in queries
        ]

    @handles(ListWarehouses)
    async def list_warehouses(self, db: Db, _: ListWarehouses) -> Page[WarehouseView]:
        """All warehouses."""
        return Page(tuple(await store.read_warehouses(db)))

    @handles(ListMovements)
    async def list_movements(self, db: Db, q: ListMovements) -> Page[MovementView]:
        """A SKU's movements, newest first."""
        rows = await store.read_movements(db, q.sku, id_of(q.cursor), q.limit + 1)
        more = len(rows) > q.limit
        rows = rows[: q.limit]
        return Page(tuple(rows), str(rows[-1].id) if more else None)

    @handles(ListLowStock)
    async def list_low_stock(self, db: Db, q: ListLowStock) -> Page[StockView]:
        """The SKUs that are running out."""
        rows = await store.read_low(db, q.cursor or "", q.limit + 1, q.skus)
        more = len(rows) > q.limit
        rows = rows[: q.limit]
        views = tuple(stock.view() for stock in rows)
        return Page(views, rows[-1].sku if more else None)
