"""Rows of address books."""

from uuid import UUID

import asyncpg

from bus.kit.values import Address
from bus.users import AddressView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

COLUMNS = (
    *("name", "line1", "city", "postal_code", "country"),
    *("line2", "region", "company", "phone"),
)
"""The fields of an address, in the order of the statements below."""


async def insert_address(
    tx: Tx,
    user_id: UUID,
    address_id: UUID,
    address: Address,
    defaults: tuple[bool, bool],
) -> None:
    """Insert an entry; `defaults` are shipping and billing."""
    await tx.execute(
        """INSERT INTO addresses (id, user_id, default_shipping, default_billing,
             version, created_at, updated_at, name, line1, city, postal_code, country,
             line2, region, company, phone)
           VALUES ($1, $2, $3, $4, 1, $5, $5, $6, $7, $8, $9, $10, $11, $12, $13,
             $14)""",
        address_id,
        user_id,
        *defaults,
        tx.now,
        *(getattr(address, column) for column in COLUMNS),
    )


async def replace_address(
    tx: Tx, address_id: UUID, address: Address, defaults: tuple[bool, bool]
) -> int:
    """Write an entry anew; a default stays one. Returns the new version."""
    version: int = await tx.fetchval(
        """UPDATE addresses SET
             (name, line1, city, postal_code, country, line2, region, company, phone)
               = ($5, $6, $7, $8, $9, $10, $11, $12, $13),
             default_shipping = default_shipping OR $2,
             default_billing = default_billing OR $3,
             version = version + 1, updated_at = $4
           WHERE id = $1 RETURNING version""",
        address_id,
        *defaults,
        tx.now,
        *(getattr(address, column) for column in COLUMNS),
    )
    return version


async def take_defaults(
    tx: Tx, user_id: UUID, address_id: UUID, defaults: tuple[bool, bool]
) -> None:
    """Make the other entries of a person give up what `address_id` is default for."""
    await tx.execute(
        """UPDATE addresses SET default_shipping = default_shipping AND NOT $3,
             default_billing = default_billing AND NOT $4
           WHERE user_id = $1 AND id <> $2
             AND (default_shipping AND $3 OR default_billing AND $4)""",
        user_id,
        address_id,
        *defaults,
    )


async def hand_over_defaults(
    tx: Tx, user_id: UUID, defaults: tuple[bool, bool]
) -> None:
    """Make a person's newest entry the default for what a deleted one was."""
    await tx.execute(
        """UPDATE addresses SET default_shipping = default_shipping OR $2,
             default_billing = default_billing OR $3
           WHERE id = (SELECT id FROM addresses WHERE user_id = $1
                       ORDER BY created_at DESC, id DESC LIMIT 1)""",
        user_id,
        *defaults,
    )


async def delete_address(tx: Tx, address_id: UUID) -> None:
    """Drop an entry."""
    await tx.execute("DELETE FROM addresses WHERE id = $1", address_id)


async def find_addresses(db: Db | Tx, user_id: UUID) -> list[AddressView]:
    """A person's entries, newest first."""
    rows = await db.fetch(
        "SELECT * FROM addresses WHERE user_id = $1 ORDER BY created_at DESC, id DESC",
        user_id,
    )
    return [address_view(row) for row in rows]


async def find_address(
    db: Db | Tx, user_id: UUID, address_id: UUID
) -> AddressView | None:
    """One entry of a person's."""
    row = await db.fetchrow(
        "SELECT * FROM addresses WHERE id = $1 AND user_id = $2", address_id, user_id
    )
    return address_view(row) if row else None


def address_view(row: asyncpg.Record) -> AddressView:
    """An entry's row as it is shown."""
    return AddressView(
        **{column: row[column] for column in COLUMNS},
        id=row["id"],
        default_shipping=row["default_shipping"],
        default_billing=row["default_billing"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
