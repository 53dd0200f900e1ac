"""Orders by seller: lines in progress and their sums, and one shipment a seller."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from alembic import op

from bus.kit.addressing import SLOTS, derived_id

revision = "orders_0006"
down_revision = "orders_0005"
branch_labels = None

ORDERS_AT_ONCE_MAX = 1_000

CHANGES = (
    """ALTER TABLE order_lines
         ADD COLUMN in_progress boolean NOT NULL DEFAULT false""",
    """UPDATE order_lines SET in_progress = true FROM orders
       WHERE orders.id = order_id AND orders.status NOT IN ('CANCELLED', 'REFUNDED')
         AND order_lines.status NOT IN ('DELIVERED', 'CANCELLED')""",
    """CREATE INDEX order_lines_in_progress
       ON order_lines (seller_id, order_id, position) WHERE in_progress""",
    """CREATE TABLE seller_totals (
         seller_id uuid NOT NULL,
         slot smallint NOT NULL,
         orders integer NOT NULL,
         lines integer NOT NULL,
         amount bigint NOT NULL,
         PRIMARY KEY (seller_id, slot)) WITH (fillfactor = 50)""",
    # An id's last byte says its slot: there are 64, and a byte holds 256.
    f"""INSERT INTO seller_totals (seller_id, slot, orders, lines, amount)
       SELECT seller_id, get_byte(uuid_send(order_id), 15) % {SLOTS},
         count(DISTINCT order_id), count(*), sum(quantity * unit_amount)
       FROM order_lines WHERE in_progress AND seller_id IS NOT NULL
       GROUP BY 1, 2""",
    """CREATE TABLE shipments (
         id uuid PRIMARY KEY,
         order_id uuid NOT NULL,
         number integer NOT NULL,
         seller_id uuid,
         carrier text NOT NULL,
         tracking_number text NOT NULL,
         items jsonb NOT NULL,
         shipped_at timestamptz NOT NULL,
         delivered_at timestamptz)""",
    """CREATE INDEX shipments_under_way
       ON shipments (seller_id, shipped_at, order_id, number)
       WHERE delivered_at IS NULL""",
    """CREATE INDEX shipments_delivered
       ON shipments (seller_id, shipped_at, order_id, number)
       WHERE delivered_at IS NOT NULL""",
)

SHIPPED = sa.text(
    """SELECT id, shipments, updated_at FROM orders
       WHERE shipments <> '[]' AND (CAST(:after AS uuid) IS NULL OR id > :after)
       ORDER BY id LIMIT :limit"""
)
LINES = sa.text(
    """SELECT order_id, sku, seller_id, delivered FROM order_lines
       WHERE order_id = ANY(:ids) ORDER BY order_id, position"""
)
SPLIT = sa.text(
    "UPDATE orders SET shipments = CAST(:shipments AS jsonb) WHERE id = :id"
)
INSERT = sa.text(
    """INSERT INTO shipments (id, order_id, number, seller_id, carrier,
         tracking_number, items, shipped_at, delivered_at)
       VALUES (:id, :order_id, :number, :seller_id, :carrier, :tracking_number,
         CAST(:items AS jsonb), CAST(CAST(:created_at AS text) AS timestamptz),
         CAST(CAST(:delivered_at AS text) AS timestamptz))"""
)


def upgrade() -> None:
    """Count what is in progress; split the shipments there are by seller."""
    for statement in CHANGES:
        op.execute(statement)
    for orders in _shipped():
        _split_all(orders)


def _shipped() -> Iterator[list[Any]]:
    after: UUID | None = None
    while True:
        found = {"after": after, "limit": ORDERS_AT_ONCE_MAX}
        orders = list(op.get_bind().execute(SHIPPED, found))
        if not orders:
            return
        yield orders
        after = orders[-1].id


def _split_all(orders: list[Any]) -> None:
    lines: dict[UUID, list[Any]] = {order.id: [] for order in orders}
    for line in op.get_bind().execute(LINES, {"ids": list(lines)}):
        lines[line.order_id].append(line)
    split = {order.id: _split(order, lines[order.id]) for order in orders}
    op.get_bind().execute(
        SPLIT,
        [{"id": id_, "shipments": _json(parts)} for id_, parts in split.items()],
    )
    rows = [
        {**part, "order_id": id_, "number": number, "items": _json(part["items"])}
        for id_, parts in split.items()
        for number, part in enumerate(parts)
    ]
    op.get_bind().execute(INSERT, rows)


def _split(order: Any, lines: list[Any]) -> list[dict[str, Any]]:
    """An order's shipments, one a seller; pieces of the oldest arrived first.

    When one arrived nobody wrote down: the order's last change is the latest moment.
    """
    sellers = {line.sku: line.seller_id for line in lines}
    there = {line.sku: line.delivered for line in lines}
    parts: list[dict[str, Any]] = []
    for parcel in order.shipments:
        shares: dict[UUID | None, dict[str, int]] = {}
        for sku, count in parcel["items"].items():
            shares.setdefault(sellers[sku], {})[sku] = count
        for place, (seller_id, items) in enumerate(shares.items()):
            complete = all(there[sku] >= count for sku, count in items.items())
            for sku, count in items.items():
                there[sku] = max(0, there[sku] - count)
            parcel_id = UUID(parcel["id"])
            part_id = derived_id(parcel_id, f"seller {seller_id}", order.id)
            parts.append(
                {
                    **parcel,
                    "id": str(part_id if place else parcel_id),
                    "items": items,
                    "seller_id": str(seller_id) if seller_id else None,
                    "parcel_id": str(parcel_id),
                    "delivered_at": order.updated_at.isoformat() if complete else None,
                }
            )
    return parts


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
