"""Event order: each order is told cause before effect, without a gap."""

from collections.abc import Iterator

from actors.auditing.rows import many
from scripts.benching.marketplace.facts import CANCELLED, STANDS, Order, Told
from scripts.benching.marketplace.given import Finding, Given

PLACED, CONFIRMED = "orders.order_placed", "orders.order_confirmed"
SHIPPED, DELIVERED = "orders.order_shipped", "orders.order_delivered"
UNDONE = "orders.order_cancelled"
RESERVED, COMMITTED = "inventory.stock_reserved", "inventory.stock_committed"
PAID, HELD = "payments.payment_succeeded", "payments.payment_authorized"

Causes = tuple[tuple[str, ...], ...]

AFTER: dict[str, Causes] = {
    RESERVED: ((PLACED,),),
    COMMITTED: ((RESERVED,), (CONFIRMED,)),
    PAID: ((PLACED,), (RESERVED,)),
    HELD: ((PLACED,), (RESERVED,)),
    CONFIRMED: ((PLACED,), (RESERVED,), (PAID, HELD)),
    UNDONE: ((PLACED,),),
    SHIPPED: ((PLACED,), (CONFIRMED,), (PAID, HELD)),
    DELIVERED: ((PLACED,), (CONFIRMED,), (SHIPPED,)),
}
"""What is told of an order before each event of it: one of each of these."""


def event_order(given: Given) -> Iterator[Finding]:
    """Order, hold, payment, confirmation, shipment and delivery come in this order.

    Within an entity by the stream's own order and the entity's numbers; between
    entities, whose events are published side by side, by the times of the events.
    """
    told = sorted(given.facts.told, key=lambda event: event.place)
    for (domain, subject), events in many(told, _entity).items():
        yield from _out_of_sequence(f"{domain} {subject}", events)
    by_order = many(told, lambda event: event.order_id)
    for order_id, events in by_order.items():
        yield from _out_of_order(order_id, events)
    for order in given.facts.orders.values():
        yield from _untold(order, {event.kind for event in by_order.get(order.id, [])})


def _entity(event: Told) -> tuple[str, str]:
    return event.kind.partition(".")[0], event.subject


def _out_of_sequence(ids: str, events: list[Told]) -> Iterator[Finding]:
    """Numbers that go back, or of an order's own events: that leave one out.

    What comes again is no anomaly: delivery is at least once.
    """
    last = 0
    seen: set[int] = set()
    for event in events:
        if event.sequence in seen:
            continue
        seen.add(event.sequence)
        if event.sequence < last or (
            event.kind.startswith("orders.") and event.sequence != last + 1
        ):
            yield ids, f"event {event.sequence} comes after {last}"
        last = max(last, event.sequence)


def _out_of_order(order_id: str, events: list[Told]) -> Iterator[Finding]:
    first: dict[str, Told] = {}
    for event in events:
        first.setdefault(event.kind, event)
    for event in events:
        for kinds in AFTER.get(event.kind, ()):
            causes = [first[kind] for kind in kinds if kind in first]
            if not causes:
                yield order_id, f"{event.kind} without {' or '.join(kinds)}"
            elif not any(_before(cause, event) for cause in causes):
                yield order_id, f"{event.kind} before {' or '.join(kinds)}"


def _before(cause: Told, effect: Told) -> bool:
    if _entity(cause) == _entity(effect):
        return cause.place < effect.place
    return cause.at <= effect.at


def _untold(order: Order, kinds: set[str]) -> Iterator[Finding]:
    wanted = {PLACED}
    if order.status in STANDS:
        wanted |= {RESERVED, CONFIRMED}
    if order.status == "DELIVERED":
        wanted |= {SHIPPED, DELIVERED}
    if order.status == CANCELLED:
        wanted |= {UNDONE}
    if missing := sorted(wanted - kinds):
        yield order.id, f"{order.status}, and never told: {', '.join(missing)}"
