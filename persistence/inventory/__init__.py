"""What inventory remembers: warehouses, stock rows, holds and movements."""

from persistence.inventory.holds import (
    load_holds,
    save_holds,
)
from persistence.inventory.states import (
    Hold,
    Movement,
    Stock,
)
from persistence.inventory.stock import (
    load_stock,
    read_available,
    read_low,
    read_movements,
    read_stock,
    save_stock,
)
from persistence.inventory.tables import (
    metadata,
)
from persistence.inventory.warehouses import (
    insert_warehouse,
    read_warehouses,
)

__all__ = [
    "Hold",
    "Movement",
    "Stock",
    "insert_warehouse",
    "load_holds",
    "load_stock",
    "metadata",
    "read_available",
    "read_low",
    "read_movements",
    "read_stock",
    "read_warehouses",
    "save_holds",
    "save_stock",
]
