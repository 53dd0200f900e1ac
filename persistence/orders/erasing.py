"""What orders forget with a person: all of it but what was bought and paid."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec.structs import replace

from bus.kit.values import Address
from persistence.kit.transaction import Tx
from persistence.orders.orders import load_orders
from persistence.orders.states import Order

ERASED_NAME = "[erased]"


def nowhere(country: str) -> Address:
    """The address of somebody who is gone; the country stays, for the taxes' sake."""
    return Address(name=ERASED_NAME, line1="", city="", postal_code="", country=country)


async def unerased_orders(
    tx: Tx, user_id: UUID, after: UUID | None, limit: int
) -> list[Order]:
    """Orders of a person that still say who that was, by their ids."""
    rows = await tx.fetch(
        """SELECT id FROM orders
           WHERE user_id = $1 AND NOT erased AND ($2::uuid IS NULL OR id > $2)
           ORDER BY id LIMIT $3""",
        user_id,
        after,
        limit,
    )
    found = await load_orders(tx, [row["id"] for row in rows])
    return [order for row in rows if (order := found[row["id"]]) is not None]


async def erase_orders(tx: Tx, orders: Sequence[Order], done: set[UUID]) -> None:
    """Take the person out of orders; lines, totals and states stay as they are.

    Those that are `done` need not be looked at again.
    """
    gone = [_without_person(order) for order in sorted(orders, key=lambda one: one.id)]
    await tx.execute(
        """UPDATE orders SET shipping = new.shipping::jsonb, email = NULL,
             token_hash = NULL, links = '[]', erased = new.done
           FROM unnest($1::uuid[], $2::text[], $3::bool[]) AS new (id, shipping, done)
           WHERE orders.id = new.id""",
        [order.id for order in gone],
        [msgspec.json.encode(order.shipping).decode() for order in gone],
        [order.id in done for order in gone],
    )
    for order in gone:
        tx.keep("order", order.id, order)


def _without_person(order: Order) -> Order:
    return replace(
        order,
        shipping=nowhere(order.shipping.country),
        email=None,
        token_hash=None,
        links=(),
    )
