"""Holds: what is promised to an order, to a transfer or for a time, by SKU."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from persistence.inventory.states import Hold, TimedHold
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

Key = tuple[UUID, str]


async def load_holds(tx: Tx, keys: Iterable[Key]) -> tuple[dict[Key, Hold], int]:
    """The holds of (order, SKU) pairs, and the warehouses' generation.

    Absent holds are left out. The generation comes along so that a round which only
    promises pieces asks for nothing else; `keys` must not be empty.
    """
    wanted = sorted(set(keys))
    rows = await tx.fetch(
        """SELECT (SELECT sum(version)::int FROM warehouses) AS generation,
             wanted.order_id, wanted.sku, attempt, state, quantity, shipped, parts
           FROM unnest($1::uuid[], $2::text[]) AS wanted (order_id, sku)
             LEFT JOIN holds ON holds.order_id = wanted.order_id
               AND holds.sku = wanted.sku""",
        [order_id for order_id, _ in wanted],
        [sku for _, sku in wanted],
    )
    found = {(row["order_id"], row["sku"]): _hold(row) for row in rows if row["state"]}
    return found, rows[0]["generation"]


SAVE_HOLDS = """
  INSERT INTO holds (order_id, sku, attempt, state, quantity, shipped, parts,
    updated_at)
  SELECT order_id, sku, attempt, state, quantity, shipped, parts::jsonb, $1
  FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::int[], $7::int[],
              $8::text[])
    AS held (order_id, sku, attempt, state, quantity, shipped, parts)
  ON CONFLICT (order_id, sku) DO UPDATE SET attempt = excluded.attempt,
    state = excluded.state, quantity = excluded.quantity, shipped = excluded.shipped,
    parts = excluded.parts, updated_at = excluded.updated_at"""
"""Takes the time and `columns_of_holds`."""


async def save_holds(tx: Tx, holds: Iterable[Hold]) -> None:
    """Insert or update holds that change without their stock, in one statement."""
    await tx.execute(SAVE_HOLDS, tx.now, *columns_of_holds(holds))


def columns_of_holds(holds: Iterable[Hold]) -> tuple[list[Any], ...]:
    """The holds' values by column, sorted by primary key."""
    rows = sorted(holds, key=lambda hold: (hold.order_id, hold.sku))
    return (
        [hold.order_id for hold in rows],
        [hold.sku for hold in rows],
        [hold.attempt for hold in rows],
        [hold.state for hold in rows],
        [hold.quantity for hold in rows],
        [hold.shipped for hold in rows],
        [msgspec.json.encode(hold.parts).decode() for hold in rows],
    )


async def load_timed(tx: Tx, keys: Iterable[Key]) -> dict[Key, TimedHold]:
    """Of those holds that end by the clock, when they do."""
    wanted = sorted(set(keys))
    rows = await tx.fetch(
        """SELECT hold_id, sku, expires_at, order_id FROM timed_holds
           WHERE (hold_id, sku) IN (SELECT * FROM unnest($1::uuid[], $2::text[]))""",
        [hold_id for hold_id, _ in wanted],
        [sku for _, sku in wanted],
    )
    return {(row["hold_id"], row["sku"]): TimedHold(**dict(row)) for row in rows}


async def save_timed(tx: Tx, timed: Iterable[TimedHold]) -> None:
    """Remember that these holds end by the clock; once each."""
    rows = sorted(timed, key=lambda one: (one.hold_id, one.sku))
    await tx.execute(
        """INSERT INTO timed_holds (hold_id, sku, expires_at, order_id)
           SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[])
           ON CONFLICT DO NOTHING""",
        [one.hold_id for one in rows],
        [one.sku for one in rows],
        [one.expires_at for one in rows],
        [one.order_id for one in rows],
    )


async def read_timed(db: Db, hold_id: UUID) -> Sequence[Hold]:
    """The lines of a hold that ends by the clock, by SKU; none for any other."""
    rows = await db.fetch(
        """SELECT holds.order_id, sku, attempt, state, quantity, shipped, parts
           FROM timed_holds JOIN holds USING (sku)
           WHERE timed_holds.hold_id = $1 AND holds.order_id = $1 ORDER BY sku""",
        hold_id,
    )
    return [_hold(row) for row in rows]


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
