"""Inventory: promises pieces, takes promises back, and counts every movement.

`on_hand` are the pieces in a warehouse, sold ones until they ship; `reserved` those
promised, pending or sold; `0 <= reserved <= on_hand` always.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from actors.kit.domain import Domain, handles, handles_many
from bus.inventory import (
    AdjustStock,
    Availability,
    CommitStock,
    CreateWarehouse,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    ListWarehouses,
    MovementView,
    ReleaseStock,
    Reserved,
    ReserveStock,
    SetThreshold,
    ShipStock,
    StockAdjusted,
    StockCommitted,
    StockLow,
    StockReleased,
    StockReplenished,
    StockReserved,
    StockView,
    WarehouseStock,
    WarehouseView,
    out_of_stock,
)
from bus.kit.cursors import id_of
from bus.kit.refusals import Refusal, conflict, invalid, not_found
from bus.kit.values import Done, Page
from persistence import inventory as store
from persistence.inventory import Hold, Movement, Stock
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

M = TypeVar("M", ReserveStock, ReleaseStock, CommitStock, ShipStock)

HELD, COMMITTED, RELEASED = "HELD", "COMMITTED", "RELEASED"
THRESHOLD_DEFAULT = 0

# --- decisions ---------------------------------------------------------------


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

    def move(self, sku: str, after: WarehouseStock, **why: object) -> None:
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
        move = Movement(sku=sku, before=before, after=after, **why)  # type: ignore[arg-type]
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


# --- the domain --------------------------------------------------------------


class Inventory(Domain):
    """Owns the stock of its SKUs."""

    name = "inventory"

    @handles_many(ReserveStock)
    async def reserve_stock(
        self, tx: Tx, messages: Sequence[ReserveStock]
    ) -> list[Reserved | Refusal]:
        """Hold pieces for orders: decided in memory, written in three statements."""

        def decide(
            m: ReserveStock, hold: Hold | None, ledger: Ledger
        ) -> Hold | Refusal:
            stock = ledger.stocks[m.sku]
            if hold is not None and hold.attempt >= m.attempt:
                if hold.state != RELEASED:
                    return hold
                return conflict("hold-released", "This hold was already given back.")
            if not m.quantity > 0:
                return invalid("quantity-out-of-range")
            parts = allocate(stock, m.quantity)
            if parts is None:
                return out_of_stock((m.sku, stock.available))
            for warehouse_id, pieces in parts.items():
                row = changed(ledger.row(m.sku, warehouse_id), reserved=pieces)
                ledger.move(
                    m.sku, row, kind="RESERVE", reason="order", order_id=m.order_id
                )
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockReserved(
                    sku=m.sku,
                    order_id=m.order_id,
                    quantity=m.quantity,
                    available=available,
                ),
                about=m,
            )
            return Hold(
                order_id=m.order_id,
                sku=m.sku,
                attempt=m.attempt,
                state=HELD,
                quantity=m.quantity,
                parts=parts,
            )

        return await _each(
            tx, messages, decide, lambda _, stock: Reserved(stock.available)
        )

    @handles_many(ReleaseStock)
    async def release_stock(
        self, tx: Tx, messages: Sequence[ReleaseStock]
    ) -> list[Done | Refusal]:
        """Give holds back; where there is none yet, leave a tombstone."""

        def decide(
            m: ReleaseStock, hold: Hold | None, ledger: Ledger
        ) -> Hold | Refusal:
            if hold is None or (hold.attempt < m.attempt and hold.state == RELEASED):
                return Hold(
                    order_id=m.order_id,
                    sku=m.sku,
                    attempt=m.attempt,
                    state=RELEASED,
                    quantity=0,
                )
            if hold.state == RELEASED or hold.attempt > m.attempt:
                return hold
            back = 0
            for warehouse_id, pieces in hold.parts.items():
                row = changed(ledger.row(m.sku, warehouse_id), reserved=-pieces)
                ledger.move(
                    m.sku, row, kind="RELEASE", reason="order", order_id=m.order_id
                )
                back += pieces
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockReleased(
                    sku=m.sku, order_id=m.order_id, quantity=back, available=available
                ),
                about=m,
            )
            return msgspec.structs.replace(hold, state=RELEASED, parts={})

        return await _each(tx, messages, decide, _done)

    @handles_many(CommitStock)
    async def commit_stock(
        self, tx: Tx, messages: Sequence[CommitStock]
    ) -> list[Done | Refusal]:
        """Turn holds into sales; the pieces stay reserved until they ship."""

        def decide(m: CommitStock, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None or hold.state == RELEASED:
                return conflict("no-hold", "Nothing is held for this order.")
            if hold.state == COMMITTED:
                return hold
            available = ledger.stocks[m.sku].available
            tx.tell(
                StockCommitted(
                    sku=m.sku,
                    order_id=m.order_id,
                    quantity=hold.quantity,
                    available=available,
                ),
                about=m,
            )
            return msgspec.structs.replace(hold, state=COMMITTED)

        return await _each(tx, messages, decide, _done)

    @handles_many(ShipStock)
    async def ship_stock(
        self, tx: Tx, messages: Sequence[ShipStock]
    ) -> list[Done | Refusal]:
        """Pieces leave: both `on_hand` and `reserved` fall."""

        def decide(m: ShipStock, hold: Hold | None, ledger: Ledger) -> Hold | Refusal:
            if hold is None or hold.state != COMMITTED:
                return conflict("no-hold", "Nothing is sold to this order.")
            if m.quantity > sum(hold.parts.values()):
                return conflict("ships-too-much", "More than was sold.")
            parts, left = dict(hold.parts), m.quantity
            for warehouse_id, pieces in hold.parts.items():
                gone = min(pieces, left)
                left -= gone
                parts[warehouse_id] = pieces - gone
                if gone:
                    row = changed(ledger.row(m.sku, warehouse_id), -gone, -gone)
                    ledger.move(
                        m.sku, row, kind="SHIP", reason="shipment", order_id=m.order_id
                    )
                    _tell_adjusted(tx, ledger, m.sku, row, -gone, m.order_id)
            return msgspec.structs.replace(
                hold,
                shipped=hold.shipped + m.quantity,
                parts={key: pieces for key, pieces in parts.items() if pieces},
            )

        return await _each(tx, messages, decide, _done)

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
        _tell_adjusted(tx, ledger, m.sku, after, delta, None)
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


# --- private -----------------------------------------------------------------


async def _each(
    tx: Tx,
    messages: Sequence[M],
    decide: Callable[[M, Hold | None, Ledger], Hold | Refusal],
    reply: Callable[[Hold, Stock], object],
) -> list[Any]:
    """Decide a round in memory, one message after another, then write it at once."""
    ledger = Ledger(tx, await store.load_stock(tx, {m.sku for m in messages}))
    holds = await store.load_holds(tx, [(m.order_id, m.sku) for m in messages])
    before = dict(holds)
    answers: list[Any] = []
    for message in messages:
        key = (message.order_id, message.sku)
        hold = decide(message, holds.get(key), ledger)
        if isinstance(hold, Refusal):
            answers.append(hold)
            continue
        holds[key] = hold
        answers.append(reply(hold, ledger.stocks[message.sku]))
    if ledger.moves:
        await store.save_stock(tx, ledger.stocks, ledger.moves)
    if new := [hold for key, hold in holds.items() if before.get(key) != hold]:
        await store.save_holds(tx, new)
    return answers


def _done(_: Hold, __: Stock) -> Done:
    return Done()


def _tell_adjusted(
    tx: Tx,
    ledger: Ledger,
    sku: str,
    row: WarehouseStock,
    delta: int,
    order_id: UUID | None,
) -> None:
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
