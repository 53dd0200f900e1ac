"""Tables by day: tomorrow's partition is made in time, old ones are dropped whole."""

from datetime import date, timedelta
from typing import Any

DAYS_AHEAD = 3
LOCK_KEY = 0x50415254

NEEDED = {
    "outbox": "n > (SELECT published FROM slots WHERE slots.slot = kept.slot)",
    "handled": "state < 2",
}
"""Rows that outlive their days: events not published yet, processes not ended yet."""

NOTED = {"audit": "audit_days"}
"""Tables that note the days of another: their rows go with those days."""


async def ensure(connection: Any) -> int:
    """Make the partitions of the coming days and drop those past their `days_max`.

    Returns how many of those stay, because they hold a row that is still needed: the
    bridge has been away for days, or a process does not end.

    A table says in its comment how long it is kept; the day of an old row goes to the
    default partition, from which it is deleted when its time has passed. Each table
    has a transaction of its own, so that it waits for batches but never holds one
    table while it waits for another.
    """
    overdue = 0
    for table, days_max in await _partitioned(connection):
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_KEY)
            today: date = await connection.fetchval("SELECT current_date")
            for ahead in range(DAYS_AHEAD + 1):
                await _make(connection, table, today + timedelta(days=ahead))
            first = today - timedelta(days=days_max)
            overdue += await _drop_old(connection, table, first)
    return overdue


async def are_there(connection: Any) -> bool:
    """Whether the partitions of the coming days are made already: a look is cheap."""
    tables = [table for table, _ in await _partitioned(connection)]
    if not tables:
        return True
    today: date = await connection.fetchval("SELECT current_date")
    days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    names = [_name(table, day) for table in tables for day in days]
    found = await connection.fetch(
        """SELECT relname FROM pg_class WHERE relname = ANY($1)
             AND relnamespace = current_schema()::regnamespace""",
        names,
    )
    return len(found) == len(names)


async def _partitioned(connection: Any) -> list[tuple[str, int]]:
    rows = await connection.fetch(
        """SELECT relname,
             (regexp_match(obj_description(oid), 'kept (\\d+) days'))[1]::int
             AS days_max
           FROM pg_class
           WHERE relkind = 'p' AND relnamespace = current_schema()::regnamespace
           ORDER BY relname"""
    )
    return [(row["relname"], row["days_max"]) for row in rows if row["days_max"]]


async def _make(connection: Any, table: str, day: date) -> None:
    name = _name(table, day)
    if await connection.fetchval("SELECT to_regclass($1) IS NULL", name):
        await connection.execute(
            f"CREATE TABLE {name} PARTITION OF {table} "
            f"FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
        )


async def _drop_old(connection: Any, table: str, first: date) -> int:
    rows = await connection.fetch(
        """SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
           WHERE inhparent = $1::text::regclass AND relname ~ '_[0-9]{8}$'
             AND right(relname, 8) < $2 ORDER BY relname""",
        table,
        f"{first:%Y%m%d}",
    )
    needed, overdue = NEEDED.get(table, "false"), 0
    for row in rows:
        name = row["relname"]
        if await connection.fetchval(
            f"SELECT EXISTS (SELECT FROM {name} AS kept WHERE {needed})"
        ):
            overdue += 1
        else:
            await connection.execute(f"DROP TABLE {name}")
    await connection.execute(
        f"DELETE FROM {table}_default AS kept WHERE day < $1 AND NOT ({needed})",
        first,
    )
    if table in NOTED:
        await connection.execute(f"DELETE FROM {NOTED[table]} WHERE day < $1", first)
    return overdue


def _name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"
