"""How the world reaches inventory: availability for all, stock for who keeps it."""

from serve_app.inventory import stock, transfers, warehouses
from serve_app.inventory.router import router

__all__ = ["router", "stock", "transfers", "warehouses"]
