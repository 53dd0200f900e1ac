"""Stock: within its bounds, the sum of its movements, and of what is promised."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from actors.auditing.books import Books, Finding
from actors.auditing.checks.holds import OPEN, parts_of
from actors.auditing.rows import Movement, Stock, Transfer, many, one

Place = tuple[str, UUID]
FINE, LOW, OUT = range(3)


def stock_bounds(books: Books) -> Iterator[Finding]:
    """0 ≤ reserved ≤ on_hand, everywhere."""
    for row in books.stock:
        if not 0 <= row.reserved <= row.on_hand:
            ids = f"{row.sku} {row.warehouse_id}"
            yield ids, f"reserved {row.reserved}, on hand {row.on_hand}"


def stock_movements(books: Books) -> Iterator[Finding]:
    """The movements, replayed from zero in their order, give every stock row."""
    stock = one(books.stock, lambda row: (row.sku, row.warehouse_id))
    moves = many(books.movements, lambda move: (move.sku, move.warehouse_id))
    for place in sorted(stock.keys() | moves.keys()):
        row = stock.get(place)
        end = (row.version, row.on_hand, row.reserved) if row else (0, 0, 0)
        reached, problem = _replay(moves.get(place, []))
        if problem is None and reached != end:
            problem = f"movements end at {reached}, the row is {end}"
        if problem:
            yield f"{place[0]} {place[1]}", problem


def stock_reserved(books: Books) -> Iterator[Finding]:
    """What is reserved is the sum of what the open holds take."""
    held: Counter[Place] = Counter()
    for hold in books.holds:
        if hold.state in OPEN:
            for warehouse_id, pieces in parts_of(hold).items():
                held[hold.sku, warehouse_id] += pieces
    reserved = {(row.sku, row.warehouse_id): row.reserved for row in books.stock}
    for place in sorted(reserved.keys() | held.keys()):
        if reserved.get(place, 0) != held[place]:
            detail = f"reserved {reserved.get(place, 0)}, holds {held[place]}"
            yield f"{place[0]} {place[1]}", detail


def stock_level(books: Books) -> Iterator[Finding]:
    """What was last told of a SKU is how much of it there is.

    Not where it moves just now, which is not told, nor where a warehouse was closed,
    whose threshold counts until the next movement.
    """
    moving = {transfer.id for transfer in books.transfers if _under_way(transfer)}
    apart = {hold.sku for hold in books.holds if hold.order_id in moving}
    closed = _closed(books)
    apart |= {row.sku for row in books.stock if row.warehouse_id in closed}
    told = {level.sku: level.told for level in books.levels}
    for sku, rows in many(books.stock, lambda row: row.sku).items():
        level = _level(rows)
        if sku not in apart and told.get(sku, OUT) != level:
            yield sku, f"told {told.get(sku, OUT)}, is {level}"


def warehouse_closed_empty(books: Books) -> Iterator[Finding]:
    """Nothing lies in a warehouse that is closed."""
    closed = _closed(books)
    for row in books.stock:
        if row.warehouse_id in closed and (row.on_hand or row.reserved):
            ids = f"{row.sku} {row.warehouse_id}"
            yield ids, f"closed with {row.on_hand} on hand, {row.reserved} reserved"


def _closed(books: Books) -> set[UUID]:
    return {house.id for house in books.warehouses if house.closed_at is not None}


def _level(rows: list[Stock]) -> int:
    available = sum(row.on_hand - row.reserved for row in rows)
    if available <= 0:
        return OUT
    return LOW if available <= max(row.threshold for row in rows) else FINE


def _under_way(transfer: Transfer) -> bool:
    return transfer.status == "IN_TRANSIT"


def _replay(moves: list[Movement]) -> tuple[tuple[int, int, int], str | None]:
    """(version, on_hand, reserved) at the end, and what breaks on the way."""
    at = (0, 0, 0)
    for move in sorted(moves, key=lambda one: one.version):
        before = (move.version - 1, move.on_hand_before, move.reserved_before)
        if before != at:
            return at, f"movement {move.version} begins at {before}, not at {at}"
        at = (move.version, move.on_hand_after, move.reserved_after)
    return at, None
