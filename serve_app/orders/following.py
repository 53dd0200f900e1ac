"""The stream of an order: every change of it, as it happens."""

from collections.abc import Sequence
from uuid import UUID

from bus.orders import (
    GetTimelineAfter,
    OrderCancelled,
    OrderConfirmed,
    OrderDelivered,
    OrderPlaced,
    OrderProcessing,
    OrderRefunded,
    OrderShipped,
    OrderUpdated,
    TimelineEntry,
)
from serve_app.kit.feeds import LINES_MAX
from serve_app.kit.routing import PUBLIC, Caller, Feed, Line, ResumeAfter, ask
from serve_app.orders.router import router, viewer_of

_KIND = "order"

for _event in (
    OrderPlaced,
    OrderConfirmed,
    OrderProcessing,
    OrderShipped,
    OrderDelivered,
    OrderCancelled,
    OrderRefunded,
    OrderUpdated,
):
    router.wakes(_event, _KIND, lambda told: told.order_id)


@router.stream("/orders/{order_id}/stream", access=PUBLIC)
async def follow_order(
    order_id: UUID, caller: Caller, after: ResumeAfter
) -> Feed[TimelineEntry]:
    """Follow an order: its timeline so far, then each change as it happens.

    Server-sent events named `status`; the `id` is the order's version, the `data` an
    entry of the timeline. A connection that says `Last-Event-ID` gets exactly what
    came after. Who may read the order may follow it; a guest by `X-Order-Token`. A
    browser's EventSource, which sends no headers, may bring the tokens as the cookies
    `souk_access` and `souk_order`. A comment comes every 15 seconds. The stream ends
    with the access token, with the session, and after an hour.
    """
    viewer = viewer_of(caller)

    async def look(after: int | None) -> Sequence[Line]:
        lines: list[Line] = []
        position: int | None = after or 0
        while position is not None and len(lines) < LINES_MAX:
            query = GetTimelineAfter(
                order_id=order_id, viewer=viewer, after=position, limit=LINES_MAX
            )
            page = await ask(query)
            lines += [Line(entry.version, "status", entry) for entry in page.items]
            position = None if page.next_cursor is None else int(page.next_cursor)
        return lines

    return Feed(_KIND, order_id, look, after)
