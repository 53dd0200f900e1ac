"""Orders: carts, the way of an order to rest, and what moves it later.

`carts` is what a buyer does before, `replicating` what carts know of products;
`placing` the one function that an order's life hangs on, `paying` its later attempts;
`changes` its steps; `fulfilment` shipping, cancelling, refunds, queries; `finding` how
a buyer comes back to it; `following` what a stream of one reads; `selling` what its
sellers see, and deliveries by seller; `erasing` takes a person out of their orders.
"""

from actors.orders.changes import Changes
from actors.orders.erasing import Erasing
from actors.orders.finding import Finding
from actors.orders.following import Following
from actors.orders.fulfilment import Fulfilment
from actors.orders.known import Known
from actors.orders.merging import Merging
from actors.orders.selling import Selling
from persistence.orders.shown import BOOKS


class Orders(Merging, Selling, Fulfilment, Changes, Finding, Known, Following, Erasing):
    """Owns the carts and orders of its buyers."""

    name = "orders"
    shown = BOOKS


__all__ = ["Orders"]
