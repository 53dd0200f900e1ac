"""Rows of mailed codes."""

from datetime import datetime
from uuid import UUID

import asyncpg

from bus.users import Purpose
from persistence.kit.transaction import Tx


async def code_of(tx: Tx, user_id: UUID, purpose: Purpose) -> asyncpg.Record | None:
    """The last code that was made for a purpose."""
    return await tx.fetchrow(
        "SELECT * FROM codes WHERE user_id = $1 AND purpose = $2",
        user_id,
        purpose.value,
    )


async def replace_code(
    tx: Tx,
    user_id: UUID,
    purpose: Purpose,
    issue: tuple[UUID, bytes, int, datetime],
    counted: tuple[int, datetime],
) -> None:
    """Write a code over the one before.

    `issue` is its id, hash, tries and expiry, `counted` how many were made since when.
    """
    await tx.execute(
        """INSERT INTO codes (user_id, purpose, issue_id, code_hash, tries_left,
             expires_at, used_at, issued, issued_since)
           VALUES ($1, $2, $3, $4, $5, $6, NULL, $7, $8)
           ON CONFLICT (user_id, purpose) DO UPDATE SET
             issue_id = excluded.issue_id, code_hash = excluded.code_hash,
             tries_left = excluded.tries_left, expires_at = excluded.expires_at,
             used_at = NULL, issued = excluded.issued,
             issued_since = excluded.issued_since""",
        user_id,
        purpose.value,
        *issue,
        *counted,
    )


async def spend_try(tx: Tx, user_id: UUID, purpose: Purpose) -> asyncpg.Record | None:
    """Take one try from a code that lives, and return it; None when none does."""
    return await tx.fetchrow(
        """UPDATE codes SET tries_left = tries_left - 1
           WHERE user_id = $1 AND purpose = $2 AND tries_left > 0 AND expires_at > $3
           RETURNING *""",
        user_id,
        purpose.value,
        tx.now,
    )


async def use_code(tx: Tx, user_id: UUID, purpose: Purpose) -> None:
    """Mark a code as used."""
    await tx.execute(
        """UPDATE codes SET used_at = coalesce(used_at, $3), tries_left = tries_left + 1
           WHERE user_id = $1 AND purpose = $2""",
        user_id,
        purpose.value,
        tx.now,
    )
