"""The mix of a marketplace's five transactions, as one client draws them."""

import random
import time
from collections.abc import Awaitable, Callable
from itertools import accumulate

from scripts.benching.desk import Desk
from scripts.benching.marketplace.customers import check_out
from scripts.benching.marketplace.journal import Journal
from scripts.benching.marketplace.sellers import (
    change_product,
    deliver,
    look,
    update_price,
)
from scripts.benching.marketplace.stalls import Stalls
from scripts.benching.scenes import Task

Act = Callable[[Stalls, Desk, random.Random], Awaitable[None]]

MIX: dict[str, tuple[int, Act]] = {
    "Customer Checkout": (30, check_out),
    "Price Update": (5, update_price),
    "Product Delete/Update": (3, change_product),
    "Update Delivery": (2, deliver),
    "Seller Dashboard": (60, look),
}
"""How many of a hundred transactions each one is."""


class Marketplace:
    """All five, each as often as the mix says."""

    def __init__(self, task: Task) -> None:
        if task.market is None:
            raise ValueError("there is no market to act on")
        self._stalls = Stalls(task.market, task.number, task.processes)
        self._names = list(MIX)
        self._shares = list(accumulate(share for share, _ in MIX.values()))

    @property
    def journal(self) -> Journal:
        """Every request so far, in the order of the answers."""
        return self._stalls.journal

    async def act(self, desk: Desk, dice: random.Random) -> None:
        """One transaction, whose latency is that of all of its requests."""
        (name,) = dice.choices(self._names, cum_weights=self._shares)
        begun = time.perf_counter()
        await MIX[name][1](self._stalls, desk, dice)
        taken = (time.perf_counter() - begun) * 1000
        desk.tally.by_kind.setdefault(name, []).append(taken)
