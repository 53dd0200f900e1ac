"""Carts in the database: one row each, its lines as a document."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec
from msgspec.structs import replace

from bus.kit.addressing import derived_id
from bus.kit.values import Money, Value
from bus.orders import CartLine, CartView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

OPEN, MERGED = "OPEN", "MERGED"


class Cart(Value, frozen=True, kw_only=True):
    """A cart in memory; `ordering` is the order that is being made from it.

    A guest cart that is MERGED has given its lines away: `given` keeps them until
    `merged_into` has taken them, by `merge_id`. It opens again with its next line.
    """

    buyer: str
    lines: tuple[CartLine, ...] = ()
    state: str = OPEN
    merged_into: str | None = None
    merge_id: UUID | None = None
    given: tuple[CartLine, ...] | None = None
    ordering: UUID | None = None
    version: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def touched(self, now: datetime) -> "Cart":
        """The same cart as changed at this moment."""
        return replace(self, created_at=self.created_at or now, updated_at=now)

    def view(self, currency: str) -> CartView:
        """What its buyer sees."""
        total = sum(line.total.amount for line in self.lines)
        return CartView(
            id=cart_id_of(self.buyer),
            version=self.version,
            created_at=self.created_at,
            updated_at=self.updated_at,
            items=self.lines,
            total=Money(total, currency),
        )


def cart_id_of(buyer: str) -> UUID:
    """The one id that a buyer's cart has, made or not; it does not name the buyer."""
    return derived_id(uuid5(NAMESPACE_OID, buyer), "cart", buyer)


async def load_carts(tx: Tx, buyers: Iterable[str]) -> dict[str, Cart]:
    """Carts from memory or database; an absent one is empty."""
    states = await tx.load("cart", set(buyers), _read)
    return {buyer: cart or Cart(buyer=buyer) for buyer, cart in states.items()}


async def read_cart(db: Db, buyer: str) -> Cart:
    """A cart as last committed."""
    return (await _read(db, [buyer])).get(buyer) or Cart(buyer=buyer)


async def _read(db: Db, buyers: Sequence[str]) -> dict[str, Cart]:
    rows = await db.fetch(
        """SELECT buyer, state, merged_into, merge_id, given, ordering, lines, version,
                  created_at, updated_at
           FROM carts WHERE buyer = ANY($1)""",
        list(buyers),
    )
    return {
        row["buyer"]: Cart(
            buyer=row["buyer"],
            state=row["state"],
            merged_into=row["merged_into"],
            merge_id=row["merge_id"],
            given=row["given"] and _LINES.decode(row["given"]),
            ordering=row["ordering"],
            lines=_LINES.decode(row["lines"]),
            version=row["version"],
            created_at=row["created_at"],
            updated_at=row["updated_at"],
        )
        for row in rows
    }


async def save_carts(tx: Tx, carts: Iterable[Cart]) -> None:
    """Insert or update carts, in one statement."""
    rows = sorted((cart.touched(tx.now) for cart in carts), key=lambda cart: cart.buyer)
    await tx.execute(
        """INSERT INTO carts (buyer, state, merged_into, merge_id, given, ordering,
                              lines, version, created_at, updated_at)
           SELECT buyer, state, merged_into, merge_id, given::jsonb, ordering,
             lines::jsonb, version, created_at, $9
           FROM unnest($1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[],
                       $6::uuid[], $7::text[], $8::int[], $10::timestamptz[])
             AS cart (buyer, state, merged_into, merge_id, given, ordering, lines,
                      version, created_at)
           ON CONFLICT (buyer) DO UPDATE SET state = excluded.state,
             merged_into = excluded.merged_into, merge_id = excluded.merge_id,
             given = excluded.given, ordering = excluded.ordering,
             lines = excluded.lines, version = excluded.version,
             updated_at = excluded.updated_at""",
        [cart.buyer for cart in rows],
        [cart.state for cart in rows],
        [cart.merged_into for cart in rows],
        [cart.merge_id for cart in rows],
        [None if cart.given is None else _json(cart.given) for cart in rows],
        [cart.ordering for cart in rows],
        [_json(cart.lines) for cart in rows],
        [cart.version for cart in rows],
        tx.now,
        [cart.created_at for cart in rows],
    )
    for cart in rows:
        tx.keep("cart", cart.buyer, cart)


async def merged(tx: Tx, buyer: str, guest: str, merge_id: UUID) -> bool:
    """Note that a guest cart's lines are taken; False when they were before."""
    tag = await tx.execute(
        """INSERT INTO cart_merges (buyer, guest, merge_id, at)
           VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING""",
        buyer,
        guest,
        merge_id,
        tx.now,
    )
    return tag.endswith(" 1")


async def touched_at(tx: Tx, buyer: str) -> datetime | None:
    """When a cart was changed last; None: there is none."""
    at: datetime | None = await tx.fetchval(
        "SELECT updated_at FROM carts WHERE buyer = $1", buyer
    )
    return at


async def remove_cart(tx: Tx, buyer: str) -> None:
    """Forget a cart, and which guests' lines it took."""
    await tx.execute("DELETE FROM carts WHERE buyer = $1", buyer)
    await forget_merges(tx, buyer, tx.now)
    tx.keep("cart", buyer, None)


async def forget_merges(tx: Tx, buyer: str, before: datetime) -> None:
    """Drop the notes of merges whose guest carts have long forgotten them."""
    await tx.execute(
        "DELETE FROM cart_merges WHERE buyer = $1 AND at <= $2", buyer, before
    )


def _json(lines: Sequence[CartLine]) -> str:
    return msgspec.json.encode(lines).decode()


_LINES = msgspec.json.Decoder(tuple[CartLine, ...])
