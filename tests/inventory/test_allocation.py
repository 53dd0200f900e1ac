"""Which warehouses give: golden cases of every rule, and the setting that chooses."""

from typing import get_args
from uuid import UUID

import pytest

from actors.inventory.allocation import RULES, allocate
from bus.inventory import ReserveStock
from bus.kit.addressing import new_id
from bus.kit.settings import Settings, SettingsError
from persistence.inventory import Shelf, Stock
from tests.inventory.support import MAIN, check_books, counted, opened, pieces

A, B, C = (UUID(int=n) for n in (1, 2, 3))


def stock(*available: int) -> Stock:
    """Warehouses A, B, C in this order, with so many pieces free (of 9 more)."""
    return Stock(
        "X",
        tuple(
            Shelf(warehouse_id=UUID(int=n), on_hand=9 + free, reserved=9, threshold=0)
            for n, free in enumerate(available, 1)
        ),
    )


@pytest.mark.parametrize(
    ("free", "quantity", "priority", "most_stock", "fewest_parcels"),
    [
        ((5, 9, 7), 3, {A: 3}, {B: 3}, {A: 3}),
        ((2, 9, 7), 3, {B: 3}, {B: 3}, {B: 3}),
        ((2, 7, 9), 8, {C: 8}, {C: 8}, {C: 8}),
        ((1, 2, 5), 7, {A: 1, B: 2, C: 4}, {C: 5, B: 2}, {C: 5, B: 2}),
        ((3, 2, 5), 7, {A: 3, B: 2, C: 2}, {C: 5, A: 2}, {C: 5, A: 2}),
        ((4, 4, 0), 3, {A: 3}, {A: 3}, {A: 3}),
        ((4, 4, 0), 8, {A: 4, B: 4}, {A: 4, B: 4}, {A: 4, B: 4}),
        ((0, 0, 1), 1, {C: 1}, {C: 1}, {C: 1}),
        ((1, 1, 1), 4, None, None, None),
        ((), 1, None, None, None),
    ],
)
def test_every_rule_gives_as_it_says(
    free, quantity, priority, most_stock, fewest_parcels
) -> None:
    expected = {
        "priority": priority,
        "most_stock": most_stock,
        "fewest_parcels": fewest_parcels,
    }
    found = {rule: allocate(stock(*free), quantity, rule) for rule in RULES}
    assert found == expected


def test_no_rule_gives_more_parcels_than_the_one_of_fewest() -> None:
    for quantity in range(1, 16):
        for free in ((1, 2, 5), (5, 5, 5), (4, 1, 7), (3, 6, 3)):
            counts = [
                len(parts)
                for rule in RULES
                if (parts := allocate(stock(*free), quantity, rule))
            ]
            best = allocate(stock(*free), quantity, "fewest_parcels")
            assert len(best or ()) == min(counts, default=0)


def test_the_setting_names_the_rules_that_there_are() -> None:
    names = get_args(Settings.model_fields["allocation"].annotation)
    assert set(names) == set(RULES)
    assert Settings().allocation == "priority"
    with pytest.raises(SettingsError, match="SOUK_ALLOCATION"):
        Settings.load({"SOUK_ALLOCATION": "nearest"})


@pytest.mark.parametrize(("rule", "reserved"), [("priority", 2), ("most_stock", 0)])
async def test_the_shop_promises_by_the_rule_that_is_set(shop, rule, reserved) -> None:
    async with shop("inventory", settings=Settings(allocation=rule)) as s:
        east = await opened(s, "EAST", 90)
        await counted(s, "X", 3)
        await counted(s, "X", 8, east)
        await s.ask(ReserveStock(order_id=new_id(), sku="X", quantity=2))
        assert await pieces(s, "X") == {
            MAIN: (3, reserved),
            east: (8, 2 - reserved),
        }
        await check_books(s)
