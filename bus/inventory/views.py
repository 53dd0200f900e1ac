"""What inventory shows: stock by SKU and warehouse, warehouses, movements."""

import enum
from datetime import datetime
from uuid import UUID

from bus.kit.refusals import RefusalData
from bus.kit.values import Value

QUANTITY_MAX = 1_000_000
ON_HAND_MAX = 1_000_000_000
SKUS_MAX = 500


class WarehouseStock(Value, frozen=True, kw_only=True):
    """The pieces of one SKU in one warehouse; available = on_hand - reserved."""

    warehouse_id: UUID
    on_hand: int
    reserved: int
    threshold: int
    version: int
    available: int = 0


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
    """One change of one stock row: who, why, before and after.

    A SKU's movements are numbered from 1 on as they were committed. Who it was is one
    of `actor_id` (a person, `NATS_CALLER`, or None: the shop itself), `order_id` (an
    order, or a hold that was asked for without one) and `transfer_id`.
    """

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
    number: int = 0
    transfer_id: UUID | None = None


class TransferStatus(enum.StrEnum):
    """How far a transfer is; one that was refused has moved nothing."""

    IN_TRANSIT = "IN_TRANSIT"
    COMPLETED = "COMPLETED"
    REFUSED = "REFUSED"


class TransferLine(Value, frozen=True, kw_only=True):
    """So many pieces of a SKU that are moved."""

    sku: str
    quantity: int


class TransferView(Value, frozen=True, kw_only=True):
    """Pieces that go from one warehouse to another, all of them or none."""

    id: UUID
    from_warehouse_id: UUID
    to_warehouse_id: UUID
    status: TransferStatus
    items: tuple[TransferLine, ...]
    reason: str
    actor_id: UUID | None
    refused_because: str | None
    version: int
    created_at: datetime
    updated_at: datetime


class TransferEnd(Value, frozen=True, kw_only=True):
    """How a transfer ended, in ids and numbers: it rests in a handled row."""

    transfer_id: UUID
    status: TransferStatus
    refusal: RefusalData | None = None


class Held(Value, frozen=True, kw_only=True):
    """One line of a timed hold stands until `expires_at`."""

    available: int
    expires_at: datetime


class HeldLine(Value, frozen=True, kw_only=True):
    """So many pieces of a SKU that are held."""

    sku: str
    quantity: int


class HeldStock(Value, frozen=True, kw_only=True):
    """A timed hold; its pieces go back by themselves at `expires_at`.

    `order_id` is the order of whoever asked, as it was named.
    """

    hold_id: UUID
    items: tuple[HeldLine, ...]
    expires_at: datetime
    order_id: UUID | None = None


class Released(Value, frozen=True, kw_only=True):
    """A timed hold was given back; again changes nothing."""

    hold_id: UUID
    released: bool = True


class Taken(Value, frozen=True, kw_only=True):
    """The pieces of a timed hold have left; again changes nothing."""

    hold_id: UUID
    items: tuple[HeldLine, ...]
