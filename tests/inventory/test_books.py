"""Any commands in any order: rows, movements, holds and levels always agree."""

import asyncio
import random
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from bus.inventory import (
    AdjustStock,
    CloseWarehouse,
    CommitStock,
    EndHold,
    HeldLine,
    HoldStock,
    ReleaseHold,
    ReleaseStock,
    ReserveStock,
    SetThreshold,
    ShipStock,
    TakeHold,
    UpdateWarehouse,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from tests.inventory.support import (
    MAIN,
    check_books,
    counted,
    moving,
    opened,
    skus_in_shards,
)

AT_ONCE = 12


class Keeper:
    """Says random things to inventory, and knows how many pieces must be there."""

    def __init__(self, seed: int, skus: list[str], warehouses: list[UUID]) -> None:
        self.random = random.Random(seed)
        self.skus = skus
        self.warehouses = warehouses
        self.orders = [new_id() for _ in range(8)]
        self.holds = [new_id()]
        self.pieces: Counter[str] = Counter()
        self.taken: set[UUID] = set()

    def say(self) -> Any:
        """The next command."""
        some = self.random
        sku, n = some.choice(self.skus), some.randint(1, 6)
        order_id, hold_id = some.choice(self.orders), some.choice(self.holds[-9:])
        here, there = some.sample(self.warehouses, 2)
        lines = [(one, some.randint(1, 4)) for one in some.sample(self.skus, 2)]
        held = tuple(HeldLine(sku=one, quantity=k) for one, k in lines)
        return some.choice(
            [
                AdjustStock(sku=sku, delta=n, reason="in", warehouse_id=here),
                AdjustStock(sku=sku, delta=-n, reason="out", warehouse_id=here),
                ReserveStock(order_id=order_id, sku=sku, quantity=n),
                ReserveStock(order_id=order_id, sku=sku, quantity=n, attempt=2),
                ReleaseStock(order_id=order_id, sku=sku, attempt=some.randint(1, 2)),
                CommitStock(order_id=order_id, sku=sku),
                ShipStock(order_id=order_id, sku=sku, quantity=1, shipment_id=new_id()),
                SetThreshold(sku=sku, threshold=some.randint(0, 9)),
                moving(there, (sku, n), out_of=here),
                moving(there, *lines, out_of=here),
                HoldStock(hold_id=new_id(), lines=held),
                ReleaseHold(hold_id=hold_id),
                TakeHold(hold_id=hold_id),
                EndHold(hold_id=hold_id, sku=sku, reason="expired"),
                UpdateWarehouse(
                    warehouse_id=here,
                    code=f"W-{self.warehouses.index(here)}",
                    name="W",
                    priority=some.randint(1, 9),
                ),
                CloseWarehouse(warehouse_id=self.warehouses[-1]),
            ]
        )

    def heed(self, command: Any, end: Any) -> None:
        """Count what a command that was not refused has brought or taken."""
        if isinstance(end, Refusal):
            return
        assert not isinstance(end, BaseException), end
        if isinstance(command, AdjustStock):
            self.pieces[command.sku] += command.delta or 0
        elif isinstance(command, ShipStock):
            self.pieces[command.sku] -= command.quantity
        elif isinstance(command, HoldStock):
            self.holds.append(end.hold_id)  # nobody knows it before
        elif isinstance(command, TakeHold) and command.hold_id not in self.taken:
            self.taken.add(command.hold_id)
            self.pieces.subtract({line.sku: line.quantity for line in end.items})


async def keep(s, seed: int, commands: int) -> None:
    skus = skus_in_shards(s.shard_count, 3)[:4]
    warehouses = [MAIN, await opened(s, "W-1"), await opened(s, "W-2")]
    keeper = Keeper(seed, skus, warehouses)
    for sku in skus:
        await counted(s, sku, 12)
        keeper.pieces[sku] = 12
    for _ in range(commands // AT_ONCE):
        said = [keeper.say() for _ in range(AT_ONCE)]
        ends = await asyncio.gather(
            *(s.ask(one, timeout_seconds=25.0) for one in said), return_exceptions=True
        )
        for command, end in zip(said, ends, strict=True):
            keeper.heed(command, end)
    await check_books(s)
    stock = await s.rows("inventory", "SELECT sku, sum(on_hand) FROM stock GROUP BY 1")
    assert {row["sku"]: row["sum"] for row in stock} == keeper.pieces
    kinds = await s.rows("inventory", "SELECT DISTINCT kind FROM movements")
    assert {"ADJUST", "RESERVE", "RELEASE", "THRESHOLD"} <= {r["kind"] for r in kinds}
    counter = "SELECT deadlocks FROM pg_stat_database WHERE datname = $1"
    name = s.urls["inventory"].rsplit("/", 1)[1]
    assert (await s.rows("inventory", counter, name))[0]["deadlocks"] == 0


@pytest.mark.parametrize(("seed", "shards"), [(1, 1), (2, 3)])
async def test_whatever_is_said_the_books_agree(shop, seed, shards) -> None:
    async with shop("inventory", shards=shards) as s:
        await keep(s, seed, 132)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(10, 16))
async def test_whatever_is_said_for_long_the_books_agree(shop, seed) -> None:
    async with shop("inventory", shards=1 + seed % 3) as s:
        await keep(s, seed, 900)
