"""Any participant is killed at any commit of an order: it settles, and books agree.

A real bank takes the money: what it took, and what our books say, agree after each
kill of orders, inventory or payments.
"""

import asyncio
import itertools

import pytest

from bus.kit.addressing import new_id
from bus.orders import CancelOrder
from scripts.embedded.postgres import Postgres
from tests.contention.doom import walk
from tests.contention.market import ADMIN, Market, open_market
from tests.kit.local import Databases
from tests.payments.support import until

PIECES = 500
SETTLED_SECONDS_MAX = 30.0
WAYS: dict[str, tuple[tuple[int, ...], str, bool]] = {
    "paid": ((2, 1), "tok_visa", False),
    "cancelled": ((2, 1), "tok_visa", True),
    "declined": ((2, 1), "tok_declined", False),
    "short": ((2, 999), "tok_visa", False),
    "unknown": ((2, 1), "tok_timeout", False),
    "settled-later": ((2, 1), "tok_pending_200", False),
    "cancelled-unpaid": ((2, 1), "tok_pending_200", True),
}
"""Way → pieces of each line, the token, and whether it is cancelled then."""

FAST = {("payments", "cancelled", 1, "after")}


WALKS = [
    pytest.param(
        *walk_of,
        id="-".join(map(str, walk_of)),
        marks=() if walk_of in FAST else pytest.mark.full,
    )
    for walk_of in itertools.product(
        ("orders", "inventory", "payments"), WAYS, (1, 3), ("before", "after")
    )
    if walk_of[:2] != ("payments", "short")  # what is short is never charged
]
"""Every participant, way, number of shards, and side of its commits."""


@pytest.mark.parametrize(("domain", "way", "shards", "side"), WALKS)
async def test_an_order_settles_whoever_is_killed_at_any_commit(
    postgres: Postgres,
    databases: Databases,
    domain: str,
    way: str,
    shards: int,
    side: str,
) -> None:
    quantities, token, cancels = WAYS[way]
    async with open_market(postgres, databases, shards) as market:
        skus = await market.goods(PIECES, PIECES, shards=(0, 1))
        lines = tuple(zip(skus, quantities, strict=True))

        async def act() -> None:
            await buy(market, lines, token, cancels=cancels)

        places = await walk(market, domain, act, after=side == "after")
        assert places >= 2


async def buy(
    market: Market, lines: tuple[tuple[str, int], ...], token: str, *, cancels: bool
) -> None:
    """One buyer, who may think better of it."""
    async with asyncio.timeout(SETTLED_SECONDS_MAX):
        placed = await market.buy(*lines, token=token, join=True)
        if cancels:
            message = CancelOrder(order_id=placed.order_id, viewer=ADMIN)
            await market.ask(message, id=new_id(placed.order_id), join=True)
        else:
            await until(lambda: settled(market), SETTLED_SECONDS_MAX)


async def settled(market: Market) -> bool:
    """Whether no order waits for its money any more; it hears what is told."""
    await market.shop.deliver(0.02)
    sql = "SELECT count(*) AS n FROM orders WHERE status = 'PENDING'"
    (row,) = await market.shop.rows("orders", sql)
    return bool(row["n"] == 0)
