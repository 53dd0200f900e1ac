"""Carts: none is locked, none keeps what it gave away, each has an end."""

from collections.abc import Iterator

from actors.auditing.books import Books, Finding
from actors.auditing.rows import one


def cart_at_rest(books: Books) -> Iterator[Finding]:
    """No cart waits for an order, or another cart, that has come to its end."""
    orders = one(books.orders, lambda order: order.id)
    for cart in books.carts:
        if cart.ordering is not None and cart.ordering in orders:
            stage = orders[cart.ordering].stage
            yield cart.buyer, f"locked for {cart.ordering}, which is {stage}"
        elif cart.ordering is not None:
            yield cart.buyer, f"locked for {cart.ordering}, which is not there"
        elif cart.given is not None:
            yield cart.buyer, "what it gave away was not taken"


def cart_ends(books: Books) -> Iterator[Finding]:
    """Every cart is looked at some day, and removed when nobody has touched it."""
    kit = books.kits.get("orders")
    names = {row.name for row in kit.due} if kit else set()
    for cart in books.carts:
        if f"cart:{cart.buyer}" not in names:
            yield cart.buyer, "nothing is due for it"
