"""Orders in the database: set-based writes for a batch, reads for the queries."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.messages import decode, encode
from bus.kit.refusals import RefusalData
from bus.kit.values import Address, Money
from bus.orders import OrderLine, OrderStatus, Shipment, TimelineEntry
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.orders.sellers import count_work, save_shipments
from persistence.orders.states import Link, Order, Stage, Step, in_progress

NUMBER_FACTOR = 387_420_489  # 3^18: coprime with 10^9, so each number comes once
NUMBER_RANGE = 1_000_000_000

_ORDER = """id, number, buyer, user_id, status, stage, method, token, payment_method_id,
  payment_id, payment_status, attempt, reserve_attempt, from_cart, currency,
  items_amount, discount_amount, shipping_amount, tax_amount, grand_amount,
  refunded_amount, email, token_hash, shipping, refusal, cancel_reason, shipments,
  version, created_at, updated_at"""
_LATER = "attempt_id, attempt_at, links"


async def next_numbers(tx: Tx, count: int) -> list[str]:
    """Fresh order numbers for people; scrambled, so that they tell no volume."""
    rows = await tx.fetch(
        "SELECT nextval('order_numbers') AS n FROM generate_series(1, $1)", count
    )
    digits = [f"{row['n'] * NUMBER_FACTOR % NUMBER_RANGE:09d}" for row in rows]
    return [f"{text[:3]}-{text[3:6]}-{text[6:]}" for text in digits]


async def load_orders(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Order | None]:
    """Orders from memory or database."""
    return await tx.load("order", set(ids), _read)


async def insert_orders(tx: Tx, orders: Sequence[Order]) -> None:
    """Write new orders with their lines."""
    rows = sorted(orders, key=lambda order: order.id)
    await tx.execute(
        f"""INSERT INTO orders ({_ORDER})
           SELECT id, number, buyer, user_id, status, stage, method, token,
             payment_method_id, NULL, 'NEW', 1, 1, from_cart, currency, items, discount,
             shipping_amount, tax, grand, 0, email, token_hash, shipping::jsonb, NULL,
             NULL, '[]', 1, $20, $20
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[],
             $6::text[], $7::text[], $8::text[], $9::uuid[], $10::bool[], $11::text[],
             $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
             $17::text[], $18::bytea[], $19::text[])
             AS placed (id, number, buyer, user_id, status, stage, method, token,
               payment_method_id, from_cart, currency, items, discount, shipping_amount,
               tax, grand, email, token_hash, shipping)""",
        [order.id for order in rows],
        [order.number for order in rows],
        [order.buyer for order in rows],
        [order.user_id for order in rows],
        [order.status for order in rows],
        [order.stage for order in rows],
        [order.method for order in rows],
        [order.token for order in rows],
        [order.payment_method_id for order in rows],
        [order.from_cart for order in rows],
        [order.currency for order in rows],
        [order.items_amount for order in rows],
        [order.discount_amount for order in rows],
        [order.shipping_amount for order in rows],
        [order.tax_amount for order in rows],
        [order.grand_amount for order in rows],
        [order.email for order in rows],
        [order.token_hash for order in rows],
        [_json(order.shipping) for order in rows],
        tx.now,
    )
    await _insert_lines(tx, rows)
    await count_work(tx, [(None, order) for order in rows])
    for order in rows:
        tx.keep("order", order.id, order)


async def _insert_lines(tx: Tx, orders: Sequence[Order]) -> None:
    lines = [
        (order.id, position, line)
        for order in orders
        for position, line in enumerate(order.lines)
    ]
    await tx.execute(
        """INSERT INTO order_lines (order_id, position, sku, product_id, name, options,
             image, seller_id, quantity, unit_amount, status, shipped, delivered,
             in_progress)
           SELECT order_id, position, sku, product_id, name, options::jsonb, image,
             seller_id, quantity, unit_amount, status, 0, 0, true
           FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::uuid[], $5::text[],
             $6::text[], $7::text[], $8::uuid[], $9::int[], $10::bigint[], $11::text[])
             AS line (order_id, position, sku, product_id, name, options, image,
               seller_id, quantity, unit_amount, status)""",
        [order_id for order_id, _, _ in lines],
        [position for _, position, _ in lines],
        [line.sku for _, _, line in lines],
        [line.product_id for _, _, line in lines],
        [line.name for _, _, line in lines],
        [_json(line.options) for _, _, line in lines],
        [line.image for _, _, line in lines],
        [line.seller_id for _, _, line in lines],
        [line.quantity for _, _, line in lines],
        [line.unit_price.amount for _, _, line in lines],
        [line.status for _, _, line in lines],
    )


async def update_orders(
    tx: Tx, orders: Sequence[Order], *, lines: bool = False
) -> None:
    """Write what of orders can change; with `lines` how far their lines are, too.

    What their sellers see of it changes with it: totals of what is in progress, and
    shipments.
    """
    rows = sorted(orders, key=lambda order: order.id)
    known = await load_orders(tx, [order.id for order in rows])
    changes = [(known[order.id], order) for order in rows]
    await tx.execute(
        """UPDATE orders SET status = now.status, stage = now.stage, token = now.token,
             payment_id = now.payment_id, payment_status = now.payment_status,
             attempt = now.attempt, reserve_attempt = now.reserve_attempt,
             refunded_amount = now.refunded, refusal = now.refusal,
             cancel_reason = now.cancel_reason, shipments = now.shipments::jsonb,
             version = now.version, updated_at = now.updated_at
           FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::uuid[],
             $6::text[], $7::int[], $8::int[], $9::bigint[], $10::bytea[], $11::text[],
             $12::text[], $13::int[], $14::timestamptz[])
             AS now (id, status, stage, token, payment_id, payment_status, attempt,
               reserve_attempt, refunded, refusal, cancel_reason, shipments, version,
               updated_at)
           WHERE orders.id = now.id""",
        [order.id for order in rows],
        [order.status for order in rows],
        [order.stage for order in rows],
        [order.token for order in rows],
        [order.payment_id for order in rows],
        [order.payment_status for order in rows],
        [order.attempt for order in rows],
        [order.reserve_attempt for order in rows],
        [order.refunded_amount for order in rows],
        [None if order.refusal is None else encode(order.refusal) for order in rows],
        [order.cancel_reason for order in rows],
        [_json(order.shipments) for order in rows],
        [order.version for order in rows],
        [order.updated_at for order in rows],
    )
    if await count_work(tx, changes) or lines:
        await _update_lines(tx, rows)
    await save_shipments(tx, changes)
    for order in rows:
        tx.keep("order", order.id, order)


async def _update_lines(tx: Tx, orders: Sequence[Order]) -> None:
    lines = [
        (order, position, line)
        for order in orders
        for position, line in enumerate(order.lines)
    ]
    await tx.execute(
        """UPDATE order_lines SET status = now.status, shipped = now.shipped,
             delivered = now.delivered, in_progress = now.in_progress
           FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::int[], $5::int[],
             $6::bool[])
             AS now (order_id, position, status, shipped, delivered, in_progress)
           WHERE order_lines.order_id = now.order_id
             AND order_lines.position = now.position""",
        [order.id for order, _, _ in lines],
        [position for _, position, _ in lines],
        [line.status for _, _, line in lines],
        [line.shipped for _, _, line in lines],
        [line.delivered for _, _, line in lines],
        [in_progress(order, line) for order, _, line in lines],
    )


async def add_timeline(tx: Tx, steps: Iterable[Step]) -> None:
    """Write what happened to orders, and by whom."""
    rows = sorted(steps, key=lambda step: (step.order.id, step.order.version))
    await tx.execute(
        """INSERT INTO timeline (order_id, version, day, status, actor, actor_id,
             reason, at)
           SELECT order_id, version, $7, status, actor, actor_id, reason, $8
           FROM unnest($1::uuid[], $2::int[], $3::text[], $4::text[], $5::uuid[],
             $6::text[])
             AS step (order_id, version, status, actor, actor_id, reason)""",
        [step.order.id for step in rows],
        [step.order.version for step in rows],
        [step.order.status for step in rows],
        [step.actor for step in rows],
        [step.actor_id for step in rows],
        [step.reason for step in rows],
        tx.now.date(),
        tx.now,
    )


async def open_attempt(tx: Tx, order: Order) -> None:
    """Write what the next attempt to pay an order is made with."""
    await tx.execute(
        """UPDATE orders SET method = $2, payment_method_id = $3, attempt_id = $4,
             attempt_at = $5 WHERE id = $1""",
        order.id,
        order.method,
        order.payment_method_id,
        order.attempt_id,
        order.attempt_at,
    )


async def save_links(tx: Tx, order: Order) -> None:
    """Write which mailed links open an order."""
    await tx.execute(
        "UPDATE orders SET links = $2::jsonb WHERE id = $1",
        order.id,
        _json(order.links),
    )
    tx.keep("order", order.id, order)


# --- reads -------------------------------------------------------------------


async def read_order(db: Db, order_id: UUID) -> Order | None:
    """One order as last committed."""
    return (await _read(db, [order_id])).get(order_id)


async def read_orders(
    db: Db,
    *,
    user_id: UUID | None,
    seller_id: UUID | None,
    status: OrderStatus | None,
    before: UUID | None,
    limit: int,
) -> list[Order]:
    """Orders, newest first: all, or those of a user and those with a seller's lines.

    The newest of either side are read by an index of its own: one condition with OR
    would walk through everybody's orders.
    """
    state = _state(status)
    if user_id is None:
        rows = await db.fetch(_NEWEST.format(state=state), before, limit)
    else:
        sold = _SOLD if status is None else _SOLD_AS.format(state=state)
        statement = _NEWEST_OF.format(state=state, sold=sold)
        rows = await db.fetch(statement, before, limit, user_id, seller_id)
    wanted = [row["id"] for row in rows]
    found = await _read(db, wanted)
    return [found[order_id] for order_id in wanted]


async def find_by_number(db: Db, number: str) -> Order | None:
    """The order of a number."""
    order_id = await db.fetchval("SELECT id FROM orders WHERE number = $1", number)
    return None if order_id is None else await read_order(db, order_id)


async def read_orders_of(db: Db, ids: Iterable[UUID]) -> dict[UUID, Order]:
    """Several orders as last committed; one that is not there is left out."""
    return await _read(db, sorted(ids))


def days_of(order: Order) -> list[date]:
    """The days of an order's life as it was read: its changes lie in no other."""
    first, last = order.created_at.date(), order.updated_at.date()
    return [first + timedelta(days=ago) for ago in range((last - first).days + 1)]


async def read_timeline(db: Db, order: Order) -> list[TimelineEntry]:
    """All changes of an order as it was read, oldest first.

    They lie in the days of its life, so the other days are not opened.
    """
    rows = await db.fetch(
        """SELECT version, status, actor, actor_id, reason, at FROM timeline
           WHERE order_id = $1 AND day BETWEEN $2 AND $3 ORDER BY version""",
        order.id,
        order.created_at.date(),
        order.updated_at.date(),
    )
    return [
        TimelineEntry(
            status=OrderStatus(row["status"]),
            actor=row["actor"],
            actor_id=row["actor_id"],
            reason=row["reason"],
            at=row["at"],
            version=row["version"],
        )
        for row in rows
    ]


_NEWEST = """SELECT id FROM orders WHERE {state} AND ($1::uuid IS NULL OR id < $1)
  ORDER BY id DESC LIMIT $2"""
_NEWEST_OF = """SELECT id FROM (
    (SELECT id FROM orders
     WHERE user_id = $3 AND {state} AND ($1::uuid IS NULL OR id < $1)
     ORDER BY id DESC LIMIT $2)
    UNION
    ({sold} ORDER BY 1 DESC LIMIT $2)) AS newest
  ORDER BY id DESC LIMIT $2"""
# Who sells nothing is no seller (null): the second part is then over at once.
_SOLD = """SELECT DISTINCT order_id FROM order_lines
  WHERE seller_id = $4 AND ($1::uuid IS NULL OR order_id < $1)"""
_SOLD_AS = f"""{_SOLD} AND EXISTS
    (SELECT FROM orders WHERE orders.id = order_id AND {{state}})"""


def _state(status: OrderStatus | None) -> str:
    """The condition for a status; it names it, so that Postgres knows how rare it is.

    With a parameter instead one plan would serve a status that most orders have and one
    that none has. The index by which a rare one is found keeps no rows, only what each
    few pages hold: an order that is confirmed does not pay for it.
    """
    return "true" if status is None else f"orders.status = '{OrderStatus(status)}'"


async def _read(db: Db, ids: Sequence[UUID]) -> dict[UUID, Order]:
    wanted = list(ids)
    rows = await db.fetch(
        f"SELECT {_ORDER}, {_LATER} FROM orders WHERE id = ANY($1)", wanted
    )
    found = await db.fetch(
        """SELECT order_id, sku, product_id, name, options, image, seller_id, quantity,
             unit_amount, status, shipped, delivered
           FROM order_lines WHERE order_id = ANY($1) ORDER BY order_id, position""",
        wanted,
    )
    lines: dict[UUID, list[Any]] = {}
    for row in found:
        lines.setdefault(row["order_id"], []).append(row)
    return {row["id"]: _order(row, lines.get(row["id"], [])) for row in rows}


def _order(row: Any, lines: list[Any]) -> Order:
    values = {name: row[name] for name in _PLAIN}
    refusal = row["refusal"]
    return Order(
        **values,
        status=OrderStatus(row["status"]),
        stage=Stage(row["stage"]),
        lines=tuple(_line(line, row["currency"]) for line in lines),
        shipping=msgspec.json.decode(row["shipping"], type=Address),
        refusal=None if refusal is None else decode(RefusalData, refusal),
        shipments=msgspec.json.decode(row["shipments"], type=tuple[Shipment, ...]),
        links=msgspec.json.decode(row["links"], type=tuple[Link, ...]),
    )


def _line(row: Any, currency: str) -> OrderLine:
    price = Money(row["unit_amount"], currency)
    return OrderLine(
        sku=row["sku"],
        product_id=row["product_id"],
        name=row["name"],
        options=msgspec.json.decode(row["options"], type=dict[str, str]),
        quantity=row["quantity"],
        unit_price=price,
        total=price * row["quantity"],
        status=OrderStatus(row["status"]),
        image=row["image"],
        seller_id=row["seller_id"],
        shipped=row["shipped"],
        delivered=row["delivered"],
    )


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_PARSED = {"status", "stage", "shipping", "refusal", "shipments", "links"}
_PLAIN = [
    name
    for name in f"{_ORDER} {_LATER}".replace(",", " ").split()
    if name not in _PARSED
]
