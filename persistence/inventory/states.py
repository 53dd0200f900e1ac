"""Stock and holds as a shard knows them."""

from uuid import UUID

from bus.inventory import StockView, WarehouseStock
from bus.kit.values import Value


class Stock(Value, frozen=True):
    """All rows of one SKU, in the order in which they give."""

    sku: str
    rows: tuple[WarehouseStock, ...] = ()

    @property
    def available(self) -> int:
        """The pieces that may still be promised, all warehouses together."""
        return sum(row.available for row in self.rows)

    @property
    def threshold(self) -> int:
        """The SKU's threshold: the highest of its rows."""
        return max((row.threshold for row in self.rows), default=0)

    def view(self) -> StockView:
        """What those see who may see the warehouses."""
        version = sum(row.version for row in self.rows)
        return StockView(
            sku=self.sku,
            available=self.available,
            warehouses=self.rows,
            version=version,
        )


class Hold(Value, frozen=True, kw_only=True):
    """A hold in memory; `parts` is how many pieces each warehouse gives."""

    order_id: UUID
    sku: str
    attempt: int
    state: str
    quantity: int
    shipped: int = 0
    parts: dict[UUID, int] = {}


class Movement(Value, frozen=True, kw_only=True):
    """A change that is to be written: a row before and after, and why."""

    sku: str
    before: WarehouseStock
    after: WarehouseStock
    kind: str
    reason: str
    actor_id: UUID | None = None
    order_id: UUID | None = None
