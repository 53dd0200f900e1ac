"""Movements: numbered without a gap, explained, and those of a transfer whole."""

from collections import Counter
from collections.abc import Callable, Iterator
from uuid import UUID

import msgspec

from actors.auditing.books import Books, Finding
from actors.auditing.rows import Movement, many

Sign = Callable[[int, int], bool]

KINDS: dict[str, Sign] = {
    "ADJUST": lambda _, promised: promised == 0,
    "THRESHOLD": lambda pieces, promised: pieces == promised == 0,
    "RESERVE": lambda pieces, promised: pieces == 0 < promised,
    "RELEASE": lambda pieces, promised: promised < 0 == pieces,
    "SHIP": lambda pieces, promised: pieces == promised < 0,
    "TRANSFER_OUT": lambda pieces, promised: pieces < 0 and promised in (0, pieces),
    "TRANSFER_IN": lambda pieces, promised: promised == 0 < pieces,
}
"""What each kind may do to the pieces on hand and to those promised."""

PROMISES = frozenset({"RESERVE", "RELEASE"})


def movement_numbered(books: Books) -> Iterator[Finding]:
    """A SKU's movements are numbered from 1 on, as they were committed."""
    for sku, moves in many(books.movements, lambda move: move.sku).items():
        numbers = sorted(move.number for move in moves)
        if numbers != list(range(1, len(numbers) + 1)):
            yield sku, f"{len(numbers)} movements, numbered up to {numbers[-1]}"


def movement_explained(books: Books) -> Iterator[Finding]:
    """Every movement says why, and for whom, and does what its kind says."""
    for move in books.movements:
        if problem := _unexplained(move):
            yield f"{move.sku} {move.number}", f"{move.kind}: {problem}"


def transfer_whole(books: Books) -> Iterator[Finding]:
    """A transfer took out and put in all of every line, or nothing."""
    moved: Counter[tuple[UUID, str, UUID]] = Counter()
    transfers = {transfer.id for transfer in books.transfers}
    for move in books.movements:
        if move.kind.startswith("TRANSFER_") and move.transfer_id is not None:
            key = (move.transfer_id, move.sku, move.warehouse_id)
            moved[key] += move.on_hand_after - move.on_hand_before
            if move.transfer_id not in transfers:
                yield f"{move.sku} {move.number}", "of no transfer that there is"
    for transfer in books.transfers:
        for sku, n in msgspec.json.decode(transfer.lines, type=dict[str, int]).items():
            out = moved[transfer.id, sku, transfer.from_warehouse_id]
            into = moved[transfer.id, sku, transfer.to_warehouse_id]
            wanted = n if transfer.status == "COMPLETED" else 0
            under_way = transfer.status == "IN_TRANSIT" and into in (0, n)
            if out != -into or not (into == wanted or under_way):
                detail = f"{transfer.status}: {n} wanted, {-out} out, {into} in"
                yield f"{transfer.id} {sku}", detail


def _unexplained(move: Movement) -> str | None:
    if move.kind not in KINDS:
        return "no such kind"
    pieces = move.on_hand_after - move.on_hand_before
    if not KINDS[move.kind](pieces, move.reserved_after - move.reserved_before):
        return "changes what it may not"
    if not move.reason:
        return "no reason"
    if move.kind.startswith("TRANSFER_") and move.transfer_id is None:
        return "of no transfer"
    if move.kind == "SHIP" and move.order_id is None:
        return "for no order"
    if move.kind in PROMISES and (move.order_id is None) == (move.transfer_id is None):
        return "promised to nobody"
    return None
