"""A killed shard is answered for by a standby, which may be killed in its turn."""

import asyncio
import json
import os
import signal
from collections import Counter
from typing import Any

import pytest

from tests.e2e import books, figures
from tests.e2e.conftest import MakePerson
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, new_goods
from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until

ORDERS = 150
AT_ONCE = 6
KILL_AFTER = 30
BUYERS = 4
STOCK = 1_000
BACK = "handed-back"

pytestmark = pytest.mark.full


def told(shop: LiveShop, event: str, actor: str) -> list[dict[str, Any]]:
    """What the standby has written of this kind about a shard."""
    log = shop.data_dir / "logs" / "standby-0.log"
    text = log.read_text() if log.exists() else ""
    lines = [json.loads(line) for line in text.splitlines()]
    return [
        line
        for line in lines
        if line["message"] == event and line["labels.shard"] == actor
    ]


@pytest.mark.parametrize("also_standby", [False, True], ids=["shard", "both"])
@pytest.mark.parametrize("actor", ["orders/0", "inventory/0", "payments/0"])
async def test_a_killed_shard_is_adopted_and_handed_back(
    live_shop: LiveShop,
    customer: MakePerson,
    keeper: Person,
    actor: str,
    also_standby: bool,
) -> None:
    sku = await new_goods(keeper, stock=STOCK, amount=300)
    crowd = Crowd([await customer() for _ in range(BUYERS)])
    before = {what: len(told(live_shop, what, actor)) for what in ("adopted", BACK)}

    async def happened(what: str) -> bool:
        return len(told(live_shop, what, actor)) > before[what]

    async def kill() -> None:
        await crowd.reached(KILL_AFTER)
        await live_shop.kill(actor)
        await until(lambda: happened("adopted"), "an adoption", seconds=30)
        if also_standby:
            adopted = told(live_shop, "adopted", actor)[-1]
            os.kill(adopted["process.pid"], signal.SIGKILL)

    await asyncio.gather(crowd.buy(ORDERS, AT_ONCE, lambda _: [(sku, 1)]), kill())
    if not also_standby:
        await until(lambda: happened(BACK), "a handing back", seconds=60)

    assert Counter(answer.status for answer in crowd.answers) == {201: ORDERS}
    await live_shop.rest()
    assert await books.stock(live_shop, sku) == (STOCK, ORDERS)
    assert await books.replayed(live_shop, sku) == (STOCK, ORDERS)
    books.check_stream(await live_shop.events())
    live_shop.audit(crowd.answered)
    adopted = told(live_shop, "adopted", actor)[-1]
    figures.note(
        **{
            f"adopt {actor}{' and kill the standby' if also_standby else ''}": {
                "orders": ORDERS,
                "asked again": crowd.asked_again,
                "adopted in seconds": adopted["labels.seconds"],
                "slowest seconds": round(max(crowd.seconds), 2),
            }
        }
    )
