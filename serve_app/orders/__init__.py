"""How the world reaches orders: carts, buying, and what happens to an order later."""

from serve_app.orders import carts, orders
from serve_app.orders.router import router

__all__ = ["carts", "orders", "router"]
