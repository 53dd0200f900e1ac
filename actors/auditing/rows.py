"""The rows that an audit reads: each class names its database and its table."""

from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from actors.auditing.row import Row

Key = TypeVar("Key", bound=Hashable)
Any_ = TypeVar("Any_")


class Order(Row, frozen=True):
    """An order; amounts in minor units."""

    database = "orders"
    table = "orders"
    id: UUID
    number: str
    user_id: UUID | None
    status: str
    stage: str
    payment_id: UUID | None
    payment_status: str
    currency: str
    items_amount: int
    discount_amount: int
    shipping_amount: int
    tax_amount: int
    grand_amount: int
    refunded_amount: int
    email: str | None
    shipments: str
    attempt: int
    version: int
    updated_at: datetime
    shipping: str = ""


class Line(Row, frozen=True):
    """A line of an order."""

    database = "orders"
    table = "order_lines"
    order_id: UUID
    position: int
    sku: str
    product_id: UUID
    quantity: int
    unit_amount: int
    status: str
    shipped: int
    delivered: int
    seller_id: UUID | None = None
    in_progress: bool = False


class SellerTotals(Row, frozen=True):
    """What a seller has in progress, of the orders of one slot."""

    database = "orders"
    table = "seller_totals"
    seller_id: UUID
    slot: int
    orders: int
    lines: int
    amount: int


class KnownOffer(Row, frozen=True):
    """What carts know of a SKU, from a version of its product."""

    database = "orders"
    table = "product_replica"
    sku: str
    product_id: UUID
    version: int
    name: str
    options: str
    price_amount: int
    currency: str
    seller_id: UUID | None
    on_sale: bool


class Cart(Row, frozen=True):
    """A buyer's cart; `given` is JSON that waits for another cart to take it."""

    database = "orders"
    table = "carts"
    buyer: str
    state: str
    ordering: UUID | None
    given: str | None


class Step(Row, frozen=True):
    """A line of an order's timeline."""

    database = "orders"
    table = "timeline"
    order_id: UUID
    version: int
    status: str
    actor: str


class Stock(Row, frozen=True):
    """The pieces of a SKU in a warehouse."""

    database = "inventory"
    table = "stock"
    sku: str
    warehouse_id: UUID
    on_hand: int
    reserved: int
    threshold: int
    version: int


class Warehouse(Row, frozen=True):
    """Where pieces lie, until it is closed."""

    database = "inventory"
    table = "warehouses"
    id: UUID
    closed_at: datetime | None


class Level(Row, frozen=True):
    """What was last told of a SKU: 0 fine, 1 low, 2 sold out."""

    database = "inventory"
    table = "levels"
    sku: str
    told: int


class Transfer(Row, frozen=True):
    """Pieces that go from one warehouse to another; `lines` is JSON: SKU → pieces."""

    database = "inventory"
    table = "transfers"
    id: UUID
    from_warehouse_id: UUID
    to_warehouse_id: UUID
    status: str
    lines: str


class TimedHold(Row, frozen=True):
    """That a hold is no order's, and when it ends by itself."""

    database = "inventory"
    table = "timed_holds"
    hold_id: UUID
    sku: str
    expires_at: datetime


class Hold(Row, frozen=True):
    """Pieces that are promised to an order; `parts` is JSON: warehouse → pieces."""

    database = "inventory"
    table = "holds"
    order_id: UUID
    sku: str
    state: str
    quantity: int
    shipped: int
    parts: str


class Movement(Row, frozen=True):
    """One change of a stock row."""

    database = "inventory"
    table = "movements"
    sku: str
    number: int
    warehouse_id: UUID
    version: int
    kind: str
    reason: str
    order_id: UUID | None
    transfer_id: UUID | None
    on_hand_before: int
    on_hand_after: int
    reserved_before: int
    reserved_after: int


class Notification(Row, frozen=True):
    """What a person was told; `data` is JSON."""

    database = "notifications"
    table = "notifications"
    id: UUID
    user_id: UUID
    type: str
    title: str
    data: str
    email: bool
    created_at: datetime


class Message(Row, frozen=True):
    """A mail or an SMS in the delivery log."""

    database = "messaging"
    table = "messages"
    message_id: UUID
    channel: str
    status: str
    updated_at: datetime
    recipient: str = ""
    next_attempt_at: datetime | None = None


class Mail(Row, frozen=True):
    """What the embedded default caught; a mail's bytes."""

    database = "messaging"
    table = "mailbox"
    id: UUID
    channel: str
    content: bytes


class Product(Row, frozen=True):
    """A product, as far as its SKUs share it."""

    database = "products"
    table = "products"
    id: UUID
    version: int
    name: str
    status: str
    seller_id: UUID | None


class Variant(Row, frozen=True):
    """A SKU; one that is not `active` is sold no longer."""

    database = "products"
    table = "variants"
    sku: str
    product_id: UUID
    active: bool
    options: str
    price_amount: int
    currency: str


class SkuStock(Row, frozen=True):
    """Whether products believe that a SKU can be had."""

    database = "products"
    table = "sku_stock"
    sku: str
    in_stock: bool


class Purchase(Row, frozen=True):
    """That a person was delivered a product."""

    database = "products"
    table = "purchases"
    order_id: UUID
    product_id: UUID


class Person(Row, frozen=True):
    """An account."""

    database = "users"
    table = "users"
    id: UUID
    email: str
    first_name: str = ""
    last_name: str = ""
    phone: str | None = None


class AddressBook(Row, frozen=True):
    """An address that a person keeps."""

    database = "users"
    table = "addresses"
    id: UUID
    name: str
    line1: str
    phone: str | None


class Erased(Row, frozen=True):
    """That somebody is gone, since when."""

    database = "notifications"
    table = "erased"
    user_id: UUID
    at: datetime


class Slot(Row, frozen=True):
    """Who owns a slot, and how far its events are published."""

    table = "slots"
    slot: int
    shard: int
    epoch: int
    published: int


class OutboxRow(Row, frozen=True):
    """An event as it was told; `payload` is a CloudEvents document."""

    table = "outbox"
    slot: int
    n: int
    id: UUID
    subject: str
    payload: str


class LastSequence(Row, frozen=True):
    """The number of an entity's last event."""

    table = "sequences"
    subject: str
    sequence: int


class Handled(Row, frozen=True):
    """A command that has acted, or still runs (`state` < 2)."""

    table = "handled"
    command_id: UUID
    state: int
    answer_kind: int | None = None
    answer: bytes | None = None
    resume: bytes | None = None


class Due(Row, frozen=True):
    """A message that waits for its time."""

    table = "due"
    name: str
    at: datetime
    kind: str
    message: bytes


def one(rows: Iterable[Any_], key: Callable[[Any_], Key]) -> dict[Key, Any_]:
    """The rows by a key that each has for itself."""
    return {key(row): row for row in rows}


def many(rows: Iterable[Any_], key: Callable[[Any_], Key]) -> dict[Key, list[Any_]]:
    """The rows by a key that they share, in their order."""
    found: dict[Key, list[Any_]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found
