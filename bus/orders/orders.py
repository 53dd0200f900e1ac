"""Orders: placed, paid, shipped, delivered, or cancelled."""

import enum
from datetime import datetime
from uuid import UUID

import msgspec

from bus.kit.messages import ANY, Command, Query, by
from bus.kit.refusals import RefusalData
from bus.kit.values import Address, Done, Money, Page, Value


class OrderStatus(enum.StrEnum):
    """Where an order is, as the contract names it."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    PROCESSING = "PROCESSING"
    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"
    REFUNDED = "REFUNDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"


# --- views -------------------------------------------------------------------


class Totals(Value, frozen=True, kw_only=True):
    """What an order costs; grand = items - discount + shipping + tax."""

    items: Money
    discount: Money
    shipping: Money
    tax: Money
    grand: Money


class OrderLine(Value, frozen=True, kw_only=True):
    """What was bought, as it was named and priced when it was."""

    sku: str
    product_id: UUID
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: Money
    total: Money
    status: OrderStatus
    image: str | None = None
    seller_id: UUID | None = None
    shipped: int = 0
    delivered: int = 0


class OrderPayment(Value, frozen=True, kw_only=True):
    """How an order is paid, by its last attempt.

    `status` is NEW (it begins), PENDING (the provider settles later), UNKNOWN (it has
    not answered), SUCCEEDED, DECLINED, PARTIALLY_REFUNDED or REFUNDED.
    """

    id: UUID | None
    method: str
    status: str


class Shipment(Value, frozen=True, kw_only=True):
    """One seller's part of a parcel: what is in it and how to follow it.

    What left together, under one tracking number, has the same `parcel_id`. It has
    arrived (`delivered_at`) when all its pieces have; `seller_id` None: the shop's own.
    """

    id: UUID
    carrier: str
    tracking_number: str
    items: dict[str, int]
    created_at: datetime
    seller_id: UUID | None = None
    parcel_id: UUID | None = None
    delivered_at: datetime | None = None


class OrderView(Value, frozen=True, kw_only=True):
    """An order as its owner sees it; to a seller `user_id` and `payment` are None."""

    id: UUID
    number: str
    status: OrderStatus
    user_id: UUID | None
    items: tuple[OrderLine, ...]
    totals: Totals
    shipping_address: Address
    payment: OrderPayment | None
    shipments: tuple[Shipment, ...]
    version: int
    created_at: datetime
    updated_at: datetime


class Placed(Value, frozen=True, kw_only=True):
    """How `PlaceOrder` ended, in ids only, so that it can be remembered.

    `refusal` says why an order was left cancelled (402, 409). `order` is given to the
    first caller only: it holds the person's address, and is not remembered.
    """

    order_id: UUID
    status: OrderStatus
    version: int
    payment_id: UUID | None = None
    payment_status: str = "NEW"
    refusal: RefusalData | None = None
    order: OrderView | None = None

    def remembered(self) -> "Placed":
        """What may rest in a handled row: ids and codes."""
        return msgspec.structs.replace(self, order=None)


class TimelineEntry(Value, frozen=True, kw_only=True):
    """One change of an order: to what, by whom, and why (a code).

    `actor` is CUSTOMER, GUEST, SELLER, ADMIN or SYSTEM, the shop itself; `version` is
    the order's after the change, and a stream's event id.
    """

    status: OrderStatus
    actor_id: UUID | None
    reason: str
    at: datetime
    actor: str = "SYSTEM"
    version: int = 0


class OrderContact(Value, frozen=True, kw_only=True):
    """Whom to write to about an order, and what of; a guest's address stands on it."""

    order_id: UUID
    user_id: UUID | None
    email: str | None
    name: str
    number: str
    locale: str = "en"
    order: OrderView | None = None


class Viewer(Value, frozen=True, kw_only=True):
    """Who asks: a person, the holder of an order token (its SHA-256), or staff."""

    user_id: UUID | None = None
    role: str = "CUSTOMER"
    token_hash: bytes | None = None


class WantedLine(Value, frozen=True, kw_only=True):
    """A line of a request for an order; `seen_price` is what the buyer was shown."""

    sku: str
    quantity: int
    seen_price: Money | None = None


# --- commands ----------------------------------------------------------------


class PlaceOrder(Command[Placed], frozen=True, kw_only=True):
    """Buy the lines, or the buyer's cart when there are none.

    The answer is the settled order. `token_hash` is the SHA-256 of a guest's order
    token. Refused, with nothing made, as `cart-empty`, `unknown-sku`,
    `price-changed`, `address-required`.
    """

    key = by("buyer")
    buyer: str
    user_id: UUID | None
    shipping_address: Address
    method: str
    token: str | None = None
    payment_method_id: UUID | None = None
    items: tuple[WantedLine, ...] = ()
    email: str | None = None
    token_hash: bytes | None = None
    accept_prices: bool = False


class PayOrder(Command[Placed], frozen=True, kw_only=True):
    """Try once more to pay a PENDING order, until its deadline.

    So may be an order that stands when the money that was held for it is gone.

    Its last attempt must have failed, or been left by its payer for too long. 409
    `payment-in-progress` while that is open, 409 `not-payable` in any other state. A
    decline is the answer's `refusal` and leaves the order PENDING. `already-paid`
    cannot come: money that arrives meanwhile confirms the order.
    """

    key = by("order_id")
    order_id: UUID
    viewer: Viewer
    method: str
    token: str | None = None
    payment_method_id: UUID | None = None


class LookUpOrder(Command[Done], frozen=True, kw_only=True):
    """Mail a link to an order to its own address, if `email` is that address.

    The answer is the same, and comes at the same time, whether it is or not. At most
    three mails an hour for an order.
    """

    key = by("number")
    number: str
    email: str


class CancelOrder(Command[Done], frozen=True, kw_only=True):
    """Cancel until shipped: stock goes back and captured money too.

    409 `not-cancellable` afterwards. With a `version` only while that is the order's.
    """

    key = by("order_id")
    order_id: UUID
    viewer: Viewer
    reason: str = "requested"
    version: int | None = None


class AdvanceOrder(Command[Done], frozen=True, kw_only=True):
    """Move lines to PROCESSING, SHIPPED or DELIVERED; `items` None: all of them.

    A seller moves only own lines. 409 `invalid-transition` out of order. With a
    `version` only while that is the order's.
    """

    key = by("order_id")
    order_id: UUID
    viewer: Viewer
    status: OrderStatus
    items: dict[str, int] | None = None
    carrier: str = ""
    tracking_number: str = ""
    version: int | None = None


# --- queries -----------------------------------------------------------------


class GetOrder(Query[OrderView], frozen=True, kw_only=True):
    """One order; 404 to whom it is none of their business."""

    key = by("order_id")
    order_id: UUID
    viewer: Viewer


class ListOrders(Query[Page[OrderView]], frozen=True, kw_only=True):
    """Orders, newest first: a person's own, those with a seller's lines, all for ADMIN.

    `user_id` is for an ADMIN alone: the orders of one person.
    """

    key = ANY
    viewer: Viewer
    user_id: UUID | None = None
    status: OrderStatus | None = None
    limit: int = 20
    cursor: str | None = None


class GetTimeline(Query[Page[TimelineEntry]], frozen=True, kw_only=True):
    """All changes of one order, oldest first."""

    key = by("order_id")
    order_id: UUID
    viewer: Viewer


class GetTimelineAfter(Query[Page[TimelineEntry]], frozen=True, kw_only=True):
    """The first changes of one order above a version; 404 as for the order.

    `next_cursor` is the version to go on after; None: there are no more. Some of what
    lies below it may not be for this viewer.
    """

    key = by("order_id")
    order_id: UUID
    viewer: Viewer
    after: int
    limit: int


class GetOrderContact(Query[OrderContact], frozen=True, kw_only=True):
    """Whom to write to about an order, and what it is (asked by notifications)."""

    key = by("order_id")
    order_id: UUID
