"""What goes with a person, and who is left."""

from uuid import UUID

from persistence.kit.transaction import Tx

ERASED_EPOCH = 1 << 53
"""The epoch of everybody who is gone: higher than any that a token can carry."""


async def delete_account(tx: Tx, user_id: UUID) -> None:
    """Drop a person's row; what refers to it goes along: sessions, codes, addresses."""
    await tx.execute("DELETE FROM login_tries WHERE user_id = $1", user_id)
    await tx.execute("DELETE FROM users WHERE id = $1", user_id)


async def other_administrators(tx: Tx, user_id: UUID) -> int:
    """How many active administrators there are besides this one.

    They are locked: of two who leave at the same time, the second sees the first gone.
    """
    rows = await tx.fetch(
        """SELECT id FROM users WHERE role = 'ADMIN' AND status = 'ACTIVE'
           ORDER BY id FOR UPDATE"""
    )
    return sum(row["id"] != user_id for row in rows)
