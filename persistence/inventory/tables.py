"""The tables of inventory: warehouses, stock, holds, movements."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Column, Field, SQLModel

from persistence.kit.tables import domain_metadata

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
