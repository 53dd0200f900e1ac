"""Sellers: what they are told to have in progress is what their lines come to."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from actors.auditing.books import Books, Finding
from bus.kit.addressing import slot_of

Place = tuple[UUID, int]


def seller_totals(books: Books) -> Iterator[Finding]:
    """A seller's sums are those of the lines in progress, slot by slot."""
    orders: dict[Place, set[UUID]] = {}
    lines: Counter[Place] = Counter()
    amounts: Counter[Place] = Counter()
    for line in books.lines:
        if line.in_progress and line.seller_id is not None:
            place = (line.seller_id, slot_of(line.order_id))
            orders.setdefault(place, set()).add(line.order_id)
            lines[place] += 1
            amounts[place] += line.quantity * line.unit_amount
    kept = {(it.seller_id, it.slot): it for it in books.seller_totals}
    for place in sorted(kept.keys() | orders.keys()):
        row = kept.get(place)
        told = (row.orders, row.lines, row.amount) if row else (0, 0, 0)
        counted = (len(orders.get(place, ())), lines[place], amounts[place])
        if told != counted:
            yield f"{place[0]} slot {place[1]}", f"{told}, its lines come to {counted}"
