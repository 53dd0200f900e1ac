"""The addresses that mail bounced from."""

from uuid import UUID

from bus.kit.values import Page
from bus.messaging import Suppression
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.messaging.log import find_day

SOFT_BOUNCES_MAX = 5

_COLUMNS = "address, reason, bounces, suppressed, created_at, updated_at"


async def count_bounce(tx: Tx, message_id: UUID, reason: str, *, hard: bool) -> None:
    """One more bounce of a message's address: a hard one, or the fifth, stops mail."""
    await tx.execute(
        """INSERT INTO suppressions AS known
             (address, user_id, reason, bounces, suppressed, created_at, updated_at)
           SELECT lower(recipient), user_id, $2, 1, $3, $4, $4 FROM messages
           WHERE message_id = $1 AND day = $6
           ON CONFLICT (address) DO UPDATE SET reason = excluded.reason,
             user_id = coalesce(excluded.user_id, known.user_id),
             bounces = known.bounces + 1, updated_at = excluded.updated_at,
             suppressed = known.suppressed OR excluded.suppressed
               OR known.bounces + 1 >= $5""",
        message_id,
        reason,
        hard,
        tx.now,
        SOFT_BOUNCES_MAX,
        await find_day(tx, message_id),
    )


async def list_suppressions(db: Db, after: str | None, limit: int) -> Page[Suppression]:
    """The addresses, in their order."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM suppressions
            WHERE $1::text IS NULL OR address > $1 ORDER BY address LIMIT $2""",
        after,
        limit + 1,
    )
    items = tuple(Suppression(**dict(row)) for row in rows[:limit])
    return Page(items, items[-1].address if len(rows) > limit else None)


async def remove_suppression(tx: Tx, address: str) -> list[UUID | None]:
    """Forget an address' bounces; returns whose they were, if there are any."""
    rows = await tx.fetch(
        "DELETE FROM suppressions WHERE address = $1 RETURNING user_id", address
    )
    return [row["user_id"] for row in rows]
