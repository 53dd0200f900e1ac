"""What the databases and the stream say of a marketplace when it is at rest."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Document
from actors.auditing.rows import many, one

STANDS = frozenset(
    {"CONFIRMED", "PROCESSING", "SHIPPED", "DELIVERED", "PARTIALLY_REFUNDED"}
)
CANCELLED = "CANCELLED"
ENDED, DONE = frozenset({CANCELLED, "REFUNDED"}), frozenset({CANCELLED, "DELIVERED"})
SOLD = "COMMITTED"
HELD = frozenset({"HELD", SOLD})
TAKEN = frozenset({"SUCCEEDED", "AUTHORIZED", "CAPTURING"})


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order; `held` are the pieces that inventory has for it.

    `amount` is in minor units.
    """

    quantity: int
    amount: int = 0
    in_progress: bool = False
    shipped: int = 0
    held: int = 0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order; `paid` is what is captured or held of its money, in minor units."""

    id: str
    status: str
    amount: int
    paid: int
    lines: dict[str, Line]


class Stock(msgspec.Struct, frozen=True, kw_only=True):
    """The pieces of a SKU in all warehouses."""

    on_hand: int
    reserved: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an order, its payment or its stock, by its place in the stream."""

    place: int
    kind: str
    subject: str
    sequence: int
    at: datetime
    order_id: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a journal is held against."""

    orders: dict[str, Order] = {}
    stock: dict[str, Stock] = {}
    told: list[Told] = []


def facts_of(books: Books, market: str) -> Facts:
    """The part of the books that is about this market's SKUs."""
    start = f"{market}-"
    lines = [line for line in books.lines if line.sku.startswith(start)]
    held = {
        (hold.order_id, hold.sku): hold.quantity
        for hold in books.holds
        if hold.state in HELD
    }
    paid = _paid(books)
    by_id = one(books.orders, lambda order: order.id)
    orders = {
        str(order_id): Order(
            id=str(order_id),
            status=by_id[order_id].status,
            amount=by_id[order_id].grand_amount,
            paid=paid.get(order_id, 0),
            lines={
                line.sku: Line(
                    quantity=line.quantity,
                    amount=line.quantity * line.unit_amount,
                    in_progress=by_id[order_id].status not in ENDED
                    and line.status not in DONE,
                    shipped=line.shipped,
                    held=held.get((order_id, line.sku), 0),
                )
                for line in mine
            },
        )
        for order_id, mine in many(lines, lambda line: line.order_id).items()
        if order_id in by_id
    }
    documents = ((one.place, one.document) for one in books.stream.events)
    return Facts(
        orders=orders, stock=_stock(books, start), told=_told(documents, orders)
    )


def _paid(books: Books) -> dict[UUID, int]:
    """What each order's payment has, less what went back."""
    payments = one(books.payments, lambda payment: payment.id)
    found = {one.order_id: -one.refunded_minor for one in payments.values()}
    for attempt in books.attempts:
        if attempt.status in TAKEN:
            found[payments[attempt.payment_id].order_id] += attempt.amount_minor
    return found


def _stock(books: Books, start: str) -> dict[str, Stock]:
    rows = many(
        (row for row in books.stock if row.sku.startswith(start)), lambda row: row.sku
    )
    return {
        sku: Stock(
            on_hand=sum(row.on_hand for row in mine),
            reserved=sum(row.reserved for row in mine),
        )
        for sku, mine in rows.items()
    }


def _told(
    documents: Iterable[tuple[int, Document]], orders: dict[str, Order]
) -> list[Told]:
    return [
        Told(
            place=place,
            kind=document.type.rsplit(".v", 1)[0],
            subject=document.subject,
            sequence=int(document.sequence),
            at=document.time,
            order_id=str(document.data["order_id"]),
        )
        for place, document in documents
        if document.data.get("order_id") in orders
    ]
