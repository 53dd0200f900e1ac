"""Stock as its keepers see it: counts, thresholds, movements, what runs low."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from actors.inventory.ledger import Ledger, changed
from actors.kit.domain import Domain, handles, handles_many
from bus.inventory import (
    ON_HAND_MAX,
    AdjustStock,
    Availability,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    MovementView,
    SetThreshold,
    StockView,
)
from bus.kit.refusals import conflict, invalid, not_found, stale
from bus.kit.values import Page
from persistence import inventory as store
from persistence.inventory import GivingOrder
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


class StockKeeping(Domain):
    """What sellers and administrators do with stock."""

    @handles(AdjustStock)
    async def adjust_stock(self, tx: Tx, m: AdjustStock) -> StockView:
        """Count anew, or take in and out; the warehouse stays open meanwhile."""
        if (m.delta is None) == (m.on_hand is None):
            raise invalid("delta-or-on-hand", "Give either `delta` or `on_hand`.")
        order = await store.read_order(tx)
        warehouse_id = await _meant(tx, m, order)
        if await store.hold_warehouses(tx, [warehouse_id]) != {warehouse_id}:
            raise not_found("warehouse")
        ledger = await _ledger(tx, m, order)
        row = ledger.row(m.sku, warehouse_id)
        delta = m.delta if m.delta is not None else (m.on_hand or 0) - row.on_hand
        if row.on_hand + delta < 0:
            raise conflict("below-zero", "There are not so many pieces.")
        if row.on_hand + delta < row.reserved:
            raise conflict("below-reserved", f"{row.reserved} pieces are promised.")
        if row.on_hand + delta > ON_HAND_MAX:
            raise conflict("above-maximum", f"At most {ON_HAND_MAX} pieces.")
        ledger.move(
            m.sku,
            changed(row, delta),
            order.warehouse_ids,
            kind="ADJUST",
            reason=m.reason,
            actor_id=m.actor_id,
        )
        ledger.tell_adjusted(m.sku, warehouse_id, delta)
        place = str(warehouse_id)
        after = {place: row.on_hand + delta}
        tx.audit(m, m.sku, {"on_hand": {place: row.on_hand}}, {"on_hand": after})
        ledger.tell_level(m.sku)
        await ledger.save()
        return ledger.stocks[m.sku].view()

    @handles(SetThreshold)
    async def set_threshold(self, tx: Tx, m: SetThreshold) -> StockView:
        """Set when a SKU counts as low, and say so if by this it does."""
        ledger = await _ledger(tx, m, await store.read_order(tx))
        rows = ledger.stocks[m.sku].rows
        if not rows:
            raise not_found("SKU")
        for row in rows:
            if m.warehouse_id in (None, row.warehouse_id):
                after = msgspec.structs.replace(changed(row), threshold=m.threshold)
                ledger.move(
                    m.sku,
                    after,
                    kind="THRESHOLD",
                    reason="threshold",
                    actor_id=m.actor_id,
                )
        if not ledger.moves:
            raise not_found("warehouse")
        before = {str(each.after.warehouse_id): each.before for each in ledger.moves}
        tx.audit(
            m,
            m.sku,
            {"threshold": {place: row.threshold for place, row in before.items()}},
            {"threshold": dict.fromkeys(before, m.threshold)},
        )
        ledger.tell_level(m.sku)
        await ledger.save()
        return ledger.stocks[m.sku].view()

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

    @handles(ListMovements)
    async def list_movements(self, db: Db, q: ListMovements) -> Page[MovementView]:
        """A SKU's movements, newest first."""
        before = _number(q.cursor)
        rows = await store.read_movements(db, q.sku, before, q.limit + 1)
        more = len(rows) > q.limit
        rows = rows[: q.limit]
        return Page(tuple(rows), str(rows[-1].number) if more else None)

    @handles(ListLowStock)
    async def list_low_stock(self, db: Db, q: ListLowStock) -> Page[StockView]:
        """The SKUs that are running out."""
        rows = await store.read_low(db, q.cursor or "", q.limit + 1, q.skus)
        more = len(rows) > q.limit
        rows = rows[: q.limit]
        views = tuple(stock.view() for stock in rows)
        return Page(views, rows[-1].sku if more else None)


async def _ledger(tx: Tx, m: AdjustStock | SetThreshold, order: GivingOrder) -> Ledger:
    """The stock that is meant, as it was seen; raises the refusal."""
    stocks = await store.load_stock(tx, [m.sku], order.generation)
    if m.version not in (None, stocks[m.sku].version):
        raise stale()
    return Ledger(tx, stocks, order.generation)


async def _meant(tx: Tx, m: AdjustStock, order: GivingOrder) -> UUID:
    """The warehouse that is named by id or code; without either the first one."""
    if m.warehouse_id is not None:
        return m.warehouse_id
    if m.warehouse_code is None:
        return order.warehouse_ids[0]
    found = await store.find_warehouse(tx, m.warehouse_code)
    if found is None:
        raise not_found("warehouse")
    return found


def _number(cursor: str | None) -> int | None:
    """The movement that a page begins after; refuses what was never given."""
    if cursor is None:
        return None
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 9:
        raise invalid("invalid-cursor", "This cursor was never given.")
    return int(cursor)
