"""Loads the past by COPY into the databases of a shop that does not run."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from bus.kit.addressing import slot_of
from scripts.benching.growing.columns import Table
from scripts.benching.growing.copying import copy_lines, forget_events
from scripts.benching.growing.goods import load_goods, read_shelves, save_shelves
from scripts.benching.growing.past import (
    DELIVERED_AFTER,
    ENDED_DAYS_AGO,
    Span,
    Ware,
    past,
)
from scripts.benching.growing.rows import Moment, rows_of
from scripts.launcher.failures import Failure

CHUNK = 5_000
STATEMENT_SECONDS_MAX = 900.0
CONNECT_SECONDS_MAX = 10.0
DAYS_KEPT = {"orders": {"timeline": 400, "audit": 400}, "messaging": {"messages": 90}}
TOLD_EACH = {"orders": 4, "payments": 1, "notifications": 3, "messaging": 3}
"""About how many events each domain has told of an order; inventory of its SKUs."""
PAST_DAYS = ENDED_DAYS_AGO - DELIVERED_AFTER.days - 1
"""What is older than this is of the past; what is younger was bought under measure."""

Databases = Mapping[str, Any]


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """What one loading came to: so many orders, `orders_new` of them by it."""

    orders: int
    orders_new: int
    rows: int
    seconds: float


async def load_past(
    urls: Mapping[str, str],
    *,
    orders: int,
    span_orders: int,
    products: int,
    today: datetime | None = None,
) -> Loaded:
    """Bring the shop to so many orders of the past; those that are there stay.

    Raises `Failure` when an earlier loading was interrupted, or with other products:
    such a shop is deleted and made anew.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with AsyncExitStack() as stack:
        databases: dict[str, Any] = {}
        for name, url in urls.items():
            databases[name] = await _connect(url)
            stack.push_async_callback(databases[name].close)
        moment, span = await _moment(databases, today, span_orders)
        await _make_days(databases, moment.now.date())
        wares = await load_goods(databases, products, moment)
        there = await _there(databases)
        rows = await _load_orders(databases, range(there, orders), span, wares, moment)
        await asyncio.gather(*(_refresh(one) for one in databases.values()))
    return Loaded(
        orders=max(orders, there),
        orders_new=max(0, orders - there),
        rows=rows,
        seconds=loop.time() - begun,
    )


async def _load_orders(
    databases: Databases,
    orders: range,
    span: Span,
    wares: Sequence[Ware],
    moment: Moment,
) -> int:
    person = await databases["users"].fetchval(
        "SELECT id FROM users WHERE email = 'customer@souk.example'"
    )
    if person is None:
        raise Failure("there is no demo customer (SOUK_DEMO=0?)")
    shelves = await read_shelves(databases["inventory"], wares)
    written = 0
    told: dict[str, Counter[int]] = defaultdict(Counter)
    for first in range(orders.start, orders.stop, CHUNK):
        numbers = range(first, min(first + CHUNK, orders.stop))
        lines: dict[Table, list[str]] = defaultdict(list)
        for number in numbers:
            one = past(number, span, wares, UUID(str(person)))
            for table, line in rows_of(one, moment, shelves):
                lines[table].append(line)
            slot = slot_of(one.id)
            for name, each in TOLD_EACH.items():
                told[name][slot] += each
        written += sum(map(len, lines.values()))
        await copy_lines(databases, lines)
    await save_shelves(databases, shelves, wares)
    if written:
        for name, counts in told.items():
            await forget_events(databases[name], counts)
    return written


async def _connect(url: str) -> Any:
    return await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=STATEMENT_SECONDS_MAX,
        server_settings={"application_name": "growth", "synchronous_commit": "off"},
    )


async def _moment(
    databases: Databases, today: datetime | None, span_orders: int
) -> tuple[Moment, Span]:
    """Now, and where the past begins: for a shop that has one, where it does."""
    admin = await databases["users"].fetchval(
        "SELECT id FROM users WHERE role = 'ADMIN' ORDER BY id LIMIT 1"
    )
    if admin is None:
        raise Failure("there is no administrator whose doings the past could have")
    now = today or datetime.now(UTC)
    span = Span.before(now, span_orders)
    first = await databases["orders"].fetchval(
        "SELECT created_at FROM orders ORDER BY id LIMIT 1"
    )
    if first is not None and first < now - timedelta(days=PAST_DAYS):
        span = Span(first, span_orders)
    return Moment(now, str(admin)), span


async def _there(databases: Databases) -> int:
    """How many orders of the past there are; their payments must be as many."""
    found = {
        name: await databases[name].fetchval(
            f"SELECT count(*) FROM {name} "  # noqa: S608 - our own names
            "WHERE created_at < now() - $1 * interval '1 day'",
            PAST_DAYS,
        )
        for name in ("orders", "payments")
    }
    if found["orders"] != found["payments"]:
        raise Failure(f"an earlier loading was interrupted: {found}; make it anew")
    return int(found["orders"])


async def _make_days(databases: Databases, today: date) -> None:
    """The partitions that a shop of that age has, each as the kit makes it."""
    for name, tables in DAYS_KEPT.items():
        for table, days in tables.items():
            for ago in range(days, 0, -1):
                day = today - timedelta(days=ago)
                part = f"{table}_{day:%Y%m%d}"
                if await databases[name].fetchval("SELECT to_regclass($1)", part):
                    continue
                await databases[name].execute(
                    f"CREATE TABLE {part} PARTITION OF {table} FOR VALUES"
                    f" FROM ('{day}') TO ('{day + timedelta(days=1)}')"
                )


async def _refresh(database: Any) -> None:
    """Statistics and visibility as fresh as autovacuum would have them."""
    await database.execute("VACUUM (ANALYZE)")
