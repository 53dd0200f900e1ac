"""Postgres alone on the rows of a hold: no actor, no HTTP, and nothing published.

The tables are copies of inventory's in a schema of their own, in the same database and
with the same indexes, checks and room in their pages; the schema is dropped afterwards.
A hold changes the SKU's stock and leaves a hold, a movement and an event in the outbox,
all in one statement, which is its own transaction: no other way was seen to be faster.
The event's number is the stock's version, so that Postgres is spared the row that the
shop counts it in.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec

from bus.inventory import StockReserved

CONNECTIONS = 32
BATCH = 256
"""As many messages as a shard takes into a transaction (`BATCH_MAX`)."""
STATEMENT_SECONDS_MAX = 30.0
SKU = "BENCH-HOT"

_MAKE = """
DROP SCHEMA IF EXISTS bench CASCADE;
CREATE SCHEMA bench;
CREATE TABLE bench.stock (LIKE stock INCLUDING ALL) WITH (fillfactor = 50);
CREATE TABLE bench.holds (LIKE holds INCLUDING ALL) WITH (fillfactor = 70);
CREATE TABLE bench.movements (LIKE movements INCLUDING ALL);
CREATE TABLE bench.outbox (LIKE outbox INCLUDING ALL);
"""
_STOCK = """INSERT INTO bench.stock
  (sku, warehouse_id, on_hand, reserved, threshold, version)
  VALUES ($1, $2, 2000000000, 0, 0, 1)"""
_HOLD = """
WITH wanted AS (
  SELECT id, place FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place)),
taken AS (
  UPDATE bench.stock SET reserved = reserved + $3, version = version + $3
  WHERE sku = $2 AND reserved + $3 <= on_hand
  RETURNING warehouse_id, on_hand, reserved - $3 AS reserved, version - $3 AS version),
held AS (
  INSERT INTO bench.holds
    (order_id, sku, attempt, state, quantity, shipped, parts, updated_at)
  SELECT id, $2, 1, 'HELD', 1, 0, jsonb_build_object(warehouse_id::text, 1), now()
  FROM wanted, taken),
moved AS (
  INSERT INTO bench.movements (sku, number, warehouse_id, version, id, kind, reason,
    order_id, on_hand_before, on_hand_after, reserved_before, reserved_after,
    created_at)
  SELECT $2, version + place, warehouse_id, version + place, id, 'RESERVE', 'order',
    id, on_hand, on_hand, reserved + place - 1, reserved + place, now()
  FROM wanted, taken)
INSERT INTO bench.outbox (slot, n, day, id, subject, payload)
SELECT 1, version + place, current_date, id, $4, $5 FROM wanted, taken
"""


class Alone(msgspec.Struct, frozen=True, kw_only=True):
    """Holds on one SKU a second: one in a transaction, or a batch in a statement."""

    single_row_per_second: float
    connections: int
    batch_per_second: float
    batch: int


class Postgres:
    """Sessions beside the shop's, on the copies."""

    def __init__(self, sessions: list[Any]) -> None:
        self._sessions = sessions

    async def single_rows(self, seconds: float) -> float:
        """Holds a second: one in a transaction, on all connections at once."""
        return await self._rate(self._sessions, 1, seconds)

    async def batches(self, seconds: float) -> float:
        """Holds a second: BATCH in a statement, on one connection."""
        return await self._rate(self._sessions[:1], BATCH, seconds)

    async def _rate(self, sessions: list[Any], size: int, seconds: float) -> float:
        begun = time.perf_counter()
        payload = _payload()

        async def client(session: Any) -> int:
            count = 0
            while time.perf_counter() - begun < seconds:
                ids = [uuid.uuid4() for _ in range(size)]
                tag = await session.execute(
                    _HOLD, ids, SKU, size, StockReserved.nats_subject(), payload
                )
                count += int(tag.rpartition(" ")[2])
            return count

        counts = await asyncio.gather(*(client(session) for session in sessions))
        return sum(counts) / (time.perf_counter() - begun)


@asynccontextmanager
async def postgres_alone(url: str) -> AsyncIterator[Postgres]:
    """The copies and the sessions, while the context lasts."""
    owner = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
    await owner.execute(_MAKE)
    sessions: list[Any] = []
    try:
        await owner.execute(_STOCK, SKU, uuid.uuid4())
        while len(sessions) < CONNECTIONS:
            one = await asyncpg.connect(url, command_timeout=STATEMENT_SECONDS_MAX)
            sessions.append(one)
        yield Postgres(sessions)
    finally:
        for session in sessions:
            await session.close()
        await owner.execute("DROP SCHEMA bench CASCADE")
        await owner.close()


async def measure_alone(url: str, seconds: float) -> Alone:
    """Both ways, one after the other."""
    async with postgres_alone(url) as postgres:
        return Alone(
            single_row_per_second=await postgres.single_rows(seconds),
            connections=CONNECTIONS,
            batch_per_second=await postgres.batches(seconds),
            batch=BATCH,
        )


def _payload() -> str:
    """As long as the document of the event that a hold leaves."""
    event = StockReserved(
        sku=SKU, order_id=uuid.uuid4(), quantity=1, available=1_000_000
    )
    document = {
        "specversion": "1.0",
        "id": uuid.uuid4(),
        "source": f"/{event.domain}",
        "type": f"{event.domain}.{event.message_name}.v{event.type_version}",
        "subject": SKU,
        "time": "2026-01-01T00:00:00.000000Z",
        "sequence": "1000000",
        "data": event,
    }
    return msgspec.json.encode(document).decode()
