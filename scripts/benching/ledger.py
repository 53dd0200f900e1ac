"""What both databases say of a SKU in a sale: once at rest, or again and again."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from scripts.auditing.place import Place
from scripts.benching.costs import CONNECT_SECONDS_MAX, STATEMENT_SECONDS_MAX

LOOK_SECONDS = 0.05
LOOKS_MAX = 2_000

_SOLD = """SELECT
    coalesce(sum(quantity) FILTER (WHERE orders.status <> 'CANCELLED'), 0)::bigint,
    count(*) FILTER (WHERE orders.status = 'CANCELLED'),
    count(*) FILTER (WHERE orders.status = 'PENDING')
  FROM order_lines JOIN orders ON orders.id = order_id WHERE sku = $1"""
_STOCK = """SELECT sum(on_hand)::bigint, sum(reserved)::bigint FROM stock
  WHERE sku = $1"""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What the databases say of a SKU: pieces sold, orders cancelled, stock left."""

    sold: int
    cancelled: int
    pending: int
    on_hand: int
    reserved: int

    @property
    def confirmed(self) -> int:
        """Sold for good: an order of a sale has one piece, and a pending one may fall.

        Who has ordered waits as pending until inventory has said yes or no, so in the
        middle of a sale more pieces are in orders than there are.
        """
        return self.sold - self.pending


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger in the middle of a sale; the two databases are not one moment.

    `at_seconds` is since the epoch, or since the sale began.
    """

    at_seconds: float
    ledger: Ledger

    def since(self, begun_at: float) -> "Look":
        """The same, in seconds since the sale began."""
        return Look(at_seconds=self.at_seconds - begun_at, ledger=self.ledger)


async def read_ledger(place: Place, sku: str) -> Ledger:
    """Both databases' word on a SKU, when nothing is under way any more."""
    async with _sessions(place) as (orders, inventory):
        return await _ledger(orders, inventory, sku)


@asynccontextmanager
async def watching(place: Place, sku: str, *, look: bool) -> AsyncIterator[list[Look]]:
    """Looks into both while the context lasts: at most LOOKS_MAX, evenly spread."""
    found: list[Look] = []
    if not look:
        yield found
        return
    async with _sessions(place) as (orders, inventory):
        looking = asyncio.create_task(_look_on(orders, inventory, sku, found))
        try:
            yield found
        finally:
            looking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await looking


async def _look_on(orders: Any, inventory: Any, sku: str, found: list[Look]) -> None:
    pause = LOOK_SECONDS
    while True:
        ledger = await _ledger(orders, inventory, sku)
        found.append(Look(at_seconds=time.time(), ledger=ledger))
        if len(found) == LOOKS_MAX:  # every second one is enough of a longer sale
            del found[1::2]
            pause *= 2
        await asyncio.sleep(pause)


async def _ledger(orders: Any, inventory: Any, sku: str) -> Ledger:
    sold, cancelled, pending = await orders.fetchrow(_SOLD, sku)
    on_hand, reserved = await inventory.fetchrow(_STOCK, sku)
    return Ledger(
        sold=sold,
        cancelled=cancelled,
        pending=pending,
        on_hand=on_hand,
        reserved=reserved,
    )


@asynccontextmanager
async def _sessions(place: Place) -> AsyncIterator[tuple[Any, Any]]:
    """A session with orders' database and one with inventory's."""
    async with contextlib.AsyncExitStack() as stack:
        opened = []
        for domain in ("orders", "inventory"):
            session = await asyncpg.connect(
                place.urls[domain],
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=STATEMENT_SECONDS_MAX,
            )
            stack.push_async_callback(session.close)
            opened.append(session)
        yield opened[0], opened[1]
