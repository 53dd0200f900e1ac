"""What messaging forgets with a person: messages, caught mail, what bounced."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field

from persistence.kit.transaction import Tx
from persistence.messaging.tables import Table


class ErasedRecipient(Table, table=True):
    """The hash of an address that somebody had who is gone.

    Mail that had left the queue is caught a moment later; by then nothing else tells
    whose it is. The row goes when that moment has passed.
    """

    __tablename__ = "erased_recipients"
    __table_args__ = (
        {
            "comment": "SHA-256 of addresses whose last mails may still be on their"
            " way; kept a minute."
        },
    )

    user_id: UUID = Field(sa_column=sa.Column(pg.UUID, primary_key=True))
    hash: bytes = Field(sa_column=sa.Column(sa.LargeBinary, primary_key=True))


async def addresses_of(tx: Tx, user_id: UUID) -> list[str]:
    """The addresses and numbers that a person was written to."""
    rows = await tx.fetch(
        "SELECT DISTINCT recipient FROM messages WHERE user_id = $1 ORDER BY recipient",
        user_id,
    )
    return [row["recipient"] for row in rows]


async def forget_person(tx: Tx, user_id: UUID, addresses: Iterable[str]) -> None:
    """Delete what was written to a person, by name or only by address, and caught."""
    known = sorted(set(addresses))
    await tx.execute(
        """DELETE FROM messages USING
             (SELECT message_id, day FROM messages WHERE user_id = $1
                OR (recipient = ANY($2::text[]) AND user_id IS NULL)
              ORDER BY message_id, day FOR UPDATE) AS gone
           WHERE messages.message_id = gone.message_id AND messages.day = gone.day""",
        user_id,
        known,
    )
    forms = sorted({*known, *(address.lower() for address in known)})
    hashes = [hashlib.sha256(address.encode()).digest() for address in forms]
    await tx.execute(
        """INSERT INTO erased_recipients (user_id, hash)
           SELECT $1, hash FROM unnest($2::bytea[]) AS new (hash)
           ON CONFLICT DO NOTHING""",
        user_id,
        hashes,
    )
    await _delete_by_hash(tx, user_id)


async def forget_recipients(tx: Tx, user_id: UUID) -> None:
    """Delete what was caught or bounced since, and the hashes it was found by."""
    await _delete_by_hash(tx, user_id)
    await tx.execute("DELETE FROM erased_recipients WHERE user_id = $1", user_id)


async def _delete_by_hash(tx: Tx, user_id: UUID) -> None:
    """Delete caught mail, and addresses that mail bounced from (in lower case)."""
    await tx.execute(
        """DELETE FROM suppressions USING
             (SELECT address FROM suppressions
              WHERE user_id = $1 OR sha256(convert_to(address, 'UTF8')) IN
                (SELECT hash FROM erased_recipients WHERE user_id = $1)
              ORDER BY address FOR UPDATE) AS gone
           WHERE suppressions.address = gone.address""",
        user_id,
    )
    await tx.execute(
        """DELETE FROM mailbox USING
             (SELECT id FROM mailbox
              WHERE sha256(convert_to(recipient, 'UTF8')) IN
                (SELECT hash FROM erased_recipients WHERE user_id = $1)
              ORDER BY id FOR UPDATE) AS gone
           WHERE mailbox.id = gone.id""",
        user_id,
    )
