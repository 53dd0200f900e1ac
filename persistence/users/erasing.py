"""What goes with a person."""

from uuid import UUID

from persistence.kit.transaction import Tx

ERASED_EPOCH = 1 << 53
"""The epoch of everybody who is gone: higher than any that a token can carry."""


async def delete_account(tx: Tx, user_id: UUID) -> None:
    """Drop a person's row; what refers to it goes along: sessions, codes, addresses."""
    await tx.execute("DELETE FROM login_tries WHERE user_id = $1", user_id)
    await tx.execute("DELETE FROM users WHERE id = $1", user_id)
