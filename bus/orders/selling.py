"""What sellers ask of orders: their lines in progress, and their shipments."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.messages import ANY, Command, Query, by
from bus.kit.values import Money, Page, Value
from bus.orders.orders import OrderStatus

DASHBOARD_LINES_MAX = 100
SELLERS_MAX = 100


class ShipmentStatus(enum.StrEnum):
    """Whether all of a shipment has arrived."""

    SHIPPED = "SHIPPED"
    DELIVERED = "DELIVERED"


# --- views -------------------------------------------------------------------


class DashboardTotals(Value, frozen=True, kw_only=True):
    """All that a seller has in progress: orders, order lines, and what they cost."""

    orders: int
    items: int
    amount: Money


class DashboardLine(Value, frozen=True, kw_only=True):
    """An order line in progress, as it was named and priced when it was bought."""

    order_id: UUID
    number: str
    sku: str
    product_id: UUID
    name: str
    quantity: int
    total: Money
    status: OrderStatus
    placed_at: datetime


class Dashboard(Value, frozen=True, kw_only=True):
    """A seller's order lines in progress, as they all were at one moment.

    `items` are the newest; `more`: `totals` count further ones besides.
    """

    seller_id: UUID
    as_of: datetime
    totals: DashboardTotals
    items: tuple[DashboardLine, ...]
    more: bool


class SellerShipment(Value, frozen=True, kw_only=True):
    """A shipment of a seller's; `items` are pieces by SKU."""

    id: UUID
    order_id: UUID
    number: str
    seller_id: UUID
    status: ShipmentStatus
    carrier: str
    tracking_number: str
    items: dict[str, int]
    shipped_at: datetime
    delivered_at: datetime | None


class Delivery(Value, frozen=True, kw_only=True):
    """A shipment that was marked delivered."""

    seller_id: UUID
    order_id: UUID
    shipment_id: UUID


class Deliveries(Value, frozen=True, kw_only=True):
    """What one request has marked delivered, the oldest shipment first."""

    items: tuple[Delivery, ...] = ()


# --- commands ----------------------------------------------------------------


class DeliverOldest(Command[Deliveries], frozen=True, kw_only=True):
    """Mark the oldest shipment of each of some sellers delivered (an administrator's).

    Those sellers come first whose shipment has waited longest. One that somebody else
    delivers in between is left out of the answer: none is delivered twice.
    """

    key = by("request_id")
    request_id: UUID
    sellers_max: int
    actor_id: UUID


# --- queries -----------------------------------------------------------------


class GetDashboard(Query[Dashboard], frozen=True, kw_only=True):
    """A seller's order lines that are not delivered, cancelled or paid back."""

    key = ANY
    seller_id: UUID
    limit: int = 20


class ListShipments(Query[Page[SellerShipment]], frozen=True, kw_only=True):
    """A seller's shipments, oldest first."""

    key = ANY
    seller_id: UUID
    status: ShipmentStatus | None = None
    limit: int = 20
    cursor: str | None = None
