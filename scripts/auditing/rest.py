"""Rest: waiting until nothing is under way, and saying what still is."""

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec
import nats

from scripts.auditing import streaming
from scripts.auditing.loading import connect as _connect

POLL_SECONDS = 0.2
NEAR_SECONDS = 3.0

_UNPUBLISHED = """SELECT coalesce(sum(last - published), 0)::int FROM
  (SELECT published, (SELECT n FROM outbox WHERE outbox.slot = slots.slot
                      ORDER BY n DESC LIMIT 1) AS last FROM slots) AS slot
  WHERE last > published"""
_TOLD = """SELECT coalesce(sum(last), 0)::int FROM
  (SELECT max(n) AS last FROM outbox GROUP BY slot) AS slot"""
_RUNNING = "SELECT count(*) FROM handled WHERE state < 2"
_DUE = "SELECT count(*) FROM due WHERE at < now() + $1 * interval '1 second'"
_MOVING = {
    "orders": (
        "orders not settled",
        "SELECT count(*) FROM orders WHERE stage NOT IN ('SETTLED', 'AWAITING')",
    ),
    "messaging": (
        "messages queued",
        """SELECT count(*) FROM messages
           WHERE status = 'QUEUED' AND next_attempt_at IS NULL""",
    ),
}


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """How the waiting ended; `waiting` ran already when it began."""

    seconds: float
    busy: dict[str, int] = {}
    waiting: frozenset[UUID] = frozenset()

    @property
    def reached(self) -> bool:
        """Whether the shop is at rest."""
        return not self.busy

    def words(self) -> str:
        """One line for people."""
        if self.reached:
            return f"at rest after {self.seconds:.1f} s"
        parts = ", ".join(f"{name} {count}" for name, count in self.busy.items())
        return f"not at rest after {self.seconds:.1f} s: {parts}"


async def told_so_far(urls: Mapping[str, str]) -> dict[str, int]:
    """How many events each domain has told: two equal answers, and nothing moved."""
    found = {}
    for name, url in urls.items():
        if name != "bank":
            connection = await _connect(url)
            found[name] = await connection.fetchval(_TOLD)
            await connection.close()
    return found


async def wait_for_rest(
    urls: Mapping[str, str], nats_connection: Any, seconds_max: float
) -> Rest:
    """Wait until nothing moves, at most so long."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    connections = {
        name: await _connect(url) for name, url in urls.items() if name != "bank"
    }
    try:
        waiting = await _running_ids(connections)
        while True:
            busy = await _busy(connections, nats_connection)
            seconds = loop.time() - begun
            if not busy or seconds >= seconds_max:
                return Rest(seconds=seconds, busy=busy, waiting=waiting)
            await asyncio.sleep(POLL_SECONDS)
    finally:
        for connection in connections.values():
            await connection.close()


async def _busy(connections: Mapping[str, Any], nats_connection: Any) -> dict[str, int]:
    """What is under way, by its name; nothing at rest."""
    found: dict[str, int] = {}
    for name, connection in connections.items():
        if name in _MOVING:
            words, sql = _MOVING[name]
            found[words] = await connection.fetchval(sql)
        found[f"{name} unpublished"] = await connection.fetchval(_UNPUBLISHED)
        found[f"{name} processes"] = await connection.fetchval(_RUNNING)
        found[f"{name} due"] = await connection.fetchval(_DUE, NEAR_SECONDS)
    try:
        for consumer, count in (await streaming.owed(nats_connection)).items():
            found[f"{consumer} undelivered"] = count
    except (nats.errors.Error, TimeoutError):
        found["NATS away"] = 1
    return {name: count for name, count in found.items() if count}


async def _running_ids(connections: Mapping[str, Any]) -> frozenset[UUID]:
    found: set[UUID] = set()
    for connection in connections.values():
        rows = await connection.fetch("SELECT command_id FROM handled WHERE state < 2")
        found |= {row["command_id"] for row in rows}
    return frozenset(found)
