"""What payments forget with a person: methods and free texts, never an amount."""

from collections.abc import Collection
from uuid import UUID

from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments.states import StoredMethod


async def delete_methods_of(tx: Tx, user_id: UUID) -> list[StoredMethod]:
    """Delete all stored methods of a person; returns them."""
    rows = await tx.fetch(
        "DELETE FROM payment_methods WHERE user_id = $1 RETURNING *", user_id
    )
    return sorted((StoredMethod(**dict(row)) for row in rows), key=lambda one: one.id)


async def orders_with_reasons(
    db: Db, user_id: UUID, own_words: Collection[str], limit: int
) -> list[UUID]:
    """A person's orders whose refunds say other things than the shop's own words."""
    rows = await db.fetch(
        """SELECT DISTINCT order_id FROM payments
             JOIN refunds ON refunds.payment_id = payments.id
           WHERE payments.user_id = $1 AND refunds.reason <> ALL($2::text[])
           ORDER BY order_id LIMIT $3""",
        user_id,
        list(own_words),
        limit,
    )
    return [row["order_id"] for row in rows]


async def forget_reasons(tx: Tx, payment_id: UUID, own_words: Collection[str]) -> None:
    """Drop what was written to a payment's refunds; whoever reads it reads it anew."""
    await tx.execute(
        """UPDATE refunds SET reason = ''
           WHERE payment_id = $1 AND reason <> ALL($2::text[])""",
        payment_id,
        list(own_words),
    )
