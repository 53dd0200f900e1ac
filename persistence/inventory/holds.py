"""Holds: what is promised to an order, by SKU."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from persistence.inventory.states import Hold
from persistence.kit.transaction import Tx


async def load_holds(
    tx: Tx, keys: Iterable[tuple[UUID, str]]
) -> dict[tuple[UUID, str], Hold]:
    """The holds of (order, SKU) pairs; absent ones are left out."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(
        """SELECT order_id, sku, attempt, state, quantity, shipped, parts FROM holds
           WHERE (order_id, sku) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))""",
        [order_id for order_id, _ in wanted],
        [sku for _, sku in wanted],
    )
    return {(row["order_id"], row["sku"]): _hold(row) for row in rows}


async def save_holds(tx: Tx, holds: Iterable[Hold]) -> None:
    """Insert or update holds, in one statement."""
    rows = sorted(holds, key=lambda hold: (hold.order_id, hold.sku))
    await tx.execute(
        """INSERT INTO holds (order_id, sku, attempt, state, quantity, shipped, parts,
                              updated_at)
           SELECT order_id, sku, attempt, state, quantity, shipped, parts::jsonb, $8
           FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::int[],
                       $6::int[], $7::text[])
             AS held (order_id, sku, attempt, state, quantity, shipped, parts)
           ON CONFLICT (order_id, sku) DO UPDATE SET attempt = excluded.attempt,
             state = excluded.state, quantity = excluded.quantity,
             shipped = excluded.shipped, parts = excluded.parts,
             updated_at = excluded.updated_at""",
        [hold.order_id for hold in rows],
        [hold.sku for hold in rows],
        [hold.attempt for hold in rows],
        [hold.state for hold in rows],
        [hold.quantity for hold in rows],
        [hold.shipped for hold in rows],
        [_encode_parts(hold) for hold in rows],
        tx.now,
    )


def _encode_parts(hold: Hold) -> str:
    return msgspec.json.encode({str(k): v for k, v in hold.parts.items()}).decode()


def _hold(row: Any) -> Hold:
    return Hold(
        order_id=row["order_id"],
        sku=row["sku"],
        attempt=row["attempt"],
        state=row["state"],
        quantity=row["quantity"],
        shipped=row["shipped"],
        parts=msgspec.json.decode(row["parts"], type=dict[UUID, int]),
    )
