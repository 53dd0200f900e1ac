"""What orders remembers: carts, orders, shipments and their timeline."""

from persistence.orders.carts import Cart, load_carts, merged, read_cart, save_carts
from persistence.orders.orders import (
    add_timeline,
    insert_orders,
    load_orders,
    next_numbers,
    read_order,
    read_orders,
    read_timeline,
    update_orders,
)
from persistence.orders.states import Order, Stage, Step
from persistence.orders.tables import metadata

__all__ = [
    "Cart",
    "Order",
    "Stage",
    "Step",
    "add_timeline",
    "insert_orders",
    "load_carts",
    "load_orders",
    "merged",
    "metadata",
    "next_numbers",
    "read_cart",
    "read_order",
    "read_orders",
    "read_timeline",
    "save_carts",
    "update_orders",
]
