"""What products forget with a person: the words of reviews, not their stars."""

from uuid import UUID

from persistence.kit.database import Db
from persistence.kit.transaction import Tx


async def worded_reviews(db: Db, user_id: UUID, limit: int) -> list[UUID]:
    """Reviews of a person that still say something, or say why they were rejected."""
    rows = await db.fetch(
        """SELECT id FROM reviews WHERE user_id = $1
             AND (title IS NOT NULL OR comment <> '' OR reason IS NOT NULL)
           ORDER BY id LIMIT $2""",
        user_id,
        limit,
    )
    return [row["id"] for row in rows]


async def erase_words(tx: Tx, review_id: UUID) -> None:
    """Drop title, comment and the moderator's reason."""
    await tx.execute(
        """UPDATE reviews SET title = NULL, comment = '', reason = NULL,
             version = version + 1, updated_at = $2 WHERE id = $1""",
        review_id,
        tx.now,
    )
