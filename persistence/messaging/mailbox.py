"""The mailbox of the embedded default: what was caught instead of being sent."""

from collections.abc import Sequence
from typing import Any

from persistence.kit.database import Db
from persistence.kit.transaction import Tx

MAILBOX_MAX = 20_000


async def keep_caught(tx: Tx, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert (id, channel, recipient, content, at) rows of the mailbox, each once."""
    columns = [list(column) for column in zip(*sorted(rows), strict=True)]
    await tx.execute(
        """INSERT INTO mailbox (id, channel, recipient, content, at)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[],
             $5::timestamptz[]) ON CONFLICT DO NOTHING""",
        *columns,
    )


async def trim_mailbox(tx: Tx) -> None:
    """Keep the newest `MAILBOX_MAX`."""
    await tx.execute(
        """DELETE FROM mailbox WHERE id <
             (SELECT id FROM mailbox ORDER BY id DESC OFFSET $1 LIMIT 1)""",
        MAILBOX_MAX - 1,
    )


async def list_mailbox(db: Db, *, to: str | None, limit: int) -> list[Any]:
    """(id, channel, recipient, content, at) rows, newest first."""
    return await db.fetch(
        """SELECT id, channel, recipient, content, at FROM mailbox
           WHERE ($1::text IS NULL OR recipient = $1) ORDER BY id DESC LIMIT $2""",
        to,
        limit,
    )
