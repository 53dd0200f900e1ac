"""Kill the shard before and after every commit of an import: nothing twice or lost."""

import asyncio

import pytest

from actors.products import import_parts
from bus.inventory import GetAvailability
from bus.kit.addressing import new_id
from tests.orders.test_kills import Doom, kill_when_reached
from tests.products.sheets import counts, ended, row, send, sheet

COMMITS_MAX = 25
ROWS = [
    *(row(f"k-{n}", f"K-{n}", Variant_Inventory_Qty="5") for n in range(5)),
    row("k-bad", "K-BAD", "free"),
]


async def import_killed(s, at: int, *, after: bool) -> bool:
    """Import through a kill at commit number `at`; whether there was such a one."""
    doom = Doom(at, after)
    doom.watch(s.shard("products"))
    killer = asyncio.create_task(kill_when_reached(s, doom, "products"))
    import_id, id_, owner = new_id(), new_id(), new_id()
    data = sheet(*ROWS)
    await send(s, data, import_id=import_id, id=id_, owner_id=owner)
    view = await ended(s, import_id)
    made = await s.rows("products", "SELECT version FROM products ORDER BY slug")
    assert made == [{"version": 1}] * 5
    assert counts(view) in ((5, 0, 0, 1), (0, 0, 5, 1))
    assert (view.rows_total, view.rows_done, view.errors_total) == (6, 6, 1)
    assert [(each.line, each.code) for each in view.errors] == [(7, "invalid-price")]
    assert len(await s.events("products")) == 10
    assert await s.rows("products", "SELECT * FROM import_pieces") == []
    reached = doom.reached.is_set()
    if not reached:
        killer.cancel()
    await asyncio.gather(killer, return_exceptions=True)
    return reached


async def test_an_import_goes_on_after_a_kill_in_its_middle(shop, monkeypatch) -> None:
    monkeypatch.setattr(import_parts, "CHUNK_PRODUCTS_MAX", 2)
    async with shop("products", "inventory") as s:
        assert await import_killed(s, 6, after=True)
        assert await import_killed(s, 5, after=False)
        await s.deliver()
        skus = tuple(f"K-{n}" for n in range(5))
        stock = await s.ask(GetAvailability(skus=skus))
        assert set(stock.available.values()) == {5}
        moves = await s.rows("inventory", "SELECT reason FROM movements")
        assert moves == [{"reason": "import"}] * 5


@pytest.mark.full
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_import_survives_a_kill_between_any_two_steps(
    shop, monkeypatch, after
) -> None:
    monkeypatch.setattr(import_parts, "CHUNK_PRODUCTS_MAX", 2)
    for at in range(1, COMMITS_MAX):
        async with shop("products") as s:
            if not await import_killed(s, at, after=after):
                break
    assert 8 <= at < COMMITS_MAX, "the walk ended too early, or never"
