"""How the world reaches orders: carts, buying, and what happens to an order later."""

from serve_app.orders import carts, following, orders
from serve_app.orders.router import router

__all__ = ["carts", "following", "orders", "router"]
