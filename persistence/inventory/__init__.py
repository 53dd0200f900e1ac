"""What inventory remembers: warehouses, stock, holds, movements, transfers."""

from persistence.inventory.holds import (
    load_holds,
    load_timed,
    read_timed,
    save_holds,
    save_timed,
)
from persistence.inventory.states import (
    GivingOrder,
    Hold,
    Level,
    Movement,
    Shelf,
    Stock,
    TimedHold,
    Transfer,
)
from persistence.inventory.stock import (
    load_stock,
    read_available,
    read_low,
    read_movements,
    read_stock,
    save_stock,
)
from persistence.inventory.tables import metadata
from persistence.inventory.transfers import (
    find_transfer,
    insert_transfer,
    save_transfer,
)
from persistence.inventory.warehouses import (
    close_warehouse,
    find_warehouse,
    hold_warehouses,
    insert_warehouse,
    read_order,
    read_warehouses,
    save_warehouse,
)

__all__ = [
    "GivingOrder",
    "Hold",
    "Level",
    "Movement",
    "Shelf",
    "Stock",
    "TimedHold",
    "Transfer",
    "close_warehouse",
    "find_transfer",
    "find_warehouse",
    "hold_warehouses",
    "insert_transfer",
    "insert_warehouse",
    "load_holds",
    "load_stock",
    "load_timed",
    "metadata",
    "read_available",
    "read_low",
    "read_movements",
    "read_order",
    "read_stock",
    "read_timed",
    "read_warehouses",
    "save_holds",
    "save_stock",
    "save_timed",
    "save_transfer",
    "save_warehouse",
]
