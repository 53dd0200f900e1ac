"""What inventory says: stock by SKU and warehouse, holds, movements."""

from bus.inventory.events import (
    StockAdjusted,
    StockCommitted,
    StockLow,
    StockReleased,
    StockReplenished,
    StockReserved,
)
from bus.inventory.holds import (
    CommitStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
    out_of_stock,
)
from bus.inventory.services import (
    SERVICES,
    GetStockRequest,
)
from bus.inventory.stock import (
    AdjustStock,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    SetThreshold,
)
from bus.inventory.views import (
    QUANTITY_MAX,
    SKUS_MAX,
    Availability,
    MovementView,
    Reserved,
    StockView,
    WarehouseStock,
    WarehouseView,
)
from bus.inventory.warehouses import (
    CreateWarehouse,
    ListWarehouses,
)

__all__ = [
    "QUANTITY_MAX",
    "SERVICES",
    "SKUS_MAX",
    "AdjustStock",
    "Availability",
    "CommitStock",
    "CreateWarehouse",
    "GetAvailability",
    "GetStock",
    "GetStockRequest",
    "ListLowStock",
    "ListMovements",
    "ListWarehouses",
    "MovementView",
    "ReleaseStock",
    "ReserveStock",
    "Reserved",
    "SetThreshold",
    "ShipStock",
    "StockAdjusted",
    "StockCommitted",
    "StockLow",
    "StockReleased",
    "StockReplenished",
    "StockReserved",
    "StockView",
    "WarehouseStock",
    "WarehouseView",
    "out_of_stock",
]
