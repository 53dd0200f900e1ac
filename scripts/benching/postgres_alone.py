"""Postgres alone on the rows of a hold: no actor, no HTTP, no event.

The tables are copies of inventory's in a schema of their own, in the same database and
with the same indexes; the schema is dropped afterwards.
"""

import asyncio
import json
import time
import uuid
from typing import Any

import asyncpg
import msgspec

CONNECTIONS = 32
BATCH = 64
STATEMENT_SECONDS_MAX = 30.0
SKU = "BENCH-HOT"

_MAKE = """
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.stock (LIKE stock INCLUDING DEFAULTS INCLUDING INDEXES);
CREATE TABLE bench.holds (LIKE holds INCLUDING DEFAULTS INCLUDING INDEXES);
CREATE TABLE bench.outbox (LIKE outbox INCLUDING DEFAULTS INCLUDING INDEXES);
"""
_STOCK = """INSERT INTO bench.stock
  (sku, warehouse_id, on_hand, reserved, threshold, version)
  VALUES ($1, $2, 2000000000, 0, 0, 1)"""
_TAKE = """UPDATE bench.stock SET reserved = reserved + $2, version = version + 1
  WHERE sku = $1 AND reserved + $2 <= on_hand RETURNING version"""
_HOLDS = """INSERT INTO bench.holds
  (order_id, sku, attempt, state, quantity, shipped, parts, updated_at)
  SELECT id, $2, 1, 'HELD', 1, 0, $3::jsonb, now() FROM unnest($1::uuid[]) AS id"""
_OUTBOX = """INSERT INTO bench.outbox (slot, n, day, id, subject, payload)
  SELECT 1, $2 - place, current_date, id, 'events.inventory.stock_reserved', $3
  FROM unnest($1::uuid[]) WITH ORDINALITY AS told (id, place)"""


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """Holds on one SKU a second: one in a transaction, or a batch in a statement."""

    single_row_per_second: float
    connections: int
    batch_per_second: float
    batch: int


async def measure_alone(url: str, seconds: float) -> Alone:
    """Both ways, one after the other."""
    owner = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
    await owner.execute(_MAKE)
    try:
        await owner.execute(_STOCK, SKU, uuid.uuid4())
        async with asyncpg.create_pool(
            url,
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            command_timeout=STATEMENT_SECONDS_MAX,
        ) as pool:
            sessions = [await pool.acquire() for _ in range(CONNECTIONS)]
            single = await _rate(sessions, 1, seconds)
            batch = await _rate(sessions[:1], BATCH, seconds)
            for session in sessions:
                await pool.release(session)
    finally:
        await owner.execute("DROP SCHEMA bench CASCADE")
        await owner.close()
    return Alone(
        single_row_per_second=single,
        connections=CONNECTIONS,
        batch_per_second=batch,
        batch=BATCH,
    )


async def _rate(sessions: list[Any], size: int, seconds: float) -> float:
    begun = time.perf_counter()

    async def client(session: Any) -> int:
        count = 0
        while time.perf_counter() - begun < seconds:
            await _hold(session, size)
            count += size
        return count

    counts = await asyncio.gather(*(client(session) for session in sessions))
    return sum(counts) / (time.perf_counter() - begun)


async def _hold(session: Any, size: int) -> None:
    """Hold so many pieces, one an order, in one transaction with their events."""
    ids = [uuid.uuid4() for _ in range(size)]
    async with session.transaction():
        version = await session.fetchval(_TAKE, SKU, size)
        await session.execute(_HOLDS, ids, SKU, json.dumps([]))
        # Numbers of one transaction follow each other, as those of a slot do.
        await session.execute(_OUTBOX, ids, (version + 1) * (BATCH + 1), "{}" * 128)
