"""Carts that were made before carts expired are looked at, too."""

from collections.abc import Iterator
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from bus.kit.addressing import new_id, slot_of
from bus.kit.messages import encode

revision = "orders_0004"
down_revision = "orders_0003"
branch_labels = None

CARTS_AT_ONCE_MAX = 1_000

UNTIMED = sa.text(
    """SELECT buyer FROM carts WHERE buyer > :after
         AND NOT EXISTS (SELECT FROM due WHERE name = 'cart:' || buyer)
       ORDER BY buyer LIMIT :limit"""
)
# Who looks at a cart knows how long it may stay. All within an hour, not all at once.
LOOK_AT = sa.text(
    """INSERT INTO due (name, id, slot, at, kind, message)
       VALUES ('cart:' || CAST(:buyer AS text), :id, :slot,
               now() + random() * interval '1 hour', 'orders.expire_cart', :message)
       ON CONFLICT (name) DO NOTHING"""
)


def upgrade() -> None:
    """Give each cart that nobody looks at its due message."""
    for buyers in _untimed():
        op.get_bind().execute(LOOK_AT, [_look_at(buyer) for buyer in buyers])


def _untimed() -> Iterator[list[str]]:
    after = ""
    while True:
        found = {"after": after, "limit": CARTS_AT_ONCE_MAX}
        buyers = list(op.get_bind().execute(UNTIMED, found).scalars())
        if not buyers:
            return
        yield buyers
        after = buyers[-1]


def _look_at(buyer: str) -> dict[str, str | int | bytes | UUID]:
    return {
        "buyer": buyer,
        "id": new_id(buyer),
        "slot": slot_of(buyer),
        "message": encode({"buyer": buyer}),
    }
