"""Orders as their sellers look at them: what is in progress, and shipments."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.addressing import slot_of
from bus.kit.values import Money
from bus.orders import (
    Dashboard,
    DashboardLine,
    DashboardTotals,
    Delivery,
    OrderStatus,
    SellerShipment,
    ShipmentStatus,
)
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.orders.states import Order, in_progress

Change = tuple[Order | None, Order]
"""An order before, None where it is new, and after."""

_SUMS = ("orders", "lines", "amount")

_DASHBOARD = """
  SELECT asked.place, statement_timestamp() AS as_of, sums.*, newest.*, orders.number,
    orders.currency, orders.created_at
  FROM unnest($1::uuid[], $2::int[]) WITH ORDINALITY AS asked (seller_id, most, place)
  CROSS JOIN LATERAL
    (SELECT coalesce(sum(orders), 0)::bigint AS orders_sum,
       coalesce(sum(lines), 0)::bigint AS lines_sum,
       coalesce(sum(amount), 0)::bigint AS amount_sum
     FROM seller_totals WHERE seller_totals.seller_id = asked.seller_id) AS sums
  LEFT JOIN LATERAL
    (SELECT order_id, position, sku, product_id, name, quantity, unit_amount, status
     FROM order_lines
     WHERE order_lines.seller_id = asked.seller_id AND in_progress
     ORDER BY order_id DESC, position DESC LIMIT asked.most) AS newest ON true
  LEFT JOIN orders ON orders.id = newest.order_id
  ORDER BY asked.place, newest.order_id DESC, newest.position DESC"""

_SHIPMENTS = """
  SELECT found.*, orders.number AS order_number FROM (
    (SELECT * FROM shipments
     WHERE seller_id = $1 AND delivered_at IS NULL AND $2 <> 'DELIVERED'
       AND ($3::uuid IS NULL OR (shipped_at, order_id, number) >
            (SELECT shipped_at, order_id, number FROM shipments WHERE id = $3))
     ORDER BY shipped_at, order_id, number LIMIT $4)
    UNION ALL
    (SELECT * FROM shipments
     WHERE seller_id = $1 AND delivered_at IS NOT NULL AND $2 <> 'SHIPPED'
       AND ($3::uuid IS NULL OR (shipped_at, order_id, number) >
            (SELECT shipped_at, order_id, number FROM shipments WHERE id = $3))
     ORDER BY shipped_at, order_id, number LIMIT $4)) AS found
  JOIN orders ON orders.id = found.order_id
  ORDER BY found.shipped_at, found.order_id, found.number LIMIT $4"""

# From seller to seller, each time by one look into the index: its cost is the number
# of sellers with something under way, however much that is.
_OLDEST = """
  WITH RECURSIVE oldest AS (
    (SELECT seller_id, shipped_at, order_id, number, id FROM shipments
     WHERE delivered_at IS NULL AND seller_id IS NOT NULL
     ORDER BY seller_id, shipped_at, order_id, number LIMIT 1)
    UNION ALL
    SELECT next.* FROM oldest CROSS JOIN LATERAL
      (SELECT seller_id, shipped_at, order_id, number, id FROM shipments
       WHERE delivered_at IS NULL AND shipments.seller_id > oldest.seller_id
       ORDER BY seller_id, shipped_at, order_id, number LIMIT 1) AS next)
  SELECT seller_id, order_id, id FROM oldest
  ORDER BY shipped_at, order_id, number LIMIT $1"""

# --- writes ------------------------------------------------------------------


async def count_work(tx: Tx, changes: Iterable[Change]) -> bool:
    """Keep the sums of what sellers have in progress; whether any has changed.

    They are kept by slot, which has one writer: sellers with many orders at once have
    as many rows as there are slots, and no shard waits for another one's.
    """
    sums: Counter[tuple[UUID, int, str]] = Counter()
    for before, after in changes:
        if before and before.status is after.status and before.lines is after.lines:
            continue
        slot = slot_of(after.id)
        now = _work(after)
        was = _work(before) if before is not None else Counter[tuple[UUID, str]]()
        for seller_id, what in now.keys() | was.keys():
            step = now[seller_id, what] - was[seller_id, what]
            sums[seller_id, slot, what] += step
    moved = sorted({key[:2] for key, step in sums.items() if step})
    if not moved:
        return False
    await tx.execute(
        """INSERT INTO seller_totals AS kept (seller_id, slot, orders, lines, amount)
           SELECT * FROM
             unnest($1::uuid[], $2::smallint[], $3::int[], $4::int[], $5::bigint[])
           ON CONFLICT (seller_id, slot) DO UPDATE SET
             orders = kept.orders + excluded.orders,
             lines = kept.lines + excluded.lines,
             amount = kept.amount + excluded.amount""",
        [seller_id for seller_id, _ in moved],
        [slot for _, slot in moved],
        *(
            [sums[*key, what] for key in moved]
            for what in ("orders", "lines", "amount")
        ),
    )
    return True


async def save_shipments(tx: Tx, changes: Iterable[Change]) -> None:
    """Write the shipments that are new, and which have arrived."""
    rows = sorted(
        (
            (one.id, after.id, number, one)
            for before, after in changes
            if before is None or before.shipments is not after.shipments
            for number, one in enumerate(after.shipments)
            if before is None or one not in before.shipments[number : number + 1]
        ),
        key=lambda row: row[0],
    )
    if not rows:
        return
    await tx.execute(
        """INSERT INTO shipments (id, order_id, number, seller_id, carrier,
             tracking_number, items, shipped_at, delivered_at)
           SELECT id, order_id, number, seller_id, carrier, tracking_number,
             items::jsonb, shipped_at, delivered_at
           FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::text[],
             $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[])
             AS sent (id, order_id, number, seller_id, carrier, tracking_number, items,
               shipped_at, delivered_at)
           ON CONFLICT (id) DO UPDATE SET delivered_at = excluded.delivered_at""",
        [id_ for id_, _, _, _ in rows],
        [order_id for _, order_id, _, _ in rows],
        [number for _, _, number, _ in rows],
        [one.seller_id for _, _, _, one in rows],
        [one.carrier for _, _, _, one in rows],
        [one.tracking_number for _, _, _, one in rows],
        [msgspec.json.encode(one.items).decode() for _, _, _, one in rows],
        [one.created_at for _, _, _, one in rows],
        [one.delivered_at for _, _, _, one in rows],
    )


# --- reads -------------------------------------------------------------------


async def read_dashboards(
    db: Db, asked: Sequence[tuple[UUID, int]], currency: str
) -> list[Dashboard]:
    """The dashboard of each seller, with so many lines; all as of one moment.

    `currency` is the shop's, for a seller who has nothing in progress.
    """
    rows = await db.fetch(
        _DASHBOARD,
        [seller_id for seller_id, _ in asked],
        [limit + 1 for _, limit in asked],
    )
    found: list[list[Any]] = [[] for _ in asked]
    for row in rows:
        found[row["place"] - 1].append(row)
    return [
        _dashboard(seller_id, limit, lines, currency)
        for (seller_id, limit), lines in zip(asked, found, strict=True)
    ]


async def read_shipments(
    db: Db,
    seller_id: UUID,
    status: ShipmentStatus | None,
    after: UUID | None,
    limit: int,
) -> list[SellerShipment]:
    """Shipments of a seller, oldest first; `after` is the one before the page."""
    rows = await db.fetch(_SHIPMENTS, seller_id, status or "", after, limit)
    return [
        SellerShipment(
            id=row["id"],
            order_id=row["order_id"],
            number=row["order_number"],
            seller_id=row["seller_id"],
            status=_status(row),
            carrier=row["carrier"],
            tracking_number=row["tracking_number"],
            items=msgspec.json.decode(row["items"], type=dict[str, int]),
            shipped_at=row["shipped_at"],
            delivered_at=row["delivered_at"],
        )
        for row in rows
    ]


async def oldest_under_way(db: Db, sellers_max: int) -> list[Delivery]:
    """The oldest shipment under way of each of some sellers, the oldest of all first.

    What has no seller is the shop's own, and in nobody's turn.
    """
    rows = await db.fetch(_OLDEST, sellers_max)
    return [
        Delivery(
            seller_id=row["seller_id"],
            order_id=row["order_id"],
            shipment_id=row["id"],
        )
        for row in rows
    ]


# --- private -----------------------------------------------------------------


def _work(order: Order) -> Counter[tuple[UUID, str]]:
    """What an order has in progress for each of its sellers."""
    work: Counter[tuple[UUID, str]] = Counter()
    for line in order.lines:
        if line.seller_id is not None and in_progress(order, line):
            work[line.seller_id, "orders"] = 1
            work[line.seller_id, "lines"] += 1
            work[line.seller_id, "amount"] += line.total.amount
    return work


def _dashboard(
    seller_id: UUID, limit: int, rows: Sequence[Any], currency: str
) -> Dashboard:
    first = rows[0]  # of a seller with nothing in progress it holds the zeros
    lines = [row for row in rows if row["order_id"] is not None]
    currency = lines[0]["currency"] if lines else currency
    return Dashboard(
        seller_id=seller_id,
        as_of=first["as_of"],
        totals=DashboardTotals(
            orders=first["orders_sum"],
            items=first["lines_sum"],
            amount=Money(first["amount_sum"], currency),
        ),
        items=tuple(_line(row) for row in lines[:limit]),
        more=len(lines) > limit,
    )


def _status(row: Any) -> ShipmentStatus:
    under_way = row["delivered_at"] is None
    return ShipmentStatus.SHIPPED if under_way else ShipmentStatus.DELIVERED


def _line(row: Any) -> DashboardLine:
    return DashboardLine(
        order_id=row["order_id"],
        number=row["number"],
        sku=row["sku"],
        product_id=row["product_id"],
        name=row["name"],
        quantity=row["quantity"],
        total=Money(row["unit_amount"], row["currency"]) * row["quantity"],
        status=OrderStatus(row["status"]),
        placed_at=row["created_at"],
    )
