"""Kill the orders shard before and after every commit of an order's way.

Each walk kills at the first commit, then at the second, and so on until a walk comes
to its end without meeting its kill: then every place between two steps was tried.
"""

import asyncio
from dataclasses import dataclass, field

import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.orders import CancelOrder, Viewer
from tests.orders.fakes import FakePayments, order_of, reset

DOMAINS = ("orders", "inventory", "products", "payments")
COMMITS_MAX = 25
SETTLED_SECONDS_MAX = 30.0


@dataclass
class Doom:
    """Stops a shard for ever at the n-th commit of those watched, before or after it.

    `number` is the shard that was stopped.
    """

    at: int
    after: bool
    commits: int = 0
    number: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    def watch(self, shard) -> None:
        transaction = shard.batches._transaction

        async def doomed(items):
            self.commits += 1
            doomed = self.commits == self.at
            if doomed:
                self.number = shard.shard
            if doomed and not self.after:
                await self._stop()
            await transaction(items)
            if doomed and self.after:
                await self._stop()

        shard.batches._transaction = doomed

    async def _stop(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


async def kill_when_reached(s, doom, name="orders") -> None:
    await doom.reached.wait()
    await s.kill(name, doom.number)
    await s.restart(name, doom.number)


async def settled(s) -> None:
    """Wait until no order has anything left to do, and no process runs."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLED_SECONDS_MAX
    while True:
        rows = await s.rows(
            "orders",
            """SELECT (SELECT count(*) FROM orders WHERE stage <> 'SETTLED')
                 + (SELECT count(*) FROM handled WHERE state = 0) AS n""",
        )
        if rows[0]["n"] == 0:
            return
        assert loop.time() < end, "an order does not come to rest"
        await asyncio.sleep(0.05)


async def check_books(s, pieces: int) -> None:
    """Stock, holds, orders and the bank agree with each other."""
    orders = await s.rows("orders", "SELECT * FROM orders")
    kept = {o["id"]: o for o in orders if o["status"] == "CONFIRMED"}
    holds = await s.rows("inventory", "SELECT * FROM holds WHERE state <> 'RELEASED'")
    assert {hold["order_id"] for hold in holds} == set(kept)
    assert {hold["state"] for hold in holds} <= {"COMMITTED"}
    stock = await s.rows("inventory", "SELECT on_hand, reserved FROM stock")
    assert stock[0] == {
        "on_hand": pieces,
        "reserved": sum(h["quantity"] for h in holds),
    }
    taken = [order_id for order_id, _ in FakePayments.taken]
    assert len(taken) == len(set(taken))
    given_back = set(FakePayments.refunded.values())
    assert set(taken) - given_back == set(kept)
    events = await s.events("orders")
    for order in orders:
        numbers = [
            int(e["sequence"]) for e in events if e["subject"] == str(order["id"])
        ]
        assert numbers == list(range(1, len(numbers) + 1))


async def buy(s, token: str, pieces: int, *, cancel: bool) -> None:
    buyer = new_id()
    placed = await s.ask(
        order_of(buyer, ("A", pieces), token=token),
        id=new_id(buyer),
        timeout_seconds=25.0,
        join=True,
    )
    if cancel:
        wish = CancelOrder(order_id=placed.order_id, viewer=Viewer(user_id=buyer))
        end = await asyncio.gather(
            s.ask(wish, timeout_seconds=25.0), return_exceptions=True
        )
        refused = {one.code for one in end if isinstance(one, Refusal)}
        assert refused <= {"order-in-progress"}


@pytest.mark.parametrize(
    "after",
    [pytest.param(False, marks=pytest.mark.full), True],
    ids=["before", "after"],
)
@pytest.mark.parametrize(
    ("token", "pieces", "cancel"),
    [
        ("tok_visa", 2, False),
        ("tok_declined", 2, False),
        ("tok_visa", 999, False),
        ("tok_visa", 2, True),
    ],
    ids=["paid", "declined", "short", "cancelled"],
)
async def test_an_order_survives_a_kill_between_any_two_steps(
    shop, token, pieces, cancel, after
) -> None:
    async with shop(*DOMAINS, fakes=reset()) as s:
        await s.ask(AdjustStock(sku="A", on_hand=500, reason="count"))
        for at in range(1, COMMITS_MAX):
            doom = Doom(at, after)
            doom.watch(s.shard("orders"))
            killer = asyncio.create_task(kill_when_reached(s, doom))
            await buy(s, token, pieces, cancel=cancel)
            await settled(s)
            await check_books(s, 500)
            if not doom.reached.is_set():
                killer.cancel()
                break
            await killer
        assert 4 <= at < COMMITS_MAX, "the walk ended too early, or never"
