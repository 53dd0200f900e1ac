"""Any one process is killed while people buy: no order, no money, no piece is lost."""

import asyncio
import os
import signal
from collections import Counter

import pytest

from actors import DOMAINS
from tests.e2e import books, figures
from tests.e2e.conftest import MakePerson
from tests.e2e.crowd import Crowd
from tests.e2e.people import Person, new_goods
from tests.e2e.shops import LiveShop

ORDERS = 200
AT_ONCE = 16
KILL_AFTER = 50
BUYERS = 8
STOCK = 1_000
GOODS = 4

pytestmark = pytest.mark.full


@pytest.mark.parametrize("actor", [*(f"{name}/0" for name in DOMAINS), "bridge/0"])
async def test_a_killed_process_loses_no_order_no_money_and_no_piece(
    live_shop: LiveShop, customer: MakePerson, keeper: Person, actor: str
) -> None:
    skus = [await new_goods(keeper, stock=STOCK, amount=300) for _ in range(GOODS)]
    crowd = Crowd([await customer() for _ in range(BUYERS)])

    killed = await live_shop.pid(actor)

    async def kill() -> None:
        await crowd.reached(KILL_AFTER)
        os.kill(killed, signal.SIGKILL)
        assert len(crowd.answers) < ORDERS

    def two_of(number: int) -> list[tuple[str, int]]:
        return [(skus[number % GOODS], 1), (skus[(number + 1) % GOODS], 2)]

    await asyncio.gather(crowd.buy(ORDERS, AT_ONCE, two_of), kill())

    assert await live_shop.pid(actor) != killed
    assert Counter(answer.status for answer in crowd.answers) == {201: ORDERS}
    assert len(crowd.answered) == ORDERS
    await live_shop.rest()
    await _check_money(live_shop, crowd.answered)
    for sku in skus:
        sold = ORDERS * 3 // GOODS
        assert await books.stock(live_shop, sku) == (STOCK, sold)
        assert await books.replayed(live_shop, sku) == (STOCK, sold)
    books.check_stream(await live_shop.events())
    said = live_shop.audit(crowd.answered)
    figures.note(
        **{
            f"kill {actor}": {
                "orders": ORDERS,
                "asked again": crowd.asked_again,
                "slowest seconds": round(max(crowd.seconds), 2),
                "audit": said.strip().splitlines()[-1],
            }
        }
    )


async def _check_money(shop: LiveShop, answered: dict[str, str]) -> None:
    """Each order is charged once, and each charge is of an order that is there."""
    ledger = await shop.bank_ledger()
    charged = Counter(
        line["order_id"]
        for line in ledger
        if line["type"] == "charge" and line["order_id"] in answered
    )
    assert charged == dict.fromkeys(answered, 1)
    sql = "SELECT id, status FROM orders WHERE id = ANY($1::text[]::uuid[])"
    rows = await shop.rows("orders", sql, list(answered))
    assert Counter(row["status"] for row in rows) == {"CONFIRMED": len(answered)}
