"""What the tests of orders share: a shop with fakes, and what they ask of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bus.inventory import AdjustStock, GetStock
from bus.kit.refusals import Refusal
from bus.orders import GetCart, GetOrder, GetTimeline, OrderView, Viewer
from tests.orders.fakes import reset

DOMAINS = ("orders", "inventory", "products", "payments")
ADMIN = Viewer(role="ADMIN")
NOW_DUE = "UPDATE due SET at = now() WHERE name = $1"


@asynccontextmanager
async def selling(
    shop: Any, *, shards: int = 1, known: Any = None, **stock: int
) -> AsyncIterator[Any]:
    """A shop whose products and payments are fakes, with stock of some SKUs.

    `known` are fakes of further domains.
    """
    fakes = {**reset(), **(known or {})}
    domains = (*DOMAINS, *(known or {}))
    async with shop(*domains, shards=shards, fakes=fakes) as s:
        for sku, pieces in stock.items():
            await s.ask(AdjustStock(sku=sku, on_hand=pieces, reason="count"))
        yield s


async def cart_of(s: Any, buyer: Any) -> dict[str, int]:
    """The pieces in a cart, by SKU."""
    view = await s.ask(GetCart(buyer=str(buyer)))
    return {line.sku: line.quantity for line in view.items}


async def refused(ask: Any) -> str:
    """The code that a message is refused with."""
    with pytest.raises(Refusal) as no:
        await ask
    return no.value.code


async def come_due(s: Any, name: str) -> None:
    """Let a due message's time come now."""
    await s.rows("orders", NOW_DUE, name)
    for number in range(s.shard_count):
        s.shard("orders", number).timers.expect(0)


async def forget(s: Any, sql: str, *values: Any) -> None:
    """Change rows past the shop, whose shards then read them afresh."""
    await s.rows("orders", sql, *values)
    for number in range(s.shard_count):
        s.shard("orders", number).batches.entities.clear()


async def available(s: Any, sku: str) -> int:
    """How many pieces may be bought."""
    found: int = (await s.ask(GetStock(sku=sku))).available
    return found


async def seen(s: Any, order_id: Any) -> OrderView:
    """An order as an administrator sees it."""
    found: OrderView = await s.ask(GetOrder(order_id=order_id, viewer=ADMIN))
    return found


async def reasons(s: Any, order_id: Any) -> list[str]:
    """Why an order changed, from its first change on."""
    page = await s.ask(GetTimeline(order_id=order_id, viewer=ADMIN))
    return [entry.reason for entry in page.items]


async def eventually(check: Any, seconds: float = 8.0) -> None:
    """Wait for a condition that comes by itself."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await check():
        assert loop.time() < end, "it did not come to pass"
        await asyncio.sleep(0.05)
