"""Reviews, who has bought what, and the average that follows from them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.products import ListReviews, ReviewView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.products.cursors import Cursor, read_cursor, write_cursor

_REVIEWS = """
SELECT r.id, r.version, r.created_at, r.updated_at, r.product_id, r.user_id, r.rating,
       r.title, r.comment, r.status, r.reason,
       EXISTS (SELECT FROM purchases AS p WHERE p.product_id = r.product_id
               AND p.user_id = r.user_id) AS verified_purchase
FROM reviews AS r
"""


async def load_review(db: Db | Tx, review_id: UUID) -> ReviewView | None:
    """One review, or None."""
    row = await db.fetchrow(_REVIEWS + "WHERE r.id = $1", review_id)
    return ReviewView(**row) if row else None


async def find_reviews(
    db: Db, query: ListReviews
) -> tuple[tuple[ReviewView, ...], str | None]:
    """One page of reviews, newest first, and the cursor of the next one."""
    time: datetime | None = None
    last: UUID | None = None
    if query.cursor is not None:
        cursor = read_cursor(query.cursor, "newest", str)
        time, last = msgspec.convert(cursor.value, datetime), cursor.id
    rows = await db.fetch(
        _REVIEWS
        + """WHERE ($1::uuid IS NULL OR r.product_id = $1)
               AND ($2::text IS NULL OR r.status = $2)
               AND ($3::timestamptz IS NULL OR (r.created_at, r.id) < ($3, $4::uuid))
               AND ($5::uuid IS NULL OR r.user_id = $5)
             ORDER BY r.created_at DESC, r.id DESC LIMIT $6""",
        query.product_id,
        query.status,
        time,
        last,
        query.user_id,
        query.limit + 1,
    )
    page = tuple(ReviewView(**row) for row in rows[: query.limit])
    if len(rows) <= query.limit:
        return page, None
    end = page[-1]
    return page, write_cursor(Cursor("newest", end.created_at.isoformat(), end.id))


async def insert_review(tx: Tx, review: ReviewView) -> bool:
    """Write a review, unless its person has already reviewed the product."""
    inserted = await tx.fetchval(
        """INSERT INTO reviews (id, version, created_at, updated_at, product_id,
             user_id, rating, title, comment, status)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
           ON CONFLICT (product_id, user_id) DO NOTHING RETURNING id""",
        review.id,
        review.version,
        review.created_at,
        review.updated_at,
        review.product_id,
        review.user_id,
        review.rating,
        review.title,
        review.comment,
        review.status,
    )
    return inserted is not None


async def moderate_review(
    tx: Tx, review: ReviewView, status: str, reason: str | None, moderator_id: UUID
) -> None:
    """Write a verdict over the version that was seen."""
    written: Any = await tx.fetchval(
        """UPDATE reviews SET status = $3, reason = $4, moderator_id = $5,
             version = version + 1, updated_at = $6
           WHERE id = $1 AND version = $2 RETURNING id""",
        review.id,
        review.version,
        status,
        reason,
        moderator_id,
        tx.now,
    )
    if written is None:
        raise RuntimeError("a review has changed between its reading and its writing")


async def move_rating(tx: Tx, product_id: UUID, stars: int, count: int) -> None:
    """Add stars and reviews (or take them off) in the sum that the mean is made of."""
    await tx.execute(
        """UPDATE products SET rating_sum = rating_sum + $2,
             rating_count = rating_count + $3,
             rating_millis = coalesce((rating_sum + $2) * 1000
                                      / nullif(rating_count + $3, 0), 0)
           WHERE id = $1""",
        product_id,
        stars,
        count,
    )


async def save_purchases(tx: Tx, bought: Iterable[tuple[UUID, UUID, UUID]]) -> None:
    """Remember (order, product, user), insert-once."""
    rows = sorted(set(bought))
    await tx.execute(
        """INSERT INTO purchases (order_id, product_id, user_id)
           SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
           ON CONFLICT DO NOTHING""",
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
    )
