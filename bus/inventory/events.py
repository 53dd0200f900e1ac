"""What inventory tells."""

from uuid import UUID

from bus.kit.messages import Event, by


class StockReserved(Event, frozen=True, kw_only=True):
    """Pieces of a SKU were promised to an order."""

    key = by("sku")
    subject = by("sku")
    sku: str
    order_id: UUID
    quantity: int
    available: int


class StockReleased(Event, frozen=True, kw_only=True):
    """An order's promise on a SKU was given back."""

    key = by("sku")
    subject = by("sku")
    sku: str
    order_id: UUID
    quantity: int
    available: int


class StockCommitted(Event, frozen=True, kw_only=True):
    """An order's promise on a SKU became a sale."""

    key = by("sku")
    subject = by("sku")
    sku: str
    order_id: UUID
    quantity: int
    available: int


class StockAdjusted(Event, frozen=True, kw_only=True):
    """Pieces came into or left a warehouse other than by a promise."""

    key = by("sku")
    subject = by("sku")
    sku: str
    warehouse_id: UUID
    delta: int
    on_hand: int
    available: int
    order_id: UUID | None = None


class StockLow(Event, frozen=True, kw_only=True):
    """Available pieces fell to the threshold; told once until they rise above it."""

    key = by("sku")
    subject = by("sku")
    sku: str
    available: int
    threshold: int


class StockReplenished(Event, frozen=True, kw_only=True):
    """Available pieces rose above the threshold, or from none."""

    key = by("sku")
    subject = by("sku")
    sku: str
    available: int
    threshold: int


class StockSoldOut(Event, frozen=True, kw_only=True):
    """The last available piece was promised or has left."""

    key = by("sku")
    subject = by("sku")
    sku: str
    available: int
