"""Reading what an order left everywhere: databases, bank, stream."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from tests.e2e.shops import LiveShop
from tests.e2e.waiting import until


async def order_row(shop: LiveShop, order_id: str) -> dict[str, Any]:
    """The order as orders' database has it."""
    sql = "SELECT * FROM orders WHERE id = $1"
    return (await shop.rows("orders", sql, UUID(order_id)))[0]


async def holds(shop: LiveShop, order_id: str) -> dict[str, tuple[str, int]]:
    """By SKU how inventory holds an order's pieces, and how many."""
    sql = "SELECT sku, state, quantity FROM holds WHERE order_id = $1"
    rows = await shop.rows("inventory", sql, UUID(order_id))
    return {row["sku"]: (row["state"], row["quantity"]) for row in rows}


async def stock(shop: LiveShop, sku: str) -> tuple[int, int]:
    """Pieces on hand, and pieces promised, over all warehouses."""
    sql = """SELECT coalesce(sum(on_hand), 0)::int AS hand,
                    coalesce(sum(reserved), 0)::int AS promised
             FROM stock WHERE sku = $1"""
    row = (await shop.rows("inventory", sql, sku))[0]
    return row["hand"], row["promised"]


async def replayed(shop: LiveShop, sku: str) -> tuple[int, int]:
    """The stock that the SKU's movements add up to."""
    sql = """SELECT coalesce(sum(on_hand_after - on_hand_before), 0)::int AS hand,
                    coalesce(sum(reserved_after - reserved_before), 0)::int AS promised
             FROM movements WHERE sku = $1"""
    row = (await shop.rows("inventory", sql, sku))[0]
    return row["hand"], row["promised"]


async def payment_row(shop: LiveShop, order_id: str) -> dict[str, Any]:
    """The payment as payments' database has it."""
    sql = "SELECT * FROM payments WHERE order_id = $1"
    return (await shop.rows("payments", sql, UUID(order_id)))[0]


async def ledger_sum(shop: LiveShop, payment_id: UUID) -> tuple[int, int]:
    """How many lines the payment's ledger has, and what they add up to (nothing)."""
    sql = """SELECT count(*)::int AS lines, coalesce(sum(amount_minor), 0)::int AS sum
             FROM ledger_lines WHERE payment_id = $1"""
    row = (await shop.rows("payments", sql, payment_id))[0]
    return row["lines"], row["sum"]


async def charges(shop: LiveShop, order_id: str) -> list[dict[str, Any]]:
    """The bank's charges for an order."""
    ledger = await shop.bank_ledger()
    return [
        line
        for line in ledger
        if line["type"] == "charge" and line["order_id"] == order_id
    ]


async def names_told(shop: LiveShop, *subjects: object) -> list[str]:
    """The names of the events of these entities, in the stream's order."""
    return [short(event) for event in await shop.events(*subjects)]


def short(event: dict[str, Any]) -> str:
    """`order_placed` of `orders.order_placed.v1`."""
    return str(event["type"].split(".")[1])


async def told(shop: LiveShop, subject: object, *names: str) -> list[dict[str, Any]]:
    """The entity's events, once they are those that are expected, in that order."""

    async def look() -> list[dict[str, Any]]:
        found = await shop.events(subject)
        return found if [short(event) for event in found] == list(names) else []

    try:
        return await until(look, f"events of {subject}")
    except AssertionError:
        assert await names_told(shop, subject) == list(names)
        raise


def check_stream(events: list[dict[str, Any]]) -> None:
    """Each event once, and each entity's numbered from one without a gap."""
    ids = [event["id"] for event in events]
    assert len(ids) == len(set(ids))
    numbers = defaultdict(list)
    for event in events:
        numbers[event["source"], event["subject"]].append(int(event["sequence"]))
    gaps = {
        entity: found
        for entity, found in numbers.items()
        if found != list(range(1, len(found) + 1))
    }
    assert gaps == {}
