"""The harness sees what it is there to see: a deadlock, and books that disagree."""

import asyncio
import contextlib

import asyncpg

from bus.inventory import AdjustStock
from scripts.embedded.postgres import Postgres
from tests.contention import books
from tests.contention.market import open_market
from tests.kit.local import Databases, local_shop


async def test_a_deadlock_is_counted(databases: Databases) -> None:
    url = await databases.fresh("inventory", 1)
    try:
        assert await books.deadlocks(databases.superuser_url, [url]) == 0
        await _deadlock(url.rsplit("/", 1)[1], databases.superuser_url)
        assert await books.deadlocks(databases.superuser_url, [url]) == 1
    finally:
        await databases.drop(url)


async def test_a_piece_that_nobody_moved_is_found(databases: Databases) -> None:
    async with local_shop(databases, "inventory") as shop:
        await shop.ask(AdjustStock(sku="A", on_hand=5, reason="count"))
        await books.rest(shop)
        assert await books.violations(shop, None) == []
        await shop.rows("inventory", "UPDATE stock SET on_hand = 6")
        (found,) = await books.violations(shop, None)
        assert found.check == "stock-movements"


async def test_a_batch_that_the_server_gives_up_is_noted(
    postgres: Postgres, databases: Databases
) -> None:
    async with open_market(postgres, databases, 1) as market:
        batches = market.shop.shard("inventory").batches
        run, fails = batches._run_connected, [True]

        async def failing(items: object) -> None:
            if fails.pop() if fails else False:
                raise asyncpg.DeadlockDetectedError("planted")
            await run(items)  # type: ignore[arg-type]

        batches._run_connected = failing  # type: ignore[method-assign]
        await market.goods(5)
        assert market.retried == ["inventory.adjust_stock"]


async def _deadlock(name: str, superuser_url: str) -> None:
    """Two sessions that wait for each other; the server breaks it at once."""
    url = f"{superuser_url.rsplit('/', 1)[0]}/{name}"
    settings = {"deadlock_timeout": "10ms"}
    one, two = [await asyncpg.connect(url, server_settings=settings) for _ in "12"]
    try:
        lock = "SELECT pg_advisory_xact_lock($1)"
        begun = [connection.transaction() for connection in (one, two)]
        for transaction in begun:
            await transaction.start()
        await one.execute(lock, 1)
        await two.execute(lock, 2)
        ends = await asyncio.gather(
            one.execute(lock, 2), two.execute(lock, 1), return_exceptions=True
        )
        assert sorted(type(end).__name__ for end in ends) == [
            *("DeadlockDetectedError", "str")
        ]
    finally:
        for connection in (one, two):
            with contextlib.suppress(asyncpg.PostgresError):
                await connection.close()
