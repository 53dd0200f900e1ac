"""Stock: within its bounds, the sum of its movements, and of what is promised."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from scripts.auditing.books import Books, Finding
from scripts.auditing.checks.holds import OPEN, parts_of
from scripts.auditing.rows import Movement, many, one

Place = tuple[str, UUID]


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


def _replay(moves: list[Movement]) -> tuple[tuple[int, int, int], str | None]:
    """(version, on_hand, reserved) at the end, and what breaks on the way."""
    at = (0, 0, 0)
    for move in sorted(moves, key=lambda one: one.version):
        before = (move.version - 1, move.on_hand_before, move.reserved_before)
        if before != at:
            return at, f"movement {move.version} begins at {before}, not at {at}"
        at = (move.version, move.on_hand_after, move.reserved_after)
    return at, None
