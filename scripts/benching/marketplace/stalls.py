"""What one load client's process knows of a marketplace while it acts."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any

import aiohttp
import msgspec

from scripts.benching.desk import GOOD, Answer, Desk, Stopped, refuser
from scripts.benching.marketplace.answers import problem_of
from scripts.benching.marketplace.data import Draws, Market
from scripts.benching.marketplace.journal import UNANSWERED, Journal

BUSY_LOOKS_MAX, BUSY_SECONDS = 1_000, 0.002
"""For a product that no other client is writing, where all are being written."""
BY_NOBODY = "answered by nobody"
UNSHIPPED_MAX = 10_000
"""Parcels that are kept in mind to be shipped; older ones stay unshipped."""


class Stall(msgspec.Struct, kw_only=True):
    """A rank's product as its only writer knows it.

    `prices` are all that its SKU has had: each is used once, so that a price that is
    shown somewhere tells which version is shown.
    """

    generation: int
    product_id: str
    price: int
    prices: set[int]
    busy: bool = False


class Customer(msgspec.Struct, kw_only=True):
    """Somebody with a cart of their own; `lines` are what it holds."""

    email: str
    token: str = ""
    cart_id: str = ""
    lines: dict[str, int] = {}

    @property
    def headers(self) -> dict[str, str]:
        """What names the cart."""
        return {"X-Cart-Token": self.token} if self.token else {}

    def start_anew(self) -> None:
        """Leave the cart behind, with what is in it."""
        self.token, self.cart_id, self.lines = "", "", {}


class Asking(msgspec.Struct, frozen=True):
    """A request that was made, with its times for the journal."""

    begun: float
    ended: float
    answer: Answer

    @property
    def code(self) -> str:
        """Why it was refused; nothing when it was not."""
        good = self.answer.status in GOOD
        return "" if good else problem_of(self.answer.body).code

    def said(self) -> dict[str, Any]:
        """The fields that every entry of the journal has."""
        status, code = self.answer.status, self.code
        return {
            "begun": self.begun,
            "ended": self.ended,
            "status": status,
            "code": code,
        }


class Stalls:
    """A process's part: it alone writes each `processes`-th rank, and its customers.

    So that prices and deletions of a product come one after another, as its seller
    makes them; everybody buys everything.
    """

    def __init__(self, market: Market, number: int, processes: int) -> None:
        self.market = market
        self.journal: Journal = []
        self.products = Draws(market.keys, market.size.products)
        self.sellers = Draws(market.keys, len(market.sellers))
        self.generations = [0] * len(market.goods)
        self.unshipped: deque[tuple[str, int]] = deque(maxlen=UNSHIPPED_MAX)
        self._processes = processes
        self.own = {
            rank: Stall(
                generation=0,
                product_id=good.product_id,
                price=good.price,
                prices={good.price},
            )
            for rank, good in enumerate(market.goods)
            if rank % processes == number
        }
        self._ranks = list(self.own)
        self.customers = deque(
            Customer(email=f"{market.name.lower()}-{each}@bench.example")
            for each in range(number, market.size.customers, processes)
        )

    async def take(self, dice: random.Random) -> tuple[int, Stall]:
        """A product to write, of which nothing else is under way; it is busy then.

        Raises `Stopped` when all stay busy: there are too many clients for them.
        """
        for _ in range(BUSY_LOOKS_MAX):
            wanted = self.products.one(dice) // self._processes
            for step in range(len(self._ranks)):
                rank = self._ranks[(wanted + step) % len(self._ranks)]
                if not self.own[rank].busy:
                    self.own[rank].busy = True
                    return rank, self.own[rank]
            await asyncio.sleep(BUSY_SECONDS)
        raise Stopped

    async def ask(self, exchange: Awaitable[Answer]) -> Asking:
        """Make a request; one without an answer has status UNANSWERED."""
        begun = time.time()
        try:
            answer = await exchange
        except (aiohttp.ClientError, TimeoutError, OSError):
            ended = time.time()
            answer = Answer(UNANSWERED, b"", (ended - begun) * 1000)
        return Asking(begun, time.time(), answer)


def count(desk: Desk, kind: str, asking: Asking) -> None:
    """Count an answer; raises `Stopped` when it was not answered well."""
    answer = asking.answer
    if answer.status in GOOD:
        desk.note(kind, answer)
        return
    unanswered = answer.status == UNANSWERED
    desk.note(BY_NOBODY if unanswered else refuser(answer.status, answer.body), answer)
    raise Stopped
