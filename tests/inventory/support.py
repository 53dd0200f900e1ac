"""What the tests of inventory share: warehouses, stock, and books that must agree."""

import asyncio
from collections import Counter
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from bus.inventory import (
    AdjustStock,
    CreateWarehouse,
    GetStock,
    TransferLine,
    TransferStock,
)
from bus.kit.addressing import new_id, slot_of
from bus.kit.refusals import Refusal

MAIN = UUID("01900000-0000-7000-8000-000000000000")
ADMIN = UUID("01900000-0000-7000-8000-00000000ad01")


async def opened(s: Any, code: str, priority: int = 50) -> UUID:
    """A new warehouse."""
    command = CreateWarehouse(
        warehouse_id=new_id(), code=code, name=code.title(), priority=priority
    )
    return UUID(str((await s.ask(command)).id))


async def counted(s: Any, sku: str, pieces: int, warehouse_id: UUID = MAIN) -> None:
    """So many pieces of a SKU lie in a warehouse."""
    await s.ask(
        AdjustStock(sku=sku, on_hand=pieces, reason="count", warehouse_id=warehouse_id)
    )


def moving(to: UUID, *lines: tuple[str, int], out_of: UUID = MAIN) -> TransferStock:
    """A transfer of these lines."""
    return TransferStock(
        transfer_id=new_id(),
        from_warehouse_id=out_of,
        to_warehouse_id=to,
        lines=tuple(TransferLine(sku=sku, quantity=n) for sku, n in lines),
        reason="relocation",
        actor_id=ADMIN,
    )


def skus_in_shards(shards: int, each: int = 1) -> list[str]:
    """SKUs that fall evenly into so many shards, in turn."""
    found: list[list[str]] = [[] for _ in range(shards)]
    for n in count():
        sku = f"K-{n}"
        found[slot_of(sku) % shards].append(sku)
        if all(len(some) >= each for some in found):
            return [some[i] for i in range(each) for some in found]
    raise AssertionError


async def pieces(s: Any, sku: str) -> dict[UUID, tuple[int, int]]:
    """By warehouse what is on hand and what is reserved."""
    rows = (await s.ask(GetStock(sku=sku))).warehouses
    return {row.warehouse_id: (row.on_hand, row.reserved) for row in rows}


async def refusal(s: Any, message: Any) -> str:
    """The code that a message is refused with."""
    [end] = await asyncio.gather(s.ask(message), return_exceptions=True)
    assert isinstance(end, Refusal), end
    return end.code


async def told(s: Any, sku: str, *names: str) -> list[str]:
    """The events of a SKU by these names, in their order."""
    events = [e for e in await s.events("inventory") if e["subject"] == sku]
    kinds = [str(e["type"]).removeprefix("inventory.")[:-3] for e in events]
    return [kind for kind in kinds if not names or kind in names]


async def check_books(s: Any) -> None:
    """Rows, movements, holds and told levels agree with each other."""
    stock = await s.rows("inventory", "SELECT * FROM stock ORDER BY sku, warehouse_id")
    moves = await s.rows("inventory", "SELECT * FROM movements ORDER BY sku, number")
    replayed: dict[tuple[str, UUID], tuple[int, int, int]] = {}
    numbers: Counter[str] = Counter()
    for move in moves:
        place = (move["sku"], move["warehouse_id"])
        version, on_hand, reserved = replayed.get(place, (0, 0, 0))
        numbers[move["sku"]] += 1
        assert move["number"] == numbers[move["sku"]]
        assert move["version"] == version + 1
        assert (move["on_hand_before"], move["reserved_before"]) == (on_hand, reserved)
        assert move["reason"]
        replayed[place] = (
            version + 1,
            move["on_hand_after"],
            move["reserved_after"],
        )
    assert replayed == {
        (r["sku"], r["warehouse_id"]): (r["version"], r["on_hand"], r["reserved"])
        for r in stock
    }
    held: Counter[tuple[str, UUID]] = Counter()
    for hold in await s.rows("inventory", "SELECT * FROM holds"):
        for warehouse_id, n in msgspec.json.decode(hold["parts"]).items():
            held[hold["sku"], UUID(warehouse_id)] += n
    for row in stock:
        assert row["reserved"] == held[row["sku"], row["warehouse_id"]]
    await _check_levels(s)


async def _check_levels(s: Any) -> None:
    wrong = await s.rows(
        "inventory",
        """SELECT sku FROM stock JOIN warehouses ON id = warehouse_id
             LEFT JOIN levels USING (sku)
           WHERE closed_at IS NULL GROUP BY sku, told HAVING coalesce(told, 2) <>
             CASE WHEN sum(on_hand - reserved) <= 0 THEN 2
                  WHEN sum(on_hand - reserved) <= max(threshold) THEN 1 ELSE 0 END""",
    )
    assert wrong == []
