"""Kill the payments shard before and after every commit of a move of money.

Each walk kills at the first commit, then at the second, and so on until one comes to
its end without meeting its kill; with a bank that answers, and with one that is silent
until the shard is back.
"""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from bus.kit.addressing import new_id
from bus.kit.values import Money
from bus.payments import CapturePayment, RefundOrder, VoidPayment
from tests.orders.test_kills import Doom, kill_when_reached
from tests.payments.support import charge, insist, settings_for, until
from tests.payments.test_charges import books, timers
from tests.payments.test_holds import at_the_bank

COMMITS_MAX = 12
SETTLED_SECONDS_MAX = 30.0

pytestmark = pytest.mark.full


@pytest.fixture(params=[False, True], ids=["answering", "silent"])
def silent(request: pytest.FixtureRequest) -> bool:
    """Whether the bank answers nothing; then its time is a second, not fifteen."""
    if request.param:
        request.getfixturevalue("hasty")
    return bool(request.param)


def refund(order_id: UUID) -> RefundOrder:
    refund_id = new_id(order_id)
    return RefundOrder(
        order_id=order_id, refund_id=refund_id, amount=Money(700, "USD"), reason="r"
    )


def capture(order_id: UUID) -> CapturePayment:
    return CapturePayment(order_id=order_id)


def void(order_id: UUID) -> VoidPayment:
    return VoidPayment(order_id=order_id)


async def walk(s: Any, bank: Any, at: int, wish: Any, *, after: bool, silent: bool):
    """One move of money, with the kill at its `at`-th commit; whether it was met."""
    asked = charge()
    await s.ask(asked)
    doom = Doom(at, after)
    doom.watch(s.shard("payments"))
    killer = asyncio.create_task(kill_when_reached(s, doom, "payments"))
    await bank.faults(silent=silent)
    # Whoever asked may never hear of it: the timers alone must settle it.
    asking = asyncio.create_task(insist(s, wish(asked.order_id)))
    await asyncio.wait({killer, asking}, return_when=asyncio.FIRST_COMPLETED)
    await bank.faults()
    await asyncio.gather(asking, return_exceptions=True)

    async def at_rest() -> bool:
        return not await timers(s)

    await until(at_rest, SETTLED_SECONDS_MAX)
    met = doom.reached.is_set()
    if met:
        await killer
    killer.cancel()
    return asked.order_id, met


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("wish", "hold", "end"),
    [
        (refund, False, ("succeeded", 1999, 700)),
        (capture, True, ("succeeded", 1999, 0)),
        (void, True, ("voided", 0, 0)),
    ],
    ids=["refund", "capture", "void"],
)
async def test_a_move_of_money_survives_a_kill_between_any_two_steps(
    shop, bank, wish, hold, end, after, silent
) -> None:
    settings = settings_for(bank).changed(capture="shipment" if hold else "order")
    async with shop("payments", settings=settings) as s:
        for at in range(1, COMMITS_MAX):
            order_id, met = await walk(s, bank, at, wish, after=after, silent=silent)
            assert await at_the_bank(bank, order_id) == end
            moves = [r for r in await bank.ledger(order_id) if r["type"] != "charge"]
            assert len(moves) == 1
            await books(s)
            if not met:
                break
        assert 3 <= at < COMMITS_MAX, "the walk ended too early, or never"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("capture_at", ["order", "shipment"])
async def test_a_charge_survives_a_kill_between_any_two_steps(
    shop, bank, capture_at, after
) -> None:
    settings = settings_for(bank).changed(capture=capture_at)
    async with shop("payments", settings=settings) as s:
        for at in range(1, COMMITS_MAX):
            doom = Doom(at, after)
            doom.watch(s.shard("payments"))
            killer = asyncio.create_task(kill_when_reached(s, doom, "payments"))
            asked = charge()
            result = await insist(s, asked)
            held = capture_at == "shipment"
            assert result.status == ("AUTHORIZED" if held else "SUCCEEDED")
            end = ("authorized", 0, 0) if held else ("succeeded", 1999, 0)
            assert await at_the_bank(bank, asked.order_id) == end
            await books(s)
            if not doom.reached.is_set():
                killer.cancel()
                break
            await killer
        assert 3 <= at < COMMITS_MAX, "the walk ended too early, or never"
