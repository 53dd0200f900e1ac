"""How the world reaches orders: carts, buying, what comes after, and its sellers."""

from serve_app.orders import carts, following, orders, selling
from serve_app.orders.router import router

__all__ = ["carts", "following", "orders", "router", "selling"]
