"""What has to hold after every crowd: the audit's checks, on a shop without NATS."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from actors.auditing.books import Check, Stream, Violation
from actors.auditing.checks import CHECKS as ALL
from actors.auditing.checks import audit, effects, events, privacy, processes
from scripts.auditing import loading
from tests.kit.local import LocalShop

REST_SECONDS_MAX = 30.0
POLL_SECONDS = 0.02
QUIET_SECONDS = 0.05
GONE_SECONDS_MAX = 5.0

UNSEEN = {
    events.event_published_once,
    events.event_known,
    events.event_order,
    processes.no_dead_letters,
    privacy.no_person_in_stream,
}
CHECKS: tuple[Check, ...] = tuple(
    check
    for check in ALL
    if check not in UNSEEN and check.__module__ != effects.__name__
)
"""All of the audit's but those that look at the stream and at mails."""

_RUNNING = "SELECT count(*) FROM handled WHERE state = 0"
_MOVING = {
    # Money may still come for a cancelled order, and has to go back.
    "orders": """SELECT count(*) FROM orders
                 WHERE stage NOT IN ('SETTLED', 'AWAITING') OR (status = 'CANCELLED'
                   AND payment_status IN ('PENDING', 'UNKNOWN'))""",
    "payments": """SELECT (SELECT count(*) FROM attempts
                           WHERE status IN ('OPEN', 'UNKNOWN'))
                        + (SELECT count(*) FROM refunds WHERE status = 'PENDING')""",
}
_TOLD = "SELECT count(*) FROM outbox"


async def rest(shop: LocalShop, seconds_max: float = REST_SECONDS_MAX) -> None:
    """Wait until no process has work left and every event has been handled."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds_max
    connections = {name: await loading.connect(url) for name, url in shop.urls.items()}
    try:
        while True:
            await shop.deliver(QUIET_SECONDS)
            delivered = len({e["id"] for e in shop.published[: shop._delivered]})
            busy = await _busy(connections)
            told = sum([await c.fetchval(_TOLD) for c in connections.values()])
            if not busy and delivered == told:
                return
            assert loop.time() < end, f"no rest: {busy}, {delivered} of {told}"
            await asyncio.sleep(POLL_SECONDS)
    finally:
        for connection in connections.values():
            await connection.close()


async def violations(
    shop: LocalShop, bank_url: str | None, answered: Mapping[UUID, str] | None = None
) -> list[Violation]:
    """What the checks find in a shop at rest; without a bank its money is not seen."""
    urls = {**shop.urls, **({"bank": bank_url} if bank_url else {})}
    async with loading.snapshots(urls) as connections:
        books = await loading.load_books(
            connections,
            stream=Stream(),
            shards=dict.fromkeys(shop.urls, shop.shard_count),
            consumers={
                name: frozenset(kind.kind() for kind in domain.consumes())
                for name, domain in shop._classes.items()
            },
            answered=answered,
        )
    return audit(books, CHECKS)


async def deadlocks(superuser_url: str, urls: Sequence[str]) -> int:
    """How often the server broke a deadlock in these databases.

    A session counts when it ends, so this waits until there is none left.
    """
    names = [url.rsplit("/", 1)[1] for url in urls]
    connection = await asyncpg.connect(superuser_url)
    try:
        await _until_gone(connection, names)
        return int(
            await connection.fetchval(
                "SELECT sum(deadlocks) FROM pg_stat_database WHERE datname = ANY($1)",
                names,
            )
        )
    finally:
        await connection.close()


async def _until_gone(connection: Any, names: Sequence[str]) -> None:
    end = asyncio.get_running_loop().time() + GONE_SECONDS_MAX
    sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY($1)"
    while sessions := await connection.fetchval(sql, names):
        assert asyncio.get_running_loop().time() < end, f"{sessions} sessions stay"
        await asyncio.sleep(POLL_SECONDS)


async def _busy(connections: Mapping[str, Any]) -> dict[str, int]:
    """What is under way, each domain at one moment of it, in the order of their asks.

    Two statements would miss what goes from the one's sight into the other's.
    """
    found = {}
    for name, connection in connections.items():
        sql = f"SELECT ({_RUNNING}) + ({_MOVING.get(name, 'SELECT 0')})"
        if count := await connection.fetchval(sql):
            found[name] = count
    return found
