"""Stock, holds and transfers as a shard knows them."""

import enum
from datetime import datetime
from uuid import UUID

from bus.inventory import StockView, TransferLine, TransferStatus, WarehouseStock
from bus.kit.refusals import RefusalData
from bus.kit.values import Value


class Level(enum.IntEnum):
    """How much of a SKU is left; a higher one is worse."""

    FINE = 0
    LOW = 1
    OUT = 2


class Shelf(Value, frozen=True, kw_only=True):
    """The pieces of one SKU in one warehouse."""

    warehouse_id: UUID
    on_hand: int
    reserved: int
    threshold: int
    version: int = 0

    @property
    def available(self) -> int:
        """The pieces that may still be promised."""
        return self.on_hand - self.reserved

    def view(self) -> WarehouseStock:
        """What those see who may see the warehouses."""
        return WarehouseStock(
            warehouse_id=self.warehouse_id,
            on_hand=self.on_hand,
            reserved=self.reserved,
            available=self.available,
            threshold=self.threshold,
            version=self.version,
        )


class Stock(Value, frozen=True):
    """All rows of one SKU in open warehouses, in the order in which they give.

    `told` is what was last said of its level, `closed` how many movements there were
    in warehouses that are closed by now.
    """

    sku: str
    rows: tuple[Shelf, ...] = ()
    told: Level = Level.OUT
    closed: int = 0

    @property
    def available(self) -> int:
        """The pieces that may still be promised, all warehouses together."""
        available = 0  # a loop: this is asked several times a hold
        for row in self.rows:
            available += row.on_hand - row.reserved
        return available

    @property
    def threshold(self) -> int:
        """The SKU's threshold: the highest of its rows."""
        threshold = 0
        for row in self.rows:
            threshold = max(threshold, row.threshold)
        return threshold

    @property
    def level(self) -> Level:
        """How much is left of it now."""
        available = self.available
        if available <= 0:
            return Level.OUT
        return Level.LOW if available <= self.threshold else Level.FINE

    @property
    def version(self) -> int:
        """How many movements there were: the number of the last one."""
        version = self.closed
        for row in self.rows:
            version += row.version
        return version

    def view(self) -> StockView:
        """What those see who may see the warehouses."""
        return StockView(
            sku=self.sku,
            available=self.available,
            warehouses=tuple(row.view() for row in self.rows),
            version=self.version,
        )


class Hold(Value, frozen=True, kw_only=True):
    """A hold in memory; `parts` is how many pieces each warehouse gives.

    `order_id` is whom they are promised to: an order, a transfer, or nobody but the
    hold's own id.
    """

    order_id: UUID
    sku: str
    attempt: int
    state: str
    quantity: int
    shipped: int = 0
    parts: dict[UUID, int] = {}


class TimedHold(Value, frozen=True, kw_only=True):
    """When a hold that stands for no order of ours ends by itself."""

    hold_id: UUID
    sku: str
    expires_at: datetime
    order_id: UUID | None = None


class Movement(Value, frozen=True, kw_only=True):
    """A change that is to be written: a row before and after, and why."""

    sku: str
    number: int
    before: Shelf
    after: Shelf
    kind: str
    reason: str
    actor_id: UUID | None = None
    order_id: UUID | None = None
    transfer_id: UUID | None = None


class Transfer(Value, frozen=True, kw_only=True):
    """A transfer; one with a `refusal` is being undone, or was."""

    id: UUID
    from_warehouse_id: UUID
    to_warehouse_id: UUID
    status: TransferStatus
    lines: tuple[TransferLine, ...]
    reason: str
    actor_id: UUID | None
    refusal: RefusalData | None
    version: int
    created_at: datetime
    updated_at: datetime


class GivingOrder(Value, frozen=True):
    """The open warehouses in the order in which they give their pieces.

    `generation` counts every change of any warehouse: what is remembered of an older
    one is read again.
    """

    generation: int
    warehouse_ids: tuple[UUID, ...]
