"""Replication order: what a cart shows of a product never goes back in time."""

from collections.abc import Iterator

import msgspec

from scripts.benching.marketplace.given import Finding, Given, each
from scripts.benching.marketplace.journal import (
    UNKNOWN,
    Added,
    CheckedOut,
    Listed,
    Repriced,
)

CLOCK_SECONDS = 0.001
"""Two processes' readings of the one clock are no closer than this."""


class Set(msgspec.Struct, frozen=True):
    """When a price of a SKU was asked for, and its place among its prices."""

    place: int
    begun: float
    unsure: bool = False


def replication_order(given: Given) -> Iterator[Finding]:
    """A cart never shows a product's older price after a newer one, nor a made-up one.

    A SKU has each price once, so the price tells its product's version. Where an update
    was not answered nobody knows when it took place: such a price proves nothing.
    """
    prices = prices_of(given)
    newest: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in _shown(given):
        for line in entry.shown:
            found = prices.get(line.sku, {}).get(line.price)
            ids = f"{entry.buyer} {line.sku}"
            if found is None:
                yield ids, f"shows {line.price}, which was never its price"
                continue
            if found.begun > entry.ended + CLOCK_SECONDS:
                yield ids, f"shows {line.price} before it was asked for"
            if found.unsure:
                continue
            place, price = newest.get((entry.buyer, line.sku), (-1, 0))
            if found.place < place:
                yield ids, f"shows {line.price} again after the newer {price}"
            else:
                newest[entry.buyer, line.sku] = found.place, line.price


def prices_of(given: Given) -> dict[str, dict[int, Set]]:
    """All prices of each SKU, in the order in which its one seller asked for them."""
    found = {sku: {first.price: Set(0, 0.0)} for sku, first in given.opening.items()}
    entries: list[Listed | Repriced] = [
        *each(given.journal, Listed),
        *each(given.journal, Repriced),
    ]
    for entry in sorted(entries, key=lambda entry: entry.begun):
        mine = found.setdefault(entry.sku, {})
        unsure = entry.status in UNKNOWN
        if unsure or entry.version:
            mine[entry.price] = Set(len(mine), entry.begun, unsure)
    return found


def _shown(given: Given) -> list[Added | CheckedOut]:
    """What carts and orders showed, in the order in which each buyer asked."""
    entries: list[Added | CheckedOut] = [
        *each(given.journal, Added),
        *each(given.journal, CheckedOut),
    ]
    return sorted(entries, key=lambda entry: entry.begun)
