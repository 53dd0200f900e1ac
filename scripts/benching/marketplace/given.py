"""What a checker is given: what a run started from, its journal, and the facts."""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from scripts.benching.marketplace.facts import Facts
from scripts.benching.marketplace.journal import Entry, Journal

Finding = tuple[str, str]
"""The ids that an anomaly is about, and what is wrong with them."""

Kind = TypeVar("Kind", bound=Entry)


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU that was there at first: its price in minor units, and its pieces."""

    price: int
    pieces: int


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """A run of a marketplace, when nothing is under way any more.

    `sellers` are their ids: the n-th has each rank that leaves n when divided by their
    number.
    """

    sellers: tuple[str, ...]
    opening: dict[str, Opening]
    journal: Journal
    facts: Facts


def each(journal: Journal, kind: type[Kind]) -> Iterator[Kind]:
    """The entries of one kind, in their order."""
    return (entry for entry in journal if isinstance(entry, kind))
