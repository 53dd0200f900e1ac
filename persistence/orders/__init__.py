"""What orders remembers: carts, what these know of products, orders, shipments."""

from persistence.orders.carts import (
    Cart,
    forget_merges,
    load_carts,
    merged,
    read_cart,
    remove_cart,
    save_carts,
    touched_at,
)
from persistence.orders.erasing import ERASED_NAME, erase_orders, unerased_orders
from persistence.orders.following import read_timelines_after
from persistence.orders.orders import (
    add_timeline,
    find_by_number,
    insert_orders,
    load_orders,
    next_numbers,
    open_attempt,
    read_order,
    read_orders,
    read_orders_of,
    read_timeline,
    save_links,
    update_orders,
)
from persistence.orders.replica import keep_offers, read_goods, read_replica
from persistence.orders.sellers import (
    oldest_under_way,
    read_dashboards,
    read_shipments,
)
from persistence.orders.states import Link, Order, Stage, Step
from persistence.orders.tables import metadata

__all__ = [
    "ERASED_NAME",
    "Cart",
    "Link",
    "Order",
    "Stage",
    "Step",
    "add_timeline",
    "erase_orders",
    "find_by_number",
    "forget_merges",
    "insert_orders",
    "keep_offers",
    "load_carts",
    "load_orders",
    "merged",
    "metadata",
    "next_numbers",
    "oldest_under_way",
    "open_attempt",
    "read_cart",
    "read_dashboards",
    "read_goods",
    "read_order",
    "read_orders",
    "read_orders_of",
    "read_replica",
    "read_shipments",
    "read_timeline",
    "read_timelines_after",
    "remove_cart",
    "save_carts",
    "save_links",
    "touched_at",
    "unerased_orders",
    "update_orders",
]
