"""What orders tells the others."""

from uuid import UUID

from bus.kit.messages import Event, by
from bus.kit.values import Money


class OrderEvent(Event, frozen=True, kw_only=True):
    """What every event of an order says; `user_id` is None for a guest's."""

    order_id: UUID
    user_id: UUID | None
    number: str
    total: Money


class OrderPlaced(OrderEvent, frozen=True, kw_only=True):
    """An order was accepted; nothing is reserved or charged yet."""

    key = by("order_id")
    subject = by("order_id")
    skus: tuple[str, ...]


class OrderConfirmed(OrderEvent, frozen=True, kw_only=True):
    """An order is paid, and its pieces are held for it."""

    key = by("order_id")
    subject = by("order_id")
    skus: tuple[str, ...]


class OrderProcessing(OrderEvent, frozen=True, kw_only=True):
    """All lines of an order are being packed, or are further."""

    key = by("order_id")
    subject = by("order_id")


class OrderShipped(OrderEvent, frozen=True, kw_only=True):
    """A shipment of an order has left; `complete` when it was the last."""

    key = by("order_id")
    subject = by("order_id")
    shipment_id: UUID
    carrier: str
    tracking_number: str
    complete: bool


class OrderDelivered(OrderEvent, frozen=True, kw_only=True):
    """All lines of an order have arrived."""

    key = by("order_id")
    subject = by("order_id")
    product_ids: tuple[UUID, ...]


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """An order will not be fulfilled; `reason` is a code, such as `expired`."""

    key = by("order_id")
    subject = by("order_id")
    reason: str


class OrderRefunded(OrderEvent, frozen=True, kw_only=True):
    """Money of an order went back; `refunded` is the sum of all refunds so far."""

    key = by("order_id")
    subject = by("order_id")
    refunded: Money


class OrderUpdated(OrderEvent, frozen=True, kw_only=True):
    """An order's timeline says something new that no other event tells.

    `reason` is the timeline's code: some lines moved on and the order did not, or an
    attempt to pay it stands otherwise.
    """

    key = by("order_id")
    subject = by("order_id")
    reason: str
