"""Selling goes on without the bridge, and what was to be told is told once later."""

import os
import signal

from tests.e2e.away import OrderInSilence
from tests.e2e.people import Person, Stranger
from tests.e2e.shops import LiveShop


async def test_while_the_bridge_is_frozen_orders_are_answered_and_told_once_later(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    silence = await OrderInSilence.prepare(live_shop, stranger, keeper)
    bridge = await live_shop.pid("bridge/0")
    os.kill(bridge, signal.SIGSTOP)
    try:
        await silence.buy()
        await silence.nothing_moves()
    finally:
        os.kill(bridge, signal.SIGCONT)

    await silence.all_came_once()


async def test_a_killed_bridge_comes_back_and_tells_what_it_missed_once(
    live_shop: LiveShop, stranger: Stranger, keeper: Person
) -> None:
    silence = await OrderInSilence.prepare(live_shop, stranger, keeper)
    killed = await live_shop.kill("bridge/0")

    await silence.buy()

    await silence.all_came_once()
    assert await live_shop.pid("bridge/0") != killed
