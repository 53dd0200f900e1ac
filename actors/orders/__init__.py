"""Orders: carts, the way of an order to rest, and what moves it later.

`carts` is what a buyer does before; `placing` the one function that an order's life
hangs on; `changes` its steps; `fulfilment` shipping, cancelling, refunds, queries.
"""

from actors.orders.carts import Carts
from actors.orders.changes import Changes
from actors.orders.fulfilment import Fulfilment
from actors.orders.known import Known
from actors.orders.placing import Placing


class Orders(Carts, Placing, Changes, Fulfilment, Known):
    """Owns the carts and orders of its buyers."""

    name = "orders"


__all__ = ["Orders"]
