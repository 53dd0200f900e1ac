"""Rows of sign-ins, and of tries to sign in."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from persistence.kit.database import Db
from persistence.kit.transaction import Tx

ENDED_MAX = 100_000


async def insert_session(
    tx: Tx,
    session_id: UUID,
    user_id: UUID,
    hashes: tuple[bytes, bytes],
    expires_at: datetime,
) -> None:
    """Insert a session with the hashes of its secret and client; once by its id."""
    await tx.execute(
        """INSERT INTO sessions (id, user_id, secret_hash, client_hash, rotated_at,
             expires_at, created_at)
           VALUES ($1, $2, $3, $4, $5, $6, $5) ON CONFLICT (id) DO NOTHING""",
        session_id,
        user_id,
        *hashes,
        tx.now,
        expires_at,
    )


async def knows_client(tx: Tx, user_id: UUID, client_hashes: Sequence[bytes]) -> bool:
    """Whether a session of the person was last seen at this client."""
    return bool(
        await tx.fetchval(
            """SELECT EXISTS (SELECT FROM sessions
               WHERE user_id = $1 AND client_hash = ANY($2))""",
            user_id,
            list(client_hashes),
        )
    )


async def living_sessions(tx: Tx, user_id: UUID) -> list[UUID]:
    """A person's sessions that were not ended, newest first."""
    rows = await tx.fetch(
        """SELECT id FROM sessions WHERE user_id = $1 AND ended_at IS NULL
           ORDER BY id DESC""",
        user_id,
    )
    return [row["id"] for row in rows]


async def find_session(tx: Tx, session_id: UUID) -> asyncpg.Record | None:
    """A living session with its person's row."""
    return await tx.fetchrow(
        """SELECT s.id AS session_id, s.secret_hash, s.previous_hash, s.nonce,
             s.client_hash, s.rotated_at, s.expires_at, s.created_at AS began_at, u.*
           FROM sessions s JOIN users u ON u.id = s.user_id
           WHERE s.id = $1 AND s.expires_at > $2 AND s.ended_at IS NULL""",
        session_id,
        tx.now,
    )


async def rotate_session(
    tx: Tx,
    session_id: UUID,
    hashes: tuple[bytes, bytes, bytes],
    nonce: bytes,
    expires_at: datetime,
) -> None:
    """Write the hashes of the next secret, the one before it, and the client."""
    await tx.execute(
        """UPDATE sessions SET secret_hash = $2, previous_hash = $3, client_hash = $4,
             nonce = $5, rotated_at = $6, expires_at = $7
           WHERE id = $1""",
        session_id,
        *hashes,
        nonce,
        tx.now,
        expires_at,
    )


async def mark_ended(tx: Tx, session_ids: Sequence[UUID]) -> None:
    """End sessions; their rows stay for the readers of `ended_sessions`."""
    await tx.execute(
        "UPDATE sessions SET ended_at = $2 WHERE id = ANY($1)",
        sorted(session_ids),
        tx.now,
    )


async def ended_sessions(db: Db, since: datetime) -> tuple[UUID, ...]:
    """The sessions ended at or after `since`, each by itself."""
    rows = await db.fetch(
        """SELECT id FROM sessions WHERE ended_at >= $1
           ORDER BY ended_at DESC LIMIT $2""",
        since,
        ENDED_MAX,
    )
    return tuple(row["id"] for row in rows)


async def drop_session(tx: Tx, session_id: UUID) -> None:
    """Drop a session, whoever's it is."""
    await tx.execute("DELETE FROM sessions WHERE id = $1", session_id)


async def drop_sessions(tx: Tx, user_id: UUID) -> None:
    """Drop all sessions of a person, whose epoch rises with it."""
    await tx.execute("DELETE FROM sessions WHERE user_id = $1", user_id)


async def count_try(
    tx: Tx, user_id: UUID, client_hash: bytes, window_starts_at: datetime
) -> tuple[int, datetime]:
    """Count one more try of this account from this client; the count and its beginning.

    A count that began before `window_starts_at` begins anew.
    """
    (row,) = await tx.fetch(
        """INSERT INTO login_tries AS t (user_id, client_hash, tries, since)
           VALUES ($1, $2, 1, $3)
           ON CONFLICT (user_id, client_hash) DO UPDATE SET
             tries = CASE WHEN t.since < $4 THEN 1 ELSE t.tries + 1 END,
             since = CASE WHEN t.since < $4 THEN $3 ELSE t.since END
           RETURNING tries, since""",
        user_id,
        client_hash,
        tx.now,
        window_starts_at,
    )
    return row["tries"], row["since"]


async def forget_tries(
    tx: Tx,
    user_id: UUID,
    client_hash: bytes | None = None,
    before: datetime | None = None,
) -> None:
    """Drop counts of an account: of one client, or those that began before a time."""
    await tx.execute(
        """DELETE FROM login_tries WHERE user_id = $1
             AND ($2::bytea IS NULL OR client_hash = $2)
             AND ($3::timestamptz IS NULL OR since < $3)""",
        user_id,
        client_hash,
        before,
    )
