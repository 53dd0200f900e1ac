"""What inventory remembers: warehouses, stock rows, holds and movements."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlmodel import Column, Field, SQLModel

from bus.inventory import MovementView, StockView, WarehouseStock, WarehouseView
from bus.kit.addressing import new_id
from bus.kit.values import Value
from persistence.kit.database import Db
from persistence.kit.tables import domain_metadata
from persistence.kit.transaction import Tx

metadata = domain_metadata("inventory")


class Table(SQLModel):
    """A table of inventory's database."""

    metadata = metadata


class Warehouse(Table, table=True):
    """Where pieces lie; the lowest `priority` gives its pieces first."""

    __tablename__ = "warehouses"
    id: UUID = Field(primary_key=True)
    code: str
    name: str
    priority: int
    version: int
    created_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))


class StockRow(Table, table=True):
    """The pieces of a SKU in a warehouse; `0 <= reserved <= on_hand` always."""

    __tablename__ = "stock"
    __table_args__ = (
        sa.CheckConstraint("0 <= reserved AND reserved <= on_hand", name="stock_sane"),
    )
    sku: str = Field(primary_key=True)
    warehouse_id: UUID = Field(primary_key=True, foreign_key="warehouses.id")
    on_hand: int
    reserved: int
    threshold: int
    version: int


class HoldRow(Table, table=True):
    """Pieces promised to an order; a RELEASED one is a tombstone of its attempt."""

    __tablename__ = "holds"
    order_id: UUID = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    attempt: int
    state: str
    quantity: int
    shipped: int
    parts: Any = Field(sa_column=Column(sa.dialects.postgresql.JSONB, nullable=False))
    updated_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))


class MovementRow(Table, table=True):
    """One change of one stock row, numbered in commit order by row (`version`)."""

    __tablename__ = "movements"
    sku: str = Field(primary_key=True)
    warehouse_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    id: UUID
    kind: str
    reason: str
    actor_id: UUID | None
    order_id: UUID | None
    on_hand_before: int
    on_hand_after: int
    reserved_before: int
    reserved_after: int
    created_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))


class Stock(Value, frozen=True):
    """All rows of one SKU, in the order in which they give."""

    sku: str
    rows: tuple[WarehouseStock, ...] = ()

    @property
    def available(self) -> int:
        """The pieces that may still be promised, all warehouses together."""
        return sum(row.available for row in self.rows)

    @property
    def threshold(self) -> int:
        """The SKU's threshold: the highest of its rows."""
        return max((row.threshold for row in self.rows), default=0)

    def view(self) -> StockView:
        """What those see who may see the warehouses."""
        version = sum(row.version for row in self.rows)
        return StockView(
            sku=self.sku,
            available=self.available,
            warehouses=self.rows,
            version=version,
        )


class Hold(Value, frozen=True, kw_only=True):
    """A hold in memory; `parts` is how many pieces each warehouse gives."""

    order_id: UUID
    sku: str
    attempt: int
    state: str
    quantity: int
    shipped: int = 0
    parts: dict[UUID, int] = {}


class Movement(Value, frozen=True, kw_only=True):
    """A change that is to be written: a row before and after, and why."""

    sku: str
    before: WarehouseStock
    after: WarehouseStock
    kind: str
    reason: str
    actor_id: UUID | None = None
    order_id: UUID | None = None


# --- stock -------------------------------------------------------------------


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


# --- holds -------------------------------------------------------------------


async def load_holds(
    tx: Tx, keys: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Hold]:
    """The holds of (order, SKU) pairs; absent ones are left out."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(
        """SELECT order_id, sku, attempt, state, quantity, shipped, parts FROM holds
           WHERE (order_id, sku) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))""",
        [order_id for order_id, _ in wanted],
        [sku for _, sku in wanted],
    )
    return {(row["order_id"], row["sku"]): _hold(row) for row in rows}


async def save_holds(tx: Tx, holds: Iterable[Hold]) -> None:
    """Insert or update holds, in one statement."""
    rows = sorted(holds, key=lambda hold: (hold.order_id, hold.sku))
    await tx.execute(
        """INSERT INTO holds (order_id, sku, attempt, state, quantity, shipped, parts,
                              updated_at)
           SELECT order_id, sku, attempt, state, quantity, shipped, parts::jsonb, $8
           FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::int[],
                       $6::int[], $7::text[])
             AS held (order_id, sku, attempt, state, quantity, shipped, parts)
           ON CONFLICT (order_id, sku) DO UPDATE SET attempt = excluded.attempt,
             state = excluded.state, quantity = excluded.quantity,
             shipped = excluded.shipped, parts = excluded.parts,
             updated_at = excluded.updated_at""",
        [hold.order_id for hold in rows],
        [hold.sku for hold in rows],
        [hold.attempt for hold in rows],
        [hold.state for hold in rows],
        [hold.quantity for hold in rows],
        [hold.shipped for hold in rows],
        [_encode_parts(hold) for hold in rows],
        tx.now,
    )


def _encode_parts(hold: Hold) -> str:
    return msgspec.json.encode({str(k): v for k, v in hold.parts.items()}).decode()


def _hold(row: Any) -> Hold:
    return Hold(
        order_id=row["order_id"],
        sku=row["sku"],
        attempt=row["attempt"],
        state=row["state"],
        quantity=row["quantity"],
        shipped=row["shipped"],
        parts=msgspec.json.decode(row["parts"], type=dict[UUID, int]),
    )


# --- warehouses --------------------------------------------------------------


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
