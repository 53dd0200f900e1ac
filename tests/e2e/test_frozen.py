"""A shard's process freezes: its callers have it killed, and nothing is lost.

On Ray it is dead before it could thaw. What one does that is not killed, when it is
taken over and thaws, is tried in `tests/kit/test_fence.py`.
"""

import asyncio
import os
import signal
from collections import Counter

import psutil
import pytest

from tests.e2e import books, figures
from tests.e2e.conftest import MakePerson
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

ORDERS = 60
AT_ONCE = 8
FREEZE_AFTER = 20
BUYERS = 4
STOCK = 500
LEAVE_SECONDS_MAX = 30

pytestmark = pytest.mark.full


@pytest.mark.parametrize("actor", ["orders/0", "inventory/0", "payments/0"])
async def test_a_frozen_shard_is_replaced_and_nothing_is_lost(
    live_shop: LiveShop, customer: MakePerson, keeper: Person, actor: str
) -> None:
    sku = await new_goods(keeper, stock=STOCK, amount=300)
    crowd = Crowd([await customer() for _ in range(BUYERS)])
    frozen = psutil.Process(await live_shop.pid(actor))

    async def freeze() -> None:
        await crowd.reached(FREEZE_AFTER)
        os.kill(frozen.pid, signal.SIGSTOP)
        assert len(crowd.answers) < ORDERS

    try:
        await asyncio.gather(crowd.buy(ORDERS, AT_ONCE, lambda _: [(sku, 1)]), freeze())
        # All were answered while it was frozen: by somebody else.
        assert await live_shop.pid(actor) != frozen.pid
        assert Counter(answer.status for answer in crowd.answers) == {201: ORDERS}
        await live_shop.rest()
    finally:
        if frozen.is_running():  # where nobody had it killed
            frozen.send_signal(signal.SIGCONT)

    async def left() -> bool:
        return not frozen.is_running()

    await until(left, f"{actor} leaves", seconds=LEAVE_SECONDS_MAX)
    await live_shop.rest()
    assert await books.stock(live_shop, sku) == (STOCK, ORDERS)
    assert await books.replayed(live_shop, sku) == (STOCK, ORDERS)
    books.check_stream(await live_shop.events())
    live_shop.audit(crowd.answered)
    figures.note(
        **{
            f"freeze {actor}": {
                "orders": ORDERS,
                "asked again": crowd.asked_again,
                "slowest seconds": round(max(crowd.seconds), 2),
            }
        }
    )
