"""What inventory shows: stock by SKU and warehouse, warehouses, movements."""

from datetime import datetime
from uuid import UUID

from bus.kit.values import Value

QUANTITY_MAX = 1_000_000
SKUS_MAX = 500


class WarehouseStock(Value, frozen=True, kw_only=True):
    """The pieces of one SKU in one warehouse; available = on_hand - reserved."""

    warehouse_id: UUID
    on_hand: int
    reserved: int
    threshold: int
    version: int = 0

    @property
    def available(self) -> int:
        """The pieces that may still be promised."""
        return self.on_hand - self.reserved


class StockView(Value, frozen=True, kw_only=True):
    """The pieces of one SKU, in all warehouses together and in each."""

    sku: str
    available: int
    warehouses: tuple[WarehouseStock, ...] = ()
    version: int = 0


class Availability(Value, frozen=True):
    """How many pieces of each SKU may be promised; an unknown SKU has 0."""

    available: dict[str, int]


class Reserved(Value, frozen=True):
    """A hold stands; `available` is what is left after it."""

    available: int


class WarehouseView(Value, frozen=True, kw_only=True):
    """A warehouse; stock is taken from the lowest `priority` first."""

    id: UUID
    code: str
    name: str
    priority: int
    version: int
    created_at: datetime
    updated_at: datetime


class MovementView(Value, frozen=True, kw_only=True):
    """One change of one stock row: who, why, before and after."""

    id: UUID
    sku: str
    warehouse_id: UUID
    kind: str
    reason: str
    actor_id: UUID | None
    order_id: UUID | None
    on_hand_before: int
    on_hand_after: int
    reserved_before: int
    reserved_after: int
    created_at: datetime
