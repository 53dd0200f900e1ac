"""What inventory says: stock by SKU and warehouse, holds, movements."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from bus.kit.messages import ANY, Command, Event, Query, by
from bus.kit.refusals import FieldError, Refusal, conflict
from bus.kit.values import Done, Page, Value

QUANTITY_MAX = 1_000_000
SKUS_MAX = 500

# --- views -------------------------------------------------------------------


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


# --- commands ----------------------------------------------------------------


class ReserveStock(Command[Reserved], frozen=True, kw_only=True):
    """Hold `quantity` pieces for an order; acts once by (order_id, sku).

    Refused as `out-of-stock` when fewer are available, and as `hold-released` when
    this attempt's hold was already given back (it came too late).
    """

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str
    quantity: int
    attempt: int = 1


class ReleaseStock(Command[Done], frozen=True, kw_only=True):
    """Give an order's hold back, pending or sold; what has shipped stays sold.

    Leaves a tombstone where there is no hold yet, so that a late ReserveStock finds
    it and takes nothing. A later `attempt` may hold again.
    """

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str
    attempt: int = 1


class CommitStock(Command[Done], frozen=True, kw_only=True):
    """Turn an order's hold into a sale: it stays reserved until it ships."""

    key = by("sku")
    remembered = False
    order_id: UUID
    sku: str


class ShipStock(Command[Done], frozen=True, kw_only=True):
    """`quantity` pieces of a sold hold leave the warehouse in shipment `shipment_id`.

    Acts once by (shipment_id, sku).
    """

    key = by("sku")
    order_id: UUID
    sku: str
    quantity: int
    shipment_id: UUID


class AdjustStock(Command[StockView], frozen=True, kw_only=True):
    """Set (`on_hand`) or change (`delta`) the pieces in a warehouse.

    Exactly one of the two is given. Without a warehouse the first one is meant.
    Refused as `below-zero` or `below-reserved`.
    """

    key = by("sku")
    sku: str
    reason: str
    warehouse_id: UUID | None = None
    delta: int | None = None
    on_hand: int | None = None
    actor_id: UUID | None = None


class SetThreshold(Command[StockView], frozen=True, kw_only=True):
    """Set the number of available pieces at which a SKU counts as low."""

    key = by("sku")
    sku: str
    threshold: int
    warehouse_id: UUID | None = None


class CreateWarehouse(Command[WarehouseView], frozen=True, kw_only=True):
    """Open a warehouse; its `code` is claimed: 409 `warehouse-code-taken`."""

    key = by("warehouse_id")
    warehouse_id: UUID
    code: str
    name: str
    priority: int = 100


# --- queries -----------------------------------------------------------------


class GetStock(Query[StockView], frozen=True, kw_only=True):
    """The stock of one SKU; 404 when no warehouse ever held it."""

    key = by("sku")
    sku: str


class GetAvailability(Query[Availability], frozen=True, kw_only=True):
    """How many pieces of each of `skus` may be promised."""

    key = ANY
    skus: tuple[str, ...]


class ListWarehouses(Query[Page[WarehouseView]], frozen=True, kw_only=True):
    """All warehouses, in the order in which stock is taken from them."""

    key = ANY


class ListMovements(Query[Page[MovementView]], frozen=True, kw_only=True):
    """The movements of a SKU, newest first."""

    key = by("sku")
    sku: str
    limit: int = 20
    cursor: str | None = None


class ListLowStock(Query[Page[StockView]], frozen=True, kw_only=True):
    """The SKUs whose available pieces are at or below their threshold."""

    key = ANY
    limit: int = 20
    cursor: str | None = None
    skus: tuple[str, ...] | None = None


# --- refusals ----------------------------------------------------------------


def out_of_stock(*lines: tuple[str, int]) -> Refusal:
    """Too few pieces; each short line is named with what is available."""
    return conflict(
        "out-of-stock",
        "Not enough pieces are available.",
        *(
            FieldError(sku, "out-of-stock", f"{available} available")
            for sku, available in lines
        ),
    )


# --- events ------------------------------------------------------------------


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
    """Available pieces fell to the threshold, or to none; told once per fall."""

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


# --- NATS services -----------------------------------------------------------

Sku = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class GetStockRequest(Value, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `inventory.get-stock`."""

    sku: Sku

    def to_message(self) -> GetStock:
        """The query that is meant."""
        return GetStock(sku=self.sku)


SERVICES = {"inventory.get-stock": GetStockRequest}
"""NATS subject → the form of its request."""
