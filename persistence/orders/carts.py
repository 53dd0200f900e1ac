"""Carts in the database: one row each, its lines as a document."""

from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec

from bus.kit.values import Money, Value
from bus.orders import CartLine, CartView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

OPEN, MERGED = "OPEN", "MERGED"


class Cart(Value, frozen=True, kw_only=True):
    """A cart in memory; `ordering` is the order that is being made from it."""

    buyer: str
    lines: tuple[CartLine, ...] = ()
    state: str = OPEN
    merged_into: str | None = None
    ordering: UUID | None = None
    version: int = 0

    def view(self, currency: str) -> CartView:
        """What its buyer sees."""
        total = sum(line.total.amount for line in self.lines)
        return CartView(
            id=self.buyer,
            version=self.version,
            items=self.lines,
            total=Money(total, currency),
        )


async def load_carts(tx: Tx, buyers: Iterable[str]) -> dict[str, Cart]:
    """Carts from memory or database; an absent one is empty."""
    states = await tx.load("cart", set(buyers), _read)
    return {buyer: cart or Cart(buyer=buyer) for buyer, cart in states.items()}


async def read_cart(db: Db, buyer: str) -> Cart:
    """A cart as last committed."""
    return (await _read(db, [buyer])).get(buyer) or Cart(buyer=buyer)


async def _read(db: Db, buyers: Sequence[str]) -> dict[str, Cart]:
    rows = await db.fetch(
        """SELECT buyer, state, merged_into, ordering, lines, version FROM carts
           WHERE buyer = ANY($1)""",
        list(buyers),
    )
    return {
        row["buyer"]: Cart(
            buyer=row["buyer"],
            state=row["state"],
            merged_into=row["merged_into"],
            ordering=row["ordering"],
            lines=msgspec.json.decode(row["lines"], type=tuple[CartLine, ...]),
            version=row["version"],
        )
        for row in rows
    }


async def save_carts(tx: Tx, carts: Iterable[Cart]) -> None:
    """Insert or update carts, in one statement."""
    rows = sorted(carts, key=lambda cart: cart.buyer)
    await tx.execute(
        """INSERT INTO carts (buyer, state, merged_into, ordering, lines, version,
                              updated_at)
           SELECT buyer, state, merged_into, ordering, lines::jsonb, version, $7
           FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[],
                       $6::int[])
             AS cart (buyer, state, merged_into, ordering, lines, version)
           ON CONFLICT (buyer) DO UPDATE SET state = excluded.state,
             merged_into = excluded.merged_into, ordering = excluded.ordering,
             lines = excluded.lines, version = excluded.version,
             updated_at = excluded.updated_at""",
        [cart.buyer for cart in rows],
        [cart.state for cart in rows],
        [cart.merged_into for cart in rows],
        [cart.ordering for cart in rows],
        [msgspec.json.encode(cart.lines).decode() for cart in rows],
        [cart.version for cart in rows],
        tx.now,
    )
    for cart in rows:
        tx.keep("cart", cart.buyer, cart)


async def merged(tx: Tx, buyer: str, guest: str) -> bool:
    """Note that a guest cart's lines are taken; False when they were before."""
    tag = await tx.execute(
        "INSERT INTO cart_merges (buyer, guest) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        buyer,
        guest,
    )
    return tag.endswith(" 1")
