"""Rows of identities at outside issuers, and of sign-ins that were used up."""

from uuid import UUID

from bus.users import IdentitySeen
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

IDENTITIES_MAX = 1_000


async def find_identity(db: Db, issuer: str, subject: str) -> UUID | None:
    """Whose an identity is."""
    user_id: UUID | None = await db.fetchval(
        "SELECT user_id FROM identities WHERE issuer = $1 AND subject = $2",
        issuer,
        subject,
    )
    return user_id


async def find_identities(db: Db | Tx, user_id: UUID) -> list[IdentitySeen]:
    """All that a person is at outside issuers, the oldest first."""
    rows = await db.fetch(
        """SELECT issuer, subject, created_at AS since FROM identities
           WHERE user_id = $1 ORDER BY created_at, issuer, subject LIMIT $2""",
        user_id,
        IDENTITIES_MAX,
    )
    return [IdentitySeen(**dict(row)) for row in rows]


async def insert_identity(tx: Tx, issuer: str, subject: str, user_id: UUID) -> bool:
    """Insert an identity whose claim is held; False when it was there."""
    return bool(
        await tx.fetchval(
            """INSERT INTO identities (issuer, subject, user_id, created_at)
               VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true""",
            issuer,
            subject,
            user_id,
            tx.now,
        )
    )


async def use_sign_in(tx: Tx, attempt_id: UUID) -> bool:
    """Use a sign-in up; False when it was already."""
    return bool(
        await tx.fetchval(
            """INSERT INTO used_sign_ins (attempt_id, used_at) VALUES ($1, $2)
               ON CONFLICT DO NOTHING RETURNING true""",
            attempt_id,
            tx.now,
        )
    )


async def drop_sign_in(tx: Tx, attempt_id: UUID) -> None:
    """Drop a used sign-in whose browser can bring it no more."""
    await tx.execute("DELETE FROM used_sign_ins WHERE attempt_id = $1", attempt_id)
