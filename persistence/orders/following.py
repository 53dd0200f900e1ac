"""What those who follow orders read: the changes above what they have."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from bus.orders import OrderStatus, TimelineEntry
from persistence.kit.database import Db
from persistence.orders.orders import days_of
from persistence.orders.states import Order


async def read_timelines_after(
    db: Db, wanted: Sequence[tuple[UUID, int, int]], orders: Iterable[Order]
) -> list[tuple[TimelineEntry, ...]]:
    """For each order, version and limit the first changes above the version.

    They lie in the days of the orders' lives, so the other days are not opened.
    """
    days = {day for order in orders for day in days_of(order)}
    rows = await db.fetch(
        """SELECT wanted.n, entry.version, entry.status, entry.actor, entry.actor_id,
             entry.reason, entry.at
           FROM unnest($1::uuid[], $2::bigint[], $3::int[]) WITH ORDINALITY
             AS wanted (order_id, after, most, n)
           CROSS JOIN LATERAL
             (SELECT version, status, actor, actor_id, reason, at FROM timeline
              WHERE timeline.order_id = wanted.order_id
                AND timeline.version > wanted.after AND timeline.day = ANY($4)
              ORDER BY version LIMIT wanted.most) AS entry
           ORDER BY wanted.n, entry.version""",
        [order_id for order_id, _, _ in wanted],
        [after for _, after, _ in wanted],
        [most for _, _, most in wanted],
        sorted(days),
    )
    found: list[list[TimelineEntry]] = [[] for _ in wanted]
    for row in rows:
        entry = TimelineEntry(
            status=OrderStatus(row["status"]),
            actor=row["actor"],
            actor_id=row["actor_id"],
            reason=row["reason"],
            at=row["at"],
            version=row["version"],
        )
        found[row["n"] - 1].append(entry)
    return [tuple(entries) for entries in found]
