"""The tables of inventory: warehouses, stock, holds, movements, transfers."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Column, Field, SQLModel

from persistence.kit.tables import domain_metadata

metadata = domain_metadata("inventory", noted=True)
JSON = sa.dialects.postgresql.JSONB


class Table(SQLModel):
    """A table of inventory's database."""

    metadata = metadata


class Warehouse(Table, table=True):
    """Where pieces lie; a closed one stays for the movements that name it."""

    __tablename__ = "warehouses"
    id: UUID = Field(primary_key=True)
    code: str
    name: str
    priority: int
    version: int
    created_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
    closed_at: datetime | None = Field(sa_column=Column(sa.DateTime(True)))


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


class LevelRow(Table, table=True):
    """What was last told of a SKU: 0 fine, 1 low, 2 sold out (as an absent one is)."""

    __tablename__ = "levels"
    sku: str = Field(primary_key=True)
    told: int = Field(sa_type=sa.SmallInteger)


class HoldRow(Table, table=True):
    """Pieces promised to an order, a transfer, or for a time.

    A RELEASED one is a tombstone of its attempt.
    """

    __tablename__ = "holds"
    order_id: UUID = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    attempt: int
    state: str
    quantity: int
    shipped: int
    parts: Any = Field(sa_column=Column(JSON, nullable=False))
    updated_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))


class TimedHoldRow(Table, table=True):
    """That a hold stands for no order of ours, and when it ends by itself.

    `order_id` is the order of whoever asked for it, if one was named.
    """

    __tablename__ = "timed_holds"
    hold_id: UUID = Field(primary_key=True)
    sku: str = Field(primary_key=True)
    expires_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
    order_id: UUID | None


class MovementRow(Table, table=True):
    """One change of one stock row, numbered in commit order by SKU.

    `version` is the stock row's after it; the numbers of a SKU have no gaps.
    """

    __tablename__ = "movements"
    __table_args__ = (
        sa.Index(
            "movements_shipped",
            "order_id",
            postgresql_where=sa.text("kind = 'SHIP'"),
        ),
    )
    sku: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    warehouse_id: UUID
    version: int
    id: UUID
    kind: str
    reason: str
    actor_id: UUID | None
    order_id: UUID | None
    transfer_id: UUID | None
    on_hand_before: int
    on_hand_after: int
    reserved_before: int
    reserved_after: int
    created_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))


class TransferRow(Table, table=True):
    """Pieces on their way from one warehouse to another; `lines`: SKU → pieces."""

    __tablename__ = "transfers"
    __table_args__ = (
        sa.CheckConstraint(
            "status IN ('IN_TRANSIT', 'COMPLETED', 'REFUSED')", "transfers_status"
        ),
        sa.Index(
            "transfers_under_way",
            "id",
            postgresql_where=sa.text("status = 'IN_TRANSIT'"),
        ),
    )
    id: UUID = Field(primary_key=True)
    from_warehouse_id: UUID = Field(foreign_key="warehouses.id")
    to_warehouse_id: UUID = Field(foreign_key="warehouses.id")
    status: str
    lines: Any = Field(sa_column=Column(JSON, nullable=False))
    reason: str
    actor_id: UUID | None
    refusal: Any = Field(sa_column=Column(JSON, nullable=True))
    version: int
    created_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
    updated_at: datetime = Field(sa_column=Column(sa.DateTime(True), nullable=False))
