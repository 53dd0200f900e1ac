"""What runs low is told once a fall, and who changed what can be read for ever."""

import asyncio
import itertools

import pytest

from bus.inventory import (
    ON_HAND_MAX,
    AdjustStock,
    CommitStock,
    GetStock,
    ListLowStock,
    ListMovements,
    ReleaseStock,
    ReserveStock,
    SetThreshold,
    ShipStock,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from tests.inventory.support import (
    ADMIN,
    check_books,
    counted,
    opened,
    refusal,
    told,
)

ALERTS = ("stock_low", "stock_sold_out", "stock_replenished")
LOW, OUT, BACK = ALERTS


async def limit(s, threshold: int, sku: str = "A") -> None:
    await s.ask(SetThreshold(sku=sku, threshold=threshold, actor_id=ADMIN))


async def buy(s, quantity: int, sku: str = "A"):
    order_id = new_id()
    await s.ask(ReserveStock(order_id=order_id, sku=sku, quantity=quantity))
    return order_id


@pytest.mark.full
async def test_a_fall_is_told_once_and_again_only_after_a_refill(shop) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 10)
        await limit(s, 3)
        await buy(s, 6)
        assert await told(s, "A", *ALERTS) == [BACK]  # when the first ones came
        first = await buy(s, 1)
        assert await told(s, "A", *ALERTS) == [BACK, LOW]
        await buy(s, 1)
        await s.ask(ReleaseStock(order_id=first, sku="A"))
        await buy(s, 1)
        assert await told(s, "A", *ALERTS) == [BACK, LOW]
        second = await buy(s, 2)
        assert await told(s, "A", *ALERTS) == [BACK, LOW, OUT]
        await s.ask(ReleaseStock(order_id=second, sku="A"))  # there again, still low
        await buy(s, 2)
        assert await told(s, "A", *ALERTS) == [BACK, LOW, OUT, BACK, OUT]
        await s.ask(AdjustStock(sku="A", delta=9, reason="delivery"))
        await buy(s, 9)
        assert (await told(s, "A", *ALERTS))[5:] == [BACK, LOW, OUT]
        await check_books(s)


async def test_a_threshold_is_looked_at_when_it_is_set(shop) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 5)
        for threshold, expected in (
            (4, []),
            (5, [LOW]),
            (9, [LOW]),
            (5, [LOW]),
            (4, [LOW, BACK]),
            (6, [LOW, BACK, LOW]),
        ):
            await limit(s, threshold)
            assert (await told(s, "A", *ALERTS))[1:] == expected
        await buy(s, 1)
        assert (await told(s, "A", *ALERTS))[1:] == [LOW, BACK, LOW]
        await check_books(s)


async def test_the_highest_threshold_of_its_warehouses_counts(shop) -> None:
    async with shop("inventory") as s:
        east = await opened(s, "EAST")
        await counted(s, "A", 5)
        await counted(s, "A", 5, east)
        await s.ask(SetThreshold(sku="A", threshold=8, warehouse_id=east))
        await buy(s, 2)
        assert (await told(s, "A", *ALERTS))[1:] == [LOW]
        stock = await s.ask(GetStock(sku="A"))
        assert [row.threshold for row in stock.warehouses] == [0, 8]
        elsewhere = SetThreshold(sku="A", threshold=1, warehouse_id=new_id())
        assert await refusal(s, elsewhere) == "not-found"
        assert await refusal(s, SetThreshold(sku="B", threshold=1)) == "not-found"
        low = await s.ask(ListLowStock())
        assert [one.sku for one in low.items] == ["A"]


@pytest.mark.parametrize("shards", [1, 3])
async def test_fifty_who_buy_at_once_alarm_once(shop, shards) -> None:
    async with shop("inventory", shards=shards) as s:
        await counted(s, "A", 60)
        await limit(s, 20)
        await asyncio.gather(*(buy(s, 1) for _ in range(50)))
        assert (await told(s, "A", *ALERTS))[1:] == [LOW]
        ends = await asyncio.gather(
            *(buy(s, 1) for _ in range(50)), return_exceptions=True
        )
        assert sum(isinstance(end, Refusal) for end in ends) == 40
        assert (await told(s, "A", *ALERTS))[1:] == [LOW, OUT]
        await check_books(s)


async def test_a_fall_that_was_told_is_not_told_again_by_a_shard_that_starts_anew(
    shop,
) -> None:
    async with shop("inventory") as s:
        await counted(s, "A", 5)
        await limit(s, 3)
        await buy(s, 2)
        await s.kill("inventory")
        await s.restart("inventory")
        await buy(s, 1)
        assert (await told(s, "A", *ALERTS))[1:] == [LOW]
        await check_books(s)


async def test_movements_say_who_and_why_and_are_listed_as_they_were_committed(
    shop,
) -> None:
    async with shop("inventory") as s:
        await opened(s, "EAST")
        await asyncio.gather(
            *(
                s.ask(AdjustStock(sku="A", delta=1, reason=f"n{n}", actor_id=ADMIN))
                for n in range(20)
            )
        )
        await limit(s, 3)
        order_id = await buy(s, 2)
        await s.ask(CommitStock(order_id=order_id, sku="A"))
        shipped = ShipStock(
            order_id=order_id, sku="A", quantity=2, shipment_id=new_id()
        )
        await s.ask(shipped)
        found, cursor = [], None
        while True:
            page = await s.ask(ListMovements(sku="A", limit=7, cursor=cursor))
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [m.number for m in found] == list(range(23, 0, -1))
        for newer, older in itertools.pairwise(found):
            assert newer.on_hand_before == older.on_hand_after
            assert newer.reserved_before == older.reserved_after
        assert [(m.kind, m.reason, m.actor_id, m.order_id) for m in found[:3]] == [
            ("SHIP", "shipment", None, order_id),
            ("RESERVE", "order", None, order_id),
            ("THRESHOLD", "threshold", ADMIN, None),
        ]
        assert {m.actor_id for m in found[3:]} == {ADMIN}
        for cursor in ("x", "-1", "1.5", str(new_id()), "9" * 12):
            code = await refusal(s, ListMovements(sku="A", cursor=cursor))
            assert code == "invalid-cursor"


async def test_no_warehouse_holds_more_than_can_be_counted(shop) -> None:
    async with shop("inventory") as s:
        await s.ask(AdjustStock(sku="A", on_hand=ON_HAND_MAX, reason="many"))
        more = AdjustStock(sku="A", delta=1, reason="more")
        assert await refusal(s, more) == "above-maximum"
