"""The rows of past orders as COPY takes them: one text line a row, by its table."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec

from bus.kit.addressing import derived_id, slot_of
from bus.kit.context import NONE
from bus.kit.messages import preserve
from bus.kit.values import Money
from bus.orders import CartLine
from bus.orders.carts import ExpireCart
from persistence.messaging.tables import MESSAGES_DAYS_MAX
from persistence.notifications import NOTIFICATIONS_DAYS_MAX
from scripts.benching.growing.columns import (
    ATTEMPTS,
    AUDIT,
    BANK_REFUNDS,
    CARTS,
    CHARGES,
    DUE,
    HOLDS,
    LEDGER,
    LINES,
    MESSAGES,
    MOVEMENTS,
    NOTIFICATIONS,
    ORDERS,
    PAYMENTS,
    PURCHASES,
    REFUNDS,
    TIMELINE,
    Row,
    line_of,
    sequences,
)
from scripts.benching.growing.past import DELIVERED_AFTER, SHIPPED_AFTER, Line, Past
from scripts.benching.scenes import ADDRESS

MAIN = "01900000-0000-7000-8000-000000000000"
PIECES = 1_000_000
"""How many pieces of each ware there were at first: none sells out."""
CART_EVERY = 5
CART_DAYS = 30

_SHIPPING = msgspec.json.encode(
    {"line2": None, "phone": None, "region": None, "company": None, **ADDRESS}
).decode()


class Moment(NamedTuple):
    """What rows of the past depend on beside their orders."""

    now: datetime
    admin: str
    currency: str = "USD"

    def keeps(self, at: datetime, days_max: int) -> bool:
        """Whether a row of that time has not been dropped for its age."""
        return at > self.now - timedelta(days=days_max - 1)


class Shelves:
    """What each SKU's stock and movements have come to so far."""

    def __init__(self, on_hand: list[int], numbers: list[int]) -> None:
        self.on_hand, self.numbers = on_hand, numbers


def rows_of(order: Past, moment: Moment, shelves: Shelves) -> Iterator[Row]:
    """All rows that an order and what followed it have left."""
    yield from _order(order, moment)
    yield from _stock(order, shelves)
    yield from _money(order, moment)
    yield from _told(order, moment)
    if order.number % CART_EVERY == 0:
        yield from _cart(order, moment)


def _order(order: Past, moment: Moment) -> Iterator[Row]:
    at = order.placed_at
    steps = _steps(order)
    last = steps[-1].at
    gone = order.is_cancelled
    parcel = {
        "id": order.made("parcel"),
        "carrier": "Post",
        "tracking_number": "T1",
        "items": {line.ware.sku: line.quantity for line in order.lines},
        "created_at": at + SHIPPED_AFTER,
    }
    parcels = msgspec.json.encode([] if gone else [parcel]).decode()
    status, amount = ("CANCELLED" if gone else "DELIVERED"), order.amount
    yield (
        ORDERS,
        line_of(
            *(order.name, order.shown, order.buyer, order.user, status, "SETTLED"),
            *("CREDIT_CARD", order.paid, "REFUNDED" if gone else "SUCCEEDED"),
            *(1, 1, "f", moment.currency, amount, 0, 0, 0, amount),
            *(amount if gone else 0, order.email, _SHIPPING),
            *("requested" if gone else None, parcels, len(steps), at, last),
        ),
    )
    for place, line in enumerate(order.lines):
        sent = 0 if gone else line.quantity
        yield (
            LINES,
            line_of(
                *(order.name, place, line.ware.sku, line.ware.id, line.ware.name, "{}"),
                *(line.ware.seller_id, line.quantity, line.ware.price, status),
                *(sent, sent),
            ),
        )
    yield from _changes(order, moment, steps)
    yield sequences("orders"), line_of(order.name, len(steps))


class _Step(NamedTuple):
    status: str
    actor: str
    reason: str
    at: datetime
    action: str = ""


def _changes(order: Past, moment: Moment, steps: list[_Step]) -> Iterator[Row]:
    """The timeline, and who of the shop did what."""
    for version, step in enumerate(steps, 1):
        actor_id = moment.admin if step.actor == "ADMIN" else None
        day = step.at.date()
        yield (
            TIMELINE,
            line_of(
                *(order.name, version, day, step.status, step.actor, actor_id),
                *(step.reason, step.at),
            ),
        )
        if actor_id:
            yield (
                AUDIT,
                line_of(
                    *(_entry_id(order, version, step.at), day, step.at),
                    *(step.action, actor_id, order.id),
                    f'{{"status": "{steps[version - 2].status}"}}',
                    f'{{"status": "{step.status}"}}',
                ),
            )


def _entry_id(order: Past, version: int, at: datetime) -> UUID:
    """The same each time, and of the time of the entry, as ids of the log are."""
    rest = derived_id(order.id, f"audit {version}").int & ((1 << 80) - 1)
    return UUID(int=int(at.timestamp() * 1000) << 80 | rest)


def _steps(order: Past) -> list[_Step]:
    at = order.placed_at
    buyer = "GUEST" if order.user_id is None else "CUSTOMER"
    paid = at + timedelta(seconds=1)
    steps = [
        _Step("PENDING", buyer, "placed", at),
        _Step("CONFIRMED", "SYSTEM", "paid", paid),
    ]
    if order.is_cancelled:
        later = at + timedelta(hours=1)
        return [
            *steps,
            _Step("CANCELLED", "ADMIN", "requested", later, "orders.begin_cancel"),
            _Step("CANCELLED", "SYSTEM", "refunded", later + timedelta(seconds=1)),
        ]
    act = "orders.begin_advance"
    return [
        *steps,
        _Step("SHIPPED", "ADMIN", "shipped", at + SHIPPED_AFTER, act),
        _Step("DELIVERED", "ADMIN", "delivered", at + DELIVERED_AFTER, act),
    ]


def _stock(order: Past, shelves: Shelves) -> Iterator[Row]:
    gone = order.is_cancelled
    at = order.placed_at
    later = at + (timedelta(hours=1) if gone else SHIPPED_AFTER)
    state = "RELEASED" if gone else "COMMITTED"
    for line in order.lines:
        n, sku = line.quantity, line.ware.sku
        sent = 0 if gone else n
        yield HOLDS, line_of(order.name, sku, 1, state, n, sent, "{}", later)
        yield from _moves(order, line, shelves, (at, later))


def _moves(
    order: Past, line: Line, shelves: Shelves, times: tuple[datetime, datetime]
) -> Iterator[Row]:
    """A ware is promised to one order after the other: nothing else is reserved."""
    number, had = shelves.numbers[line.place], shelves.on_hand[line.place]
    left = had if order.is_cancelled else had - line.quantity
    end, why = ("RELEASE", "order") if order.is_cancelled else ("SHIP", "shipment")
    changes = (
        ("RESERVE", "order", had, had, 0, line.quantity),
        (end, why, had, left, line.quantity, 0),
    )
    for (kind, reason, *counts), at in zip(changes, times, strict=True):
        number += 1
        move_id = derived_id(order.id, f"{kind} {line.place}")
        yield (
            MOVEMENTS,
            line_of(
                *(line.ware.sku, MAIN, number, number, move_id, kind, reason),
                *(order.name, *counts, at),
            ),
        )
    shelves.numbers[line.place], shelves.on_hand[line.place] = number, left


def _money(order: Past, moment: Moment) -> Iterator[Row]:
    at, amount = order.placed_at, order.amount
    back = amount if order.is_cancelled else 0
    closed = at + timedelta(seconds=1)
    given = at + timedelta(hours=1)
    currency, method = moment.currency, "CREDIT_CARD"
    key, reference = order.charge_key, f"ch_{order.charge_key.hex}"
    last = given if back else closed
    yield (
        PAYMENTS,
        line_of(
            *(order.paid, order.name, order.user, currency, method, amount),
            *(amount, back, 0, 4 if back else 2, at, last),
        ),
    )
    yield (
        ATTEMPTS,
        line_of(
            *(order.paid, 1, "SUCCEEDED", "sandbox", key, amount, method),
            *(reference, 0, at, closed),
        ),
    )
    yield from _ledger(order, key, amount, closed, currency)
    yield (
        CHARGES,
        line_of(
            *(key, amount, currency, "tok_visa", order.name, 1, "succeeded", amount),
            *(back, reference, at, at, last),
        ),
    )
    if back:
        refund_id = order.made("refund")
        its = f"re_{refund_id.hex}"
        yield (
            REFUNDS,
            line_of(
                *(refund_id, order.paid, "COMPLETED", back, "order cancelled"),
                *(its, 0, given, given, 1),
            ),
        )
        yield from _ledger(order, refund_id, -back, given, currency)
        yield (
            BANK_REFUNDS,
            line_of(refund_id, key, back, currency, "succeeded", its, given),
        )
    yield sequences("payments"), line_of(order.paid, 2 if back else 1)


def _ledger(
    order: Past, transaction_id: UUID, amount: int, at: datetime, currency: str
) -> Iterator[Row]:
    """What comes in, or with a negative amount goes back, on both its sides."""
    sides = [("provider_receivable", amount), ("sales", -amount)]
    for number, (account, signed) in enumerate(sides, 1):
        yield (
            LEDGER,
            line_of(
                *(transaction_id, number, order.paid, account, signed),
                *(currency, at),
            ),
        )


_TOLD: tuple[tuple[str, str, str, Callable[[datetime], datetime]], ...] = (
    ("order_confirmed", "ORDER_CONFIRMATION", "is confirmed", lambda at: at),
    (
        "order_shipped",
        "SHIPPING_UPDATE",
        "is on its way",
        lambda at: at + SHIPPED_AFTER,
    ),
    (
        "order_delivered",
        "SHIPPING_UPDATE",
        "has arrived",
        lambda at: at + DELIVERED_AFTER,
    ),
)
_TOLD_CANCELLED: tuple[tuple[str, str, str, Callable[[datetime], datetime]], ...] = (
    _TOLD[0],
    (
        "order_cancelled",
        "ORDER_CONFIRMATION",
        "was cancelled",
        lambda at: at + timedelta(hours=1),
    ),
)


def _told(order: Past, moment: Moment) -> Iterator[Row]:
    """What people were told and mailed, as far as it is kept; numbers are for good."""
    if order.user_id and not order.is_cancelled:
        for product_id in sorted({line.ware.id for line in order.lines}):
            yield PURCHASES, line_of(order.name, product_id, order.user)
    told = _TOLD_CANCELLED if order.is_cancelled else _TOLD
    slot = slot_of(order.id)
    for turn, (template, kind, words, when) in enumerate(told):
        at = when(order.placed_at) + timedelta(seconds=2)
        note = derived_id(order.id, template)
        reader = order.user_id or order.id
        message = derived_id(note, "email", reader)
        if order.user_id:
            yield sequences("notifications"), line_of(note, 1)
            if moment.keeps(at, NOTIFICATIONS_DAYS_MAX):
                yield NOTIFICATIONS, _note(order, note, kind, words, at, turn)
        yield sequences("messaging"), line_of(message, 1)
        if moment.keeps(at, MESSAGES_DAYS_MAX):
            mail = order.email or f"{order.user_id}@bench.example"
            yield (
                MESSAGES,
                line_of(
                    *(message, at.date(), slot, "email", template, mail),
                    *(order.user, "en", "f", "SENT", 1, at, at, at),
                ),
            )


def _note(
    order: Past, note: UUID, kind: str, words: str, at: datetime, turn: int
) -> str:
    """A notification; what one person hears at one moment has places of its own."""
    data = f'{{"order_id":"{order.name}","number":"{order.shown}"}}'
    title = f"Order {order.shown} {words}"
    place = int(at.timestamp()) * 1_000_000 + at.microsecond + turn
    return line_of(
        *(note, order.user, kind, title, "Thank you.", data, "t", "t", "f"),
        *(at, at, at, 2, place),
    )


def _cart(order: Past, moment: Moment) -> Iterator[Row]:
    """A guest filled a cart and left; it is looked at when its days are over."""
    buyer = derived_id(order.id, "cart").hex * 2
    ware = order.lines[0].ware
    price = Money(ware.price, moment.currency)
    line = CartLine(
        sku=ware.sku,
        product_id=str(ware.id),
        name=ware.name,
        options={},
        quantity=1,
        unit_price=price,
        total=price,
    )
    lines = msgspec.json.encode([line]).decode()
    yield CARTS, line_of(buyer, "OPEN", lines, 1, moment.now, moment.now)
    message = ExpireCart(buyer=buyer)
    yield (
        DUE,
        line_of(
            *(f"cart:{buyer}", derived_id(order.id, "expire"), slot_of(buyer)),
            moment.now + timedelta(days=CART_DAYS, seconds=order.number),
            *(message.kind(), rf"\\x{preserve(message, NONE).hex()}"),
        ),
    )
