"""A server of the shop is killed: the keeper starts it again, and nothing is lost."""

import asyncio
import os
import signal
from collections import Counter

import pytest

from scripts.embedded.process import Identity
from tests.e2e import books
from tests.e2e.conftest import MakePerson
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

ORDERS = 60
AT_ONCE = 8
KILL_AFTER = 20
BUYERS = 4
STOCK = 500
AGAIN_SECONDS_MAX = 60

pytestmark = pytest.mark.full


@pytest.mark.parametrize("server", ["nats", "postgres", "bank"])
async def test_a_killed_server_is_started_again_and_nothing_is_lost(
    live_shop: LiveShop, customer: MakePerson, keeper: Person, server: str
) -> None:
    sku = await new_goods(keeper, stock=STOCK, amount=300)
    crowd = Crowd([await customer() for _ in range(BUYERS)])
    killed = Identity(**live_shop.run["processes"][server])

    async def kill() -> None:
        await crowd.reached(KILL_AFTER)
        os.kill(killed.pid, signal.SIGKILL)
        assert len(crowd.answers) < ORDERS

    async def again() -> bool:
        found = Identity(**live_shop.run["processes"][server])
        return found != killed and found.alive()

    await asyncio.gather(crowd.buy(ORDERS, AT_ONCE, lambda _: [(sku, 1)]), kill())
    await until(again, f"{server} is started again", seconds=AGAIN_SECONDS_MAX)

    assert not killed.alive()
    # While its bank was away an order is not refused, but may be left open: 202.
    assert Counter(answer.status // 100 for answer in crowd.answers) == {2: ORDERS}
    await live_shop.rest()
    assert await books.stock(live_shop, sku) == (STOCK, ORDERS)
    assert await books.replayed(live_shop, sku) == (STOCK, ORDERS)
    books.check_stream(await live_shop.events())
    live_shop.audit(crowd.answered)
