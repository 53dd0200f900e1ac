"""Inventory: promises pieces, takes promises back, and counts every movement.

`on_hand` are the pieces in a warehouse, sold ones until they ship; `reserved` those
promised, pending or sold; `0 <= reserved <= on_hand` always.
"""

from actors.inventory.allocation import allocate
from actors.inventory.opening import OpeningStock
from actors.inventory.stock import StockKeeping
from actors.inventory.transfers import Transfers
from actors.inventory.warehouses import Warehouses
from persistence.inventory.shown import BOOKS

__all__ = ["Inventory", "allocate"]


class Inventory(Transfers, StockKeeping, OpeningStock, Warehouses):
    """Owns the stock of its SKUs."""

    name = "inventory"
    shown = BOOKS
