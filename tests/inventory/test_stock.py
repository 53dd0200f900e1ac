"""Stock: promised, taken back, sold, shipped, and never below what is promised."""

import asyncio
from uuid import UUID

import pytest

from bus.inventory import (
    AdjustStock,
    CommitStock,
    GetStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal


def reserve(sku: str, quantity: int, order_id: UUID | None = None) -> ReserveStock:
    return ReserveStock(order_id=order_id or new_id(), sku=sku, quantity=quantity)


async def stocked(s, sku: str, pieces: int) -> None:
    await s.ask(AdjustStock(sku=sku, on_hand=pieces, reason="count"))


@pytest.mark.parametrize("shards", [1, 3])
async def test_the_last_piece_is_promised_once(shop, shards) -> None:
    async with shop("inventory", shards=shards) as s:
        await stocked(s, "LAST-1", 1)
        ends = await asyncio.gather(
            *(s.ask(reserve("LAST-1", 1)) for _ in range(50)), return_exceptions=True
        )
        assert sum(not isinstance(end, Exception) for end in ends) == 1
        assert {e.code for e in ends if isinstance(e, Refusal)} == {"out-of-stock"}
        stock = await s.ask(GetStock(sku="LAST-1"))
        assert (stock.available, stock.warehouses[0].reserved) == (0, 1)


async def test_a_hold_asked_for_twice_is_one_hold(shop) -> None:
    async with shop("inventory") as s:
        await stocked(s, "A", 5)
        order_id = new_id()
        one, two = await asyncio.gather(
            s.ask(reserve("A", 2, order_id)), s.ask(reserve("A", 2, order_id))
        )
        again = await s.ask(reserve("A", 2, order_id))
        assert one.available == two.available == again.available == 3


async def test_a_late_hold_finds_the_tombstone_of_its_release(shop) -> None:
    async with shop("inventory") as s:
        await stocked(s, "A", 5)
        order_id = new_id()
        await s.ask(ReleaseStock(order_id=order_id, sku="A"))
        with pytest.raises(Refusal) as refused:
            await s.ask(reserve("A", 2, order_id))
        assert refused.value.code == "hold-released"
        assert (await s.ask(GetStock(sku="A"))).available == 5
        again = ReserveStock(order_id=order_id, sku="A", quantity=2, attempt=2)
        assert (await s.ask(again)).available == 3


async def test_a_later_attempt_keeps_what_an_earlier_one_holds(shop) -> None:
    async with shop("inventory") as s:
        await stocked(s, "A", 5)
        order_id = new_id()
        await s.ask(reserve("A", 2, order_id))
        again = ReserveStock(order_id=order_id, sku="A", quantity=2, attempt=2)
        assert (await s.ask(again)).available == 3
        await s.ask(ReleaseStock(order_id=order_id, sku="A", attempt=1))  # too late
        assert (await s.ask(GetStock(sku="A"))).available == 3
        await s.ask(ReleaseStock(order_id=order_id, sku="A", attempt=2))
        assert (await s.ask(GetStock(sku="A"))).available == 5


async def test_shipping_lowers_both_and_a_release_gives_back_only_the_rest(
    shop,
) -> None:
    async with shop("inventory") as s:
        await stocked(s, "A", 5)
        order_id = new_id()
        await s.ask(reserve("A", 3, order_id))
        await s.ask(CommitStock(order_id=order_id, sku="A"))
        ship = ShipStock(order_id=order_id, sku="A", quantity=2, shipment_id=new_id())
        command_id = new_id()
        await s.ask(ship, id=command_id)
        await s.ask(ship, id=command_id)
        row = (await s.ask(GetStock(sku="A"))).warehouses[0]
        assert (row.on_hand, row.reserved) == (3, 1)
        await s.ask(ReleaseStock(order_id=order_id, sku="A"))
        row = (await s.ask(GetStock(sku="A"))).warehouses[0]
        assert (row.on_hand, row.reserved) == (3, 0)


async def test_movements_replayed_from_zero_give_every_row(shop) -> None:
    async with shop("inventory", shards=2) as s:
        await asyncio.gather(*(stocked(s, f"S{n}", 20) for n in range(5)))
        orders = [(new_id(), f"S{n % 5}") for n in range(60)]
        await asyncio.gather(
            *(s.ask(reserve(sku, 1, order)) for order, sku in orders),
            return_exceptions=True,
        )
        await asyncio.gather(
            *(s.ask(ReleaseStock(order_id=o, sku=sku)) for o, sku in orders[::2])
        )
        replayed = await s.rows(
            "inventory",
            """SELECT sku, sum(on_hand_after - on_hand_before) AS on_hand,
                 sum(reserved_after - reserved_before) AS reserved,
                 max(version) AS version
               FROM movements GROUP BY sku ORDER BY sku""",
        )
        stock = await s.rows(
            "inventory",
            "SELECT sku, on_hand, reserved, version FROM stock ORDER BY sku",
        )
        assert stock == replayed and len(stock) == 5


async def test_stock_below_what_is_promised_is_refused_and_nothing_changes(
    shop,
) -> None:
    async with shop("inventory") as s:
        await stocked(s, "A", 5)
        await s.ask(reserve("A", 3))
        before = await s.ask(GetStock(sku="A"))
        events = len(await s.events())
        for change, code in (
            (AdjustStock(sku="A", on_hand=2, reason="x"), "below-reserved"),
            (AdjustStock(sku="A", delta=-6, reason="x"), "below-zero"),
            (AdjustStock(sku="A", reason="x"), "delta-or-on-hand"),
        ):
            with pytest.raises(Refusal) as refused:
                await s.ask(change)
            assert refused.value.code == code
        assert await s.ask(GetStock(sku="A")) == before
        assert len(await s.events()) == events


async def test_events_of_a_sku_are_numbered_without_a_gap(shop) -> None:
    async with shop("inventory", shards=2) as s:
        await asyncio.gather(*(stocked(s, f"S{n}", 9) for n in range(4)))
        await asyncio.gather(*(s.ask(reserve(f"S{n % 4}", 1)) for n in range(30)))
        await s.deliver()
        by_sku: dict[str, list[int]] = {}
        for event in s.published:
            by_sku.setdefault(event["subject"], []).append(int(event["sequence"]))
        assert set(by_sku) == {"S0", "S1", "S2", "S3"}
        for numbers in by_sku.values():
            assert numbers == list(range(1, len(numbers) + 1))
