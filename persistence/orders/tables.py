"""The tables of orders' database."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Column, Field, SQLModel

from persistence.kit.tables import BY_DAY, domain_metadata

metadata = domain_metadata("orders", noted=True)


def _time(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(sa.DateTime(timezone=True), nullable=nullable))


def _json(*, nullable: bool = False) -> Any:
    return Field(sa_column=Column(JSONB, nullable=nullable))


class Table(SQLModel):
    """A table of orders' database."""

    metadata = metadata


class CartRow(Table, table=True):
    """A buyer's cart; `ordering` is the order that is being made from it.

    `given` are the lines of a guest's cart that `merged_into` has not yet taken.
    """

    __tablename__ = "carts"
    buyer: str = Field(primary_key=True)
    state: str
    merged_into: str | None
    ordering: UUID | None
    merge_id: UUID | None
    given: Any = _json(nullable=True)
    lines: Any = _json()
    version: int
    created_at: datetime = Field(
        sa_column=Column(
            sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
        )
    )
    updated_at: datetime = _time()


class CartMergeRow(Table, table=True):
    """A guest cart whose lines a person's cart has taken: once by `merge_id`."""

    __tablename__ = "cart_merges"
    buyer: str = Field(primary_key=True)
    guest: str
    merge_id: UUID = Field(primary_key=True)
    at: datetime = _time()


class OrderRow(Table, table=True):
    """An order; `stage` is what its process still has to do.

    Where it is `erased` nothing is left of the person who bought it, but the id.
    """

    __tablename__ = "orders"
    __table_args__ = (
        sa.CheckConstraint(
            "grand_amount = items_amount - discount_amount + shipping_amount "
            "+ tax_amount AND items_amount >= 0",
            name="orders_sum",
        ),
        sa.Index(
            "orders_by_user",
            "user_id",
            "id",
            postgresql_where=sa.text("user_id IS NOT NULL"),
        ),
        sa.Index(
            "orders_by_status",
            "status",
            postgresql_using="brin",
            postgresql_ops={"status": "text_bloom_ops"},
            postgresql_with={"pages_per_range": 32},
        ),
    )
    id: UUID = Field(primary_key=True)
    number: str = Field(index=True, unique=True)
    buyer: str
    user_id: UUID | None
    status: str
    stage: str
    method: str
    token: str | None
    payment_method_id: UUID | None
    payment_id: UUID | None
    payment_status: str
    attempt: int
    attempt_id: UUID | None
    attempt_at: datetime | None = _time(nullable=True)
    reserve_attempt: int
    from_cart: bool
    currency: str
    items_amount: int = Field(sa_type=sa.BigInteger)
    discount_amount: int = Field(sa_type=sa.BigInteger)
    shipping_amount: int = Field(sa_type=sa.BigInteger)
    tax_amount: int = Field(sa_type=sa.BigInteger)
    grand_amount: int = Field(sa_type=sa.BigInteger)
    refunded_amount: int = Field(sa_type=sa.BigInteger)
    email: str | None
    token_hash: bytes | None
    shipping: Any = _json()
    refusal: bytes | None
    cancel_reason: str | None
    shipments: Any = _json()
    links: Any = _json()
    erased: bool = Field(
        sa_column=Column(sa.Boolean, nullable=False, server_default=sa.false())
    )
    version: int
    created_at: datetime = _time()
    updated_at: datetime = _time()


class OrderLineRow(Table, table=True):
    """A line as it was bought, and how far it is.

    `in_progress`: it is neither delivered, cancelled nor paid back; its seller's
    `seller_totals` count it.
    """

    __tablename__ = "order_lines"
    __table_args__ = (
        sa.Index(
            "order_lines_in_progress",
            *("seller_id", "order_id", "position"),
            postgresql_where=sa.text("in_progress"),
        ),
        sa.Index(
            "order_lines_by_seller",
            "seller_id",
            "order_id",
            postgresql_where=sa.text("seller_id IS NOT NULL"),
        ),
    )
    order_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=sa.SmallInteger)
    sku: str
    product_id: UUID
    name: str
    options: Any = _json()
    image: str | None
    seller_id: UUID | None
    quantity: int
    unit_amount: int = Field(sa_type=sa.BigInteger)
    status: str
    shipped: int
    delivered: int
    in_progress: bool = Field(
        sa_column=Column(sa.Boolean, nullable=False, server_default=sa.false())
    )


class ProductReplicaRow(Table, table=True):
    """What carts know of a SKU: made from its product's `version`, right at `as_of`.

    Products was asked at `as_of` or later; only a later version replaces a row.
    """

    __tablename__ = "product_replica"
    __table_args__ = (
        sa.CheckConstraint("version > 0", name="product_replica_version"),
        sa.Index("product_replica_by_product", "product_id"),
    )
    sku: str = Field(primary_key=True)
    product_id: UUID
    version: int
    name: str
    options: Any = _json()
    price_amount: int = Field(sa_type=sa.BigInteger)
    currency: str
    image: str | None
    seller_id: UUID | None
    on_sale: bool
    as_of: datetime = _time()


class SellerTotalsRow(Table, table=True):
    """What a seller has in progress, of the orders of one slot.

    One row a slot: only the slot's owner writes it, so no shard waits for another.
    """

    __tablename__ = "seller_totals"
    seller_id: UUID = Field(primary_key=True)
    slot: int = Field(primary_key=True, sa_type=sa.SmallInteger)
    orders: int
    lines: int
    amount: int = Field(sa_type=sa.BigInteger)


class ShipmentRow(Table, table=True):
    """The `number`-th shipment of an order, for whoever looks by seller."""

    __tablename__ = "shipments"
    __table_args__ = (
        sa.Index(
            "shipments_under_way",
            *("seller_id", "shipped_at", "order_id", "number"),
            postgresql_where=sa.text("delivered_at IS NULL"),
        ),
        sa.Index(
            "shipments_delivered",
            *("seller_id", "shipped_at", "order_id", "number"),
            postgresql_where=sa.text("delivered_at IS NOT NULL"),
        ),
    )
    id: UUID = Field(primary_key=True)
    order_id: UUID
    number: int
    seller_id: UUID | None
    carrier: str
    tracking_number: str
    items: Any = _json()
    shipped_at: datetime = _time()
    delivered_at: datetime | None = _time(nullable=True)


class TimelineRow(Table, table=True):
    """A change of an order: to what, by whom and why; kept 400 days."""

    __tablename__ = "timeline"
    __table_args__ = {
        "comment": "Every change of an order: to what, by whom, why; kept 400 days.",
        "postgresql_partition_by": BY_DAY,
    }
    order_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    day: date = Field(primary_key=True)
    status: str
    actor: str
    actor_id: UUID | None
    reason: str
    at: datetime = _time()
