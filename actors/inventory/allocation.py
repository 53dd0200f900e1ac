"""Which warehouses give the pieces that are promised: one table of pure rules."""

from collections.abc import Callable, Iterable
from uuid import UUID

from persistence.inventory import Shelf, Stock

Parts = dict[UUID, int]
Rule = Callable[[Stock, int], Parts | None]


def priority(stock: Stock, quantity: int) -> Parts | None:
    """The first warehouse that has all gives all; else they give in their order."""
    return _whole(stock.rows, quantity) or _in_turn(stock.rows, quantity)


def most_stock(stock: Stock, quantity: int) -> Parts | None:
    """Who has most gives first, so that the warehouses empty evenly."""
    return _in_turn(_fullest_first(stock), quantity)


def fewest_parcels(stock: Stock, quantity: int) -> Parts | None:
    """As few warehouses as can be; of several that have all, the first.

    Where none has all, the fullest first: no other choice needs fewer.
    """
    fullest = _fullest_first(stock)
    return _whole(stock.rows, quantity) or _in_turn(fullest, quantity)


RULES: dict[str, Rule] = {
    "priority": priority,
    "most_stock": most_stock,
    "fewest_parcels": fewest_parcels,
}
"""`SOUK_ALLOCATION` → the rule; None where there are too few pieces in all.

A warehouse comes before another by its priority, then by its id; so do those that
have the same number of pieces.
"""


def allocate(stock: Stock, quantity: int, rule: str = "priority") -> Parts | None:
    """Which warehouses give how many pieces; None when there are too few."""
    return RULES[rule](stock, quantity)


def _fullest_first(stock: Stock) -> list[Shelf]:
    return sorted(stock.rows, key=lambda row: -row.available)


def _whole(rows: Iterable[Shelf], quantity: int) -> Parts | None:
    for row in rows:
        if row.available >= quantity:
            return {row.warehouse_id: quantity}
    return None


def _in_turn(rows: Iterable[Shelf], quantity: int) -> Parts | None:
    parts: Parts = {}
    left = quantity
    for row in rows:
        if (taken := min(row.available, left)) > 0:
            parts[row.warehouse_id] = taken
            left -= taken
    return parts if left == 0 else None
