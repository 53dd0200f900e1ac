"""Rows of people."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from bus.users import Contact, OpenAccount, Role, Standing, Status, UserView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.users.erasing import ERASED_EPOCH

EPOCHS_MAX = 100_000
STAFF_MAX = 100


async def insert_accounts(tx: Tx, accounts: Sequence[OpenAccount]) -> set[UUID]:
    """Insert accounts; returns the ids that are new."""
    ordered = sorted(accounts, key=lambda account: account.user_id)
    rows = await tx.fetch(
        """INSERT INTO users (id, email, email_verified, first_name, last_name, phone,
             locale, role, status, password_hash, epoch, epoch_raised_at, version,
             created_at, updated_at)
           SELECT id, email, verified, first_name, last_name, NULL, locale, role,
             'ACTIVE', password_hash, 0, NULL, 1, $9, $9
           FROM unnest($1::uuid[], $2::text[], $3::bool[], $4::text[], $5::text[],
             $6::text[], $7::text[], $8::text[])
             AS new (id, email, verified, first_name, last_name, locale, role,
               password_hash)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        [account.user_id for account in ordered],
        [account.email for account in ordered],
        [account.verified for account in ordered],
        [account.first_name for account in ordered],
        [account.last_name for account in ordered],
        [account.locale for account in ordered],
        [account.role.value for account in ordered],
        [account.password_hash for account in ordered],
        tx.now,
    )
    return {row["id"] for row in rows}


async def find_account(tx: Tx, user_id: UUID) -> asyncpg.Record | None:
    """A person's whole row, for a decision."""
    return await tx.fetchrow("SELECT * FROM users WHERE id = $1", user_id)


async def find_passwords(tx: Tx, user_ids: Sequence[UUID]) -> dict[UUID, str | None]:
    """The password hashes of those of the ids that are somebody's."""
    rows = await tx.fetch(
        "SELECT id, password_hash FROM users WHERE id = ANY($1)", list(user_ids)
    )
    return {row["id"]: row["password_hash"] for row in rows}


async def change_profile(
    tx: Tx, user_id: UUID, names: tuple[str, str], phone: str | None, locale: str
) -> int:
    """Write what a person says about themselves; returns the new version."""
    version: int = await tx.fetchval(
        """UPDATE users SET first_name = $2, last_name = $3, phone = $4, locale = $5,
             version = version + 1, updated_at = $6
           WHERE id = $1 RETURNING version""",
        user_id,
        *names,
        phone,
        locale,
        tx.now,
    )
    return version


async def change_role(tx: Tx, user_id: UUID, role: Role) -> int:
    """Write a role; returns the new version."""
    version: int = await tx.fetchval(
        """UPDATE users SET role = $2, version = version + 1, updated_at = $3
           WHERE id = $1 RETURNING version""",
        user_id,
        role.value,
        tx.now,
    )
    return version


async def change_status(tx: Tx, user_id: UUID, status: Status) -> int:
    """Write a status; returns the new version."""
    version: int = await tx.fetchval(
        """UPDATE users SET status = $2, version = version + 1, updated_at = $3
           WHERE id = $1 RETURNING version""",
        user_id,
        status.value,
        tx.now,
    )
    return version


async def has_other_admin(tx: Tx, user_id: UUID) -> bool:
    """Whether another active administrator is left, once all who ask have committed.

    Two who dismiss each other at once are of two shards: the lock lets the second see
    what the first has done.
    """
    await tx.fetchval("SELECT pg_advisory_xact_lock(hashtext('users of role ADMIN'))")
    return bool(
        await tx.fetchval(
            """SELECT EXISTS (SELECT FROM users
               WHERE role = 'ADMIN' AND status = 'ACTIVE' AND id <> $1)""",
            user_id,
        )
    )


async def change_verified(tx: Tx, user_id: UUID) -> bool:
    """Mark the address as the person's own; False when it was already."""
    return bool(
        await tx.fetchval(
            """UPDATE users SET email_verified = true, version = version + 1,
                 updated_at = $2
               WHERE id = $1 AND NOT email_verified RETURNING true""",
            user_id,
            tx.now,
        )
    )


async def replace_password(
    tx: Tx, user_id: UUID, new_hash: str, old_hash: str | None
) -> bool:
    """Write a password; with `old_hash` only if that is still the one before."""
    return bool(
        await tx.fetchval(
            """UPDATE users SET password_hash = $2, updated_at = $4
               WHERE id = $1 AND ($3::text IS NULL OR password_hash = $3)
               RETURNING true""",
            user_id,
            new_hash,
            old_hash,
            tx.now,
        )
    )


async def drop_password(tx: Tx, user_id: UUID) -> None:
    """Leave an account without a password: none opens it until one is set."""
    await tx.execute(
        "UPDATE users SET password_hash = NULL, updated_at = $2 WHERE id = $1",
        user_id,
        tx.now,
    )


async def raise_epoch(tx: Tx, user_id: UUID) -> int:
    """Make all access tokens of a person too old; returns the epoch that counts now."""
    epoch: int = await tx.fetchval(
        """UPDATE users SET epoch = epoch + 1, epoch_raised_at = $2
           WHERE id = $1 RETURNING epoch""",
        user_id,
        tx.now,
    )
    return epoch


async def raised_epochs(
    db: Db, since: datetime, overlap_seconds: int
) -> tuple[dict[UUID, int], datetime]:
    """The epochs raised at or after `since`, and a moment before this reading."""
    as_of: datetime = await db.fetchval(
        "SELECT now() - make_interval(secs => $1)", float(overlap_seconds)
    )
    rows = await db.fetch(
        """SELECT id, epoch FROM
             (SELECT id, epoch, epoch_raised_at AS at FROM users
              WHERE epoch_raised_at >= $1
              UNION ALL SELECT user_id, $3::bigint, at FROM erased WHERE at >= $1)
             AS raised (id, epoch, at)
           ORDER BY at DESC LIMIT $2""",
        since,
        EPOCHS_MAX,
        ERASED_EPOCH,
    )
    return {row["id"]: row["epoch"] for row in rows}, as_of


async def find_user(db: Db, user_id: UUID) -> UserView | None:
    """One person."""
    row = await db.fetchrow("SELECT * FROM users WHERE id = $1", user_id)
    return user_view(row) if row else None


async def find_standing(db: Db, user_id: UUID, session_id: UUID) -> Standing | None:
    """What decides about the tokens of a person's session."""
    row = await db.fetchrow(
        """SELECT role, status, epoch, EXISTS (
               SELECT FROM sessions
               WHERE id = $2 AND user_id = $1 AND ended_at IS NULL) AS session_lives
           FROM users WHERE id = $1""",
        user_id,
        session_id,
    )
    if row is None:
        return None
    return Standing(
        user_id=user_id,
        role=Role(row["role"]),
        status=Status(row["status"]),
        epoch=row["epoch"],
        session_lives=row["session_lives"],
    )


async def find_contact(db: Db, user_id: UUID) -> Contact | None:
    """Where a person is written to."""
    row = await db.fetchrow(
        """SELECT id AS user_id, email, email_verified, first_name, last_name, phone,
             locale
           FROM users WHERE id = $1""",
        user_id,
    )
    return Contact(**dict(row)) if row else None


async def find_user_id(db: Db, email: str) -> UUID | None:
    """Whose an address is."""
    user_id: UUID | None = await db.fetchval(
        "SELECT id FROM users WHERE email = $1", email
    )
    return user_id


async def find_users(
    db: Db,
    *,
    search: str | None,
    role: Role | None,
    status: Status | None,
    before: UUID | None,
    limit: int,
) -> list[UserView]:
    """People by the beginning of an address or a name, newest first."""
    pattern = search and search.translate({ord(c): "\\" + c for c in "\\%_"}) + "%"
    rows = await db.fetch(
        """SELECT * FROM users
           WHERE ($1::text IS NULL OR email LIKE lower($1) OR first_name ILIKE $1
               OR last_name ILIKE $1)
             AND ($2::text IS NULL OR role = $2)
             AND ($3::text IS NULL OR status = $3)
             AND ($4::uuid IS NULL OR id < $4)
           ORDER BY id DESC LIMIT $5""",
        pattern,
        role and role.value,
        status and status.value,
        before,
        limit,
    )
    return [user_view(row) for row in rows]


async def find_staff(db: Db, role: Role) -> tuple[UUID, ...]:
    """The active people of a role."""
    rows = await db.fetch(
        """SELECT id FROM users WHERE role = $1 AND status = 'ACTIVE'
           ORDER BY id LIMIT $2""",
        role.value,
        STAFF_MAX,
    )
    return tuple(row["id"] for row in rows)


def user_view(row: asyncpg.Record) -> UserView:
    """A person's row as it is shown."""
    return UserView(
        id=row["id"],
        email=row["email"],
        email_verified=row["email_verified"],
        first_name=row["first_name"],
        last_name=row["last_name"],
        role=Role(row["role"]),
        status=Status(row["status"]),
        phone=row["phone"],
        locale=row["locale"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
