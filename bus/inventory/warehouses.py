"""What is said of warehouses."""

from uuid import UUID

from bus.inventory.views import WarehouseView
from bus.kit.messages import ANY, Command, Query, by
from bus.kit.values import Page


class CreateWarehouse(Command[WarehouseView], frozen=True, kw_only=True):
    """Open a warehouse; its `code` is claimed: 409 `warehouse-code-taken`."""

    key = by("warehouse_id")
    warehouse_id: UUID
    code: str
    name: str
    priority: int = 100


class ListWarehouses(Query[Page[WarehouseView]], frozen=True, kw_only=True):
    """All warehouses, in the order in which stock is taken from them."""

    key = ANY
