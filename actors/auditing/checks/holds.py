"""Holds: what inventory keeps for orders, and what orders believe it keeps."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Finding
from actors.auditing.checks.orders import PAID
from actors.auditing.rows import Hold, Line, many, one

OPEN = frozenset({"HELD", "COMMITTED"})
ENDED = frozenset({"RELEASED", "MOVED"})
OVERDUE_SECONDS_MAX = 30.0


def parts_of(hold: Hold) -> dict[UUID, int]:
    """How many pieces each warehouse gives."""
    return msgspec.json.decode(hold.parts, type=dict[UUID, int])


def order_held(books: Books) -> Iterator[Finding]:
    """An order that stands has every line's pieces sold to it."""
    yield from _held(books, PAID, "COMMITTED")


def order_pending_held(books: Books) -> Iterator[Finding]:
    """An order that waits for its money has every line's pieces held."""
    yield from _held(books, frozenset({"PENDING"}), "HELD")


def order_cancelled_free(books: Books) -> Iterator[Finding]:
    """A cancelled order holds nothing."""
    cancelled = {order.id for order in books.orders if order.status == "CANCELLED"}
    for hold in books.holds:
        if hold.order_id in cancelled and hold.state in OPEN:
            yield _ids(hold), f"CANCELLED, and {hold.state}"


def hold_of_order(books: Books) -> Iterator[Finding]:
    """Every hold is for a line of an order or of a transfer, or ends by the clock.

    A timed hold that was refused leaves what stops a late one: it never held a piece.
    """
    known = {(line.order_id, line.sku) for line in books.lines}
    known |= {(timed.hold_id, timed.sku) for timed in books.timed_holds}
    known |= {
        (transfer.id, sku)
        for transfer in books.transfers
        for sku in msgspec.json.decode(transfer.lines)
    }
    for hold in books.holds:
        stop = hold.state == "RELEASED" and not hold.quantity
        if not stop and (hold.order_id, hold.sku) not in known:
            yield _ids(hold), f"{hold.state} for no order's line"


def hold_parts(books: Books) -> Iterator[Finding]:
    """A hold's parts and what has shipped of it are its quantity; freed: nothing."""
    for hold in books.holds:
        parts = sum(parts_of(hold).values())
        if hold.state not in (*OPEN, *ENDED):
            yield _ids(hold), f"state {hold.state}"
        elif hold.state in ENDED and parts:
            yield _ids(hold), f"{hold.state} with {parts} pieces"
        elif hold.state in OPEN and parts + hold.shipped != hold.quantity:
            shipped = hold.shipped
            yield _ids(hold), f"{parts} held and {shipped} shipped of {hold.quantity}"


def hold_in_time(books: Books) -> Iterator[Finding]:
    """A hold that ends by the clock has ended, or was sold, when its time is up."""
    holds = one(books.holds, lambda hold: (hold.order_id, hold.sku))
    old = books.now - timedelta(seconds=OVERDUE_SECONDS_MAX)
    for timed in books.timed_holds:
        hold = holds.get((timed.hold_id, timed.sku))
        if hold is not None and hold.state == "HELD" and timed.expires_at < old:
            yield _ids(hold), f"HELD, and its time was {timed.expires_at}"


def hold_shipped(books: Books) -> Iterator[Finding]:
    """What orders call shipped has left, by line, by parcel and by movement."""
    holds = one(books.holds, lambda hold: (hold.order_id, hold.sku))
    gone: Counter[tuple[UUID | None, str]] = Counter()
    for move in books.movements:
        if move.kind == "SHIP":
            key = (move.order_id, move.sku)
            gone[key] += move.on_hand_before - move.on_hand_after
    packed: Counter[tuple[UUID, str]] = Counter()
    for order in books.orders:
        for parcel in msgspec.json.decode(order.shipments):
            for sku, pieces in parcel["items"].items():
                packed[order.id, sku] += pieces
    for line in books.lines:
        line_key = (line.order_id, line.sku)
        hold = holds.get(line_key)
        left = hold.shipped if hold else 0
        counts = {line.shipped, packed[line_key], left, gone[line_key]}
        if len(counts) > 1 or not line.delivered <= line.shipped <= line.quantity:
            elsewhere = f"parcels {packed[line_key]}, hold {left}"
            detail = f"{elsewhere}, movements {gone[line_key]}"
            said = f"line {line.shipped}, delivered {line.delivered}"
            yield f"{line.order_id} {line.sku}", f"{said}, {detail}"


def _held(books: Books, statuses: frozenset[str], state: str) -> Iterator[Finding]:
    lines: dict[UUID, list[Line]] = many(books.lines, lambda line: line.order_id)
    holds = one(books.holds, lambda hold: (hold.order_id, hold.sku))
    for order in books.orders:
        if order.status not in statuses:
            continue
        for line in lines.get(order.id, []):
            hold = holds.get((order.id, line.sku))
            if hold is None or hold.state != state or hold.quantity != line.quantity:
                has = f"{hold.state} {hold.quantity}" if hold else "nothing"
                wanted = f"{state} {line.quantity}"
                ids = f"{order.id} {line.sku}"
                yield ids, f"{order.status} needs {wanted}, has {has}"


def _ids(hold: Hold) -> str:
    return f"{hold.order_id} {hold.sku}"
