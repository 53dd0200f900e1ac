"""Looks of those who follow orders: many of them in one read."""

from actors.kit.domain import Domain, handles_many
from actors.orders.moving import may_see, timeline_for
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import Page
from bus.orders import GetTimelineAfter, TimelineEntry
from persistence import orders as store
from persistence.kit.database import Db


class Following(Domain):
    """What is new to whom, as far as they may see it now."""

    @handles_many(GetTimelineAfter)
    async def get_timeline_after(
        self, db: Db, queries: list[GetTimelineAfter]
    ) -> list[Page[TimelineEntry] | Refusal]:
        """The next changes of each order, to whom it concerns."""
        orders = await store.read_orders_of(db, {q.order_id for q in queries})
        found = await store.read_timelines_after(
            db,
            [(q.order_id, q.after, q.limit) for q in queries],
            orders.values(),
        )
        answers: list[Page[TimelineEntry] | Refusal] = []
        for q, entries in zip(queries, found, strict=True):
            order = orders.get(q.order_id)
            if order is None or not may_see(order, q.viewer):
                answers.append(not_found("order"))
                continue
            more = len(entries) == q.limit
            cursor = str(entries[-1].version) if more else None
            answers.append(Page(timeline_for(order, q.viewer, entries), cursor))
        return answers
