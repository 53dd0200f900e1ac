"""Carts of before carts expired: the migration has them looked at, each once."""

from datetime import timedelta
from typing import Any

from bus.kit.addressing import new_id, slot_of
from persistence.kit.migrations import migrate
from tests.orders.support import cart_of, come_due, eventually, forget, selling
from tests.orders.test_carts import AGED, days_left, guest, put

BEFORE = """UPDATE alembic_version SET version_num = 'orders_0003'
  WHERE version_num LIKE 'orders_%'"""

UNDO = (
    "ALTER TABLE orders DROP COLUMN erased",
    "ALTER TABLE order_lines DROP COLUMN in_progress",
    "DROP TABLE seller_totals, shipments, product_replica, removals",
    "DROP FUNCTION note_removal CASCADE",
    "DROP INDEX orders_by_status",
)


async def migrated_again(s: Any) -> None:
    """The shop's database, brought from the revision before to the newest."""
    for statement in UNDO:
        await s.rows("orders", statement)
    await s.rows("orders", BEFORE)
    await migrate("orders", s.urls["orders"])
    versions = await s.rows("orders", "SELECT version_num FROM alembic_version")
    found = {row["version_num"] for row in versions}
    assert "orders_0003" not in found


async def test_a_cart_that_was_left_before_carts_expired_goes(shop: Any) -> None:
    async with selling(shop, A=5) as s:
        left, used, timed = guest(), str(new_id()), guest()
        for buyer in (left, used, timed):
            await put(s, buyer, "A")
        names = [f"cart:{buyer}" for buyer in (left, used)]
        await s.rows("orders", "DELETE FROM due WHERE name = ANY($1)", names)
        await forget(s, AGED, left, timedelta(days=31))
        await migrated_again(s)
        await migrated_again(s)
        assert [await days_left(s, it) for it in (left, used, timed)] == [
            [0],
            [0],
            [30],
        ]
        due = await s.rows("orders", "SELECT name, slot FROM due ORDER BY name")
        assert [(it["name"], it["slot"]) for it in due] == sorted(
            (f"cart:{buyer}", slot_of(buyer)) for buyer in (left, used, timed)
        )
        for name in names:
            await come_due(s, name)

        async def looked_at() -> bool:
            found = [await days_left(s, buyer) for buyer in (left, used)]
            return found == [[], [180]]

        await eventually(looked_at)
        assert await cart_of(s, left) == {}
        assert await cart_of(s, used) == {"A": 1}


async def test_more_carts_than_fit_in_one_round_are_all_looked_at(shop: Any) -> None:
    async with selling(shop) as s:
        await s.rows(
            "orders",
            """INSERT INTO carts (buyer, state, lines, version, updated_at)
               SELECT 'guest-' || n, 'OPEN', '[]', 1, now()
               FROM generate_series(1, 2001) AS n""",
        )
        await migrated_again(s)
        (count,) = await s.rows("orders", "SELECT count(*) AS n FROM due")
        assert count["n"] == 2001
