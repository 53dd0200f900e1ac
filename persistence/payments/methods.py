"""Stored payment methods: read and written."""

from collections.abc import Sequence
from uuid import UUID

from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments.states import StoredMethod


async def find_methods(db: Db, ids: Sequence[UUID]) -> dict[UUID, StoredMethod]:
    """The methods of these ids, whoever's they are."""
    rows = await db.fetch(
        "SELECT * FROM payment_methods WHERE id = ANY($1::uuid[])", list(ids)
    )
    return {row["id"]: StoredMethod(**dict(row)) for row in rows}


async def methods_of(db: Db, user_id: UUID) -> list[StoredMethod]:
    """A person's methods, the default first, then the newest."""
    rows = await db.fetch(
        "SELECT * FROM payment_methods WHERE user_id = $1"
        " ORDER BY is_default DESC, created_at DESC, id DESC",
        user_id,
    )
    return [StoredMethod(**dict(row)) for row in rows]


async def insert_method(tx: Tx, method: StoredMethod) -> None:
    """Insert a method, once by its id."""
    await tx.execute(
        "INSERT INTO payment_methods (id, user_id, method, provider, sealed,"
        " sealed_by, is_default, version, created_at, updated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        method.id,
        method.user_id,
        method.method,
        method.provider,
        method.sealed,
        method.sealed_by,
        method.is_default,
        method.version,
        method.created_at,
        method.updated_at,
    )


async def make_default(tx: Tx, user_id: UUID, method_id: UUID) -> None:
    """Make one of a person's methods the default, and no other."""
    await tx.execute(
        "UPDATE payment_methods SET is_default = (id = $2), version = version + 1,"
        " updated_at = now() WHERE user_id = $1 AND is_default <> (id = $2)",
        user_id,
        method_id,
    )


async def delete_method(
    tx: Tx, user_id: UUID, method_id: UUID, version: int | None = None
) -> StoredMethod | None:
    """Delete a person's method, which it returns; the newest other is the default.

    None: there is none, or none of this version.
    """
    gone = await tx.fetchrow(
        "DELETE FROM payment_methods WHERE id = $2 AND user_id = $1"
        " AND version = coalesce($3, version) RETURNING *",
        user_id,
        method_id,
        version,
    )
    if gone is not None and gone["is_default"]:
        await tx.execute(
            "UPDATE payment_methods SET is_default = true, version = version + 1,"
            " updated_at = now() WHERE id = (SELECT id FROM payment_methods"
            " WHERE user_id = $1 ORDER BY created_at DESC, id DESC LIMIT 1)",
            user_id,
        )
    return StoredMethod(**dict(gone)) if gone is not None else None


async def stale_methods(
    db: Db, mark: str, after: UUID | None, limit: int
) -> list[StoredMethod]:
    """Methods that another key than `mark`'s has sealed, by their ids."""
    rows = await db.fetch(
        """SELECT * FROM payment_methods WHERE (sealed_by < $1 OR sealed_by > $1)
             AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3""",
        mark,
        after,
        limit,
    )
    return [StoredMethod(**dict(row)) for row in rows]


async def reseal_methods(
    tx: Tx, mark: str, resealed: Sequence[tuple[StoredMethod, str]]
) -> None:
    """Write new seals over the old ones that they were made from."""
    rows = sorted(resealed, key=lambda pair: pair[0].id)
    await tx.execute(
        """UPDATE payment_methods SET sealed = new.sealed, sealed_by = $1
           FROM unnest($2::uuid[], $3::text[], $4::text[]) AS new (id, before, sealed)
           WHERE payment_methods.id = new.id AND payment_methods.sealed = new.before""",
        mark,
        [method.id for method, _ in rows],
        [method.sealed for method, _ in rows],
        [sealed for _, sealed in rows],
    )
