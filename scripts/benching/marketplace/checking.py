"""Holds a marketplace's journal against its databases and its stream: the criteria.

Each check is one criterion of the benchmark and finds anomalies of its own kind. What
was not answered may have happened or not; it has to be whole either way.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from scripts.benching.marketplace.data import rank_of
from scripts.benching.marketplace.facts import CANCELLED, STANDS, Line, Order, Stock
from scripts.benching.marketplace.given import Finding, Given, each
from scripts.benching.marketplace.journal import (
    UNKNOWN,
    CheckedOut,
    Dashboard,
    Deleted,
    Journal,
    Stocked,
    Sums,
)
from scripts.benching.marketplace.replicas import replication_order
from scripts.benching.marketplace.telling import event_order

GOOD = frozenset({200, 201})
NOTHING = Sums(orders=0, items=0, amount=0)
ANOMALIES_MAX = 1_000
"""Of one kind; a shop that is that wrong need not be told more."""


class Anomaly(msgspec.Struct, frozen=True):
    """A criterion that does not hold: whom it is about, and how."""

    criterion: str
    ids: str
    detail: str


Check = Callable[[Given], Iterator[Finding]]


def find_anomalies(given: Given) -> list[Anomaly]:
    """All that is wrong, the first ANOMALIES_MAX of each criterion."""
    found: list[Anomaly] = []
    for name, check in CRITERIA.items():
        for (ids, detail), _ in zip(check(given), range(ANOMALIES_MAX), strict=False):
            found.append(Anomaly(name, ids, detail))
    return found


def all_or_nothing(given: Given) -> Iterator[Finding]:
    """A checkout has order, pieces and money of every line, or none of them."""
    orders, checkouts = given.facts.orders, list(each(given.journal, CheckedOut))
    for order in orders.values():
        yield from _half_done(order)
    for entry in checkouts:
        if entry.order_id:
            yield from _otherwise_than_told(entry, orders.get(entry.order_id))
    unknown = sum(entry.status in UNKNOWN for entry in checkouts)
    unheard = sorted(orders.keys() - {entry.order_id for entry in checkouts})
    for order_id in unheard[unknown:]:
        yield order_id, f"is there, and only {unknown} checkouts have no answer"


def integrity(given: Given) -> Iterator[Finding]:
    """Nothing deleted is sold, and no more pieces than there are."""
    yield from _deleted_and_sold(given.journal)
    yield from _stock_that_is_wrong(given)


def consistent_dashboard(given: Given) -> Iterator[Finding]:
    """The totals of a dashboard are the sums of the lines in the same answer.

    At rest they are also what the databases say, however much is in progress.
    """
    really = _in_progress(given)
    for entry in each(given.journal, Dashboard):
        if entry.told is None or entry.summed is None:
            continue
        if entry.twice:
            yield entry.seller_id, f"{entry.twice} lines are shown twice"
        same = entry.told == entry.summed
        if entry.more:
            same = entry.told.items > entry.summed.items and _covers(entry)
        if not same:
            yield entry.seller_id, f"told {entry.told}, lines come to {entry.summed}"
        true = really.get(entry.seller_id, NOTHING)
        if entry.at_rest and entry.told != true:
            yield entry.seller_id, f"told {entry.told} at rest, there are {true}"


def _covers(entry: Dashboard) -> bool:
    """Whether the totals of more than is shown are at least what is shown."""
    told, summed = entry.told, entry.summed
    return (
        told is not None
        and summed is not None
        and told.orders >= summed.orders
        and told.amount >= summed.amount
    )


def _in_progress(given: Given) -> dict[str, Sums]:
    """By seller what the databases have in progress."""
    found: dict[str, list[tuple[str, Line]]] = {}
    for order in given.facts.orders.values():
        for sku, line in order.lines.items():
            if line.in_progress:
                seller = given.sellers[rank_of(sku) % len(given.sellers)]
                found.setdefault(seller, []).append((order.id, line))
    return {
        seller: Sums(
            orders=len({order_id for order_id, _ in lines}),
            items=len(lines),
            amount=sum(line.amount for _, line in lines),
        )
        for seller, lines in found.items()
    }


def _otherwise_than_told(entry: CheckedOut, order: Order | None) -> Iterator[Finding]:
    if order is None:
        if entry.status in GOOD:
            yield entry.order_id, f"answered with {entry.status}, and not there"
        return
    if entry.status not in GOOD:
        if order.status in STANDS and entry.status not in UNKNOWN:
            yield order.id, f"refused as {entry.code}, and is {order.status}"
        return
    if order.status not in STANDS:
        yield order.id, f"answered with {entry.status}, and is {order.status}"
    bought = {sku: line.quantity for sku, line in order.lines.items()}
    if bought != entry.lines:
        yield order.id, f"the cart held {entry.lines}, the order {bought}"


def _half_done(order: Order) -> Iterator[Finding]:
    held = {sku: line.held for sku, line in order.lines.items() if line.held}
    if order.status in STANDS:
        if order.paid != order.amount:
            yield order.id, f"{order.status}, {order.paid} paid of {order.amount}"
        for sku, line in order.lines.items():
            if line.held != line.quantity:
                said = f"{line.held} pieces held of {line.quantity}"
                yield f"{order.id} {sku}", f"{order.status}, {said}"
    elif order.status in (CANCELLED, "REFUNDED"):
        if order.paid:
            yield order.id, f"{order.status}, and {order.paid} of its money kept"
        if held and order.status == CANCELLED:
            yield order.id, f"{order.status}, and holds {held}"
    else:
        yield order.id, f"is {order.status}, neither done nor undone"


def _deleted_and_sold(journal: Journal) -> Iterator[Finding]:
    gone = {
        entry.sku: entry.ended
        for entry in each(journal, Deleted)
        if entry.status == 204
    }
    for entry in each(journal, CheckedOut):
        if entry.status not in GOOD:
            continue
        for sku in entry.lines:
            if sku in gone and entry.begun > gone[sku]:
                late = entry.begun - gone[sku]
                yield f"{entry.order_id} {sku}", f"ordered {late:.3f} s after deletion"


def _stock_that_is_wrong(given: Given) -> Iterator[Finding]:
    pieces = Counter({sku: first.pieces for sku, first in given.opening.items()})
    unsure: set[str] = set()
    for entry in each(given.journal, Stocked):
        if entry.status in GOOD:
            pieces[entry.sku] += entry.pieces
        elif entry.status in UNKNOWN:
            unsure.add(entry.sku)
    sold, shipped = _left(given.facts.orders.values())
    stock = given.facts.stock
    for sku in sorted((sold.keys() | stock.keys()) - unsure):
        if wrong := _miscounted(stock.get(sku), pieces[sku], sold[sku], shipped[sku]):
            yield sku, wrong


def _left(orders: Iterable[Order]) -> tuple[Counter[str], Counter[str]]:
    """By SKU the pieces that are sold, and those of them that have shipped."""
    sold: Counter[str] = Counter()
    shipped: Counter[str] = Counter()
    for order in orders:
        if order.status != CANCELLED:
            for sku, line in order.lines.items():
                sold[sku] += line.quantity
                shipped[sku] += line.shipped
    return sold, shipped


def _miscounted(row: Stock | None, pieces: int, sold: int, shipped: int) -> str | None:
    """What is wrong with a SKU's stock; None: nothing."""
    if sold > pieces:
        return f"{sold} pieces are sold of {pieces}"
    if row is None:
        return f"{sold} pieces are sold of a SKU without stock"
    if not 0 <= row.reserved <= row.on_hand:
        return f"{row.reserved} reserved of {row.on_hand} pieces"
    if row.on_hand + shipped != pieces:
        return f"{row.on_hand} on hand and {shipped} shipped of {pieces}"
    if row.reserved + shipped != sold:
        return f"{row.reserved} reserved and {shipped} shipped of {sold} sold"
    return None


CRITERIA: dict[str, Check] = {
    "all-or-nothing checkout": all_or_nothing,
    "replication order": replication_order,
    "event order": event_order,
    "integrity": integrity,
    "consistent dashboard": consistent_dashboard,
}
