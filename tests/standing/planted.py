"""A fault that is planted into a shop that runs, and taken out again."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from tests.audit.planting import Plant
from tests.audit.shop import Sold, take_out, until_published

_TABLE = re.compile(r"(?:(?<!DO )UPDATE|INSERT INTO|DELETE FROM|ALTER TABLE)\s+(\w+)")
_CONSTRAINTS = """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
  WHERE conrelid = $1::text::regclass AND contype = 'c'"""
_STORED = """SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute
  WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
    AND attgenerated = ''"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"


@asynccontextmanager
async def planted(sold: Sold, plant: Plant) -> AsyncIterator[None]:
    """Plant it as a hand would, in one transaction a database; then undo it all."""
    by_database: dict[str, list[str]] = {}
    for name, sql in plant.sql:
        by_database.setdefault(name, []).append(sql % sold.ids)
    places = []
    connections = {name: await asyncpg.connect(sold.urls[name]) for name in by_database}
    kept = {
        name: await _keep(connections[name], by_database[name]) for name in by_database
    }
    try:
        for name, statements in by_database.items():
            async with connections[name].transaction():
                for sql in statements:
                    await connections[name].execute(sql)
        for event in plant.events:
            place = await until_published(sold, event.subject, event.document())
            places.append((event.stream, place))
        yield
    finally:
        for stream, place in places:
            await take_out(sold, stream, place)
        for name, connection in connections.items():
            await _restore(connection, kept[name])
            await connection.close()


async def _keep(connection: Any, statements: list[str]) -> Mapping[str, Any]:
    """What the statements may touch: rows, checks and indexes of their tables."""
    tables = {table for sql in statements for table in _TABLE.findall(sql)}
    kept: dict[str, Any] = {"indexes": dict(await connection.fetch(_INDEXES))}
    kept["tables"] = {}
    for table in sorted(tables):
        checks = dict(await connection.fetch(_CONSTRAINTS, table))
        await connection.execute(f"CREATE TEMP TABLE kept_{table} AS TABLE {table}")
        kept["tables"][table] = checks
    return kept


async def _restore(connection: Any, kept: Mapping[str, Any]) -> None:
    async with connection.transaction():
        # Neither notes nor guards: it never was.
        if await connection.fetchval(
            "SELECT usesuper FROM pg_user WHERE usename = user"
        ):
            await connection.execute("SET LOCAL session_replication_role = replica")
        for table, checks in kept["tables"].items():
            await connection.execute(f"DELETE FROM {table}")
            columns = await connection.fetchval(_STORED, table)
            await connection.execute(
                f"INSERT INTO {table} ({columns}) SELECT {columns} FROM kept_{table}"
            )
            left = dict(await connection.fetch(_CONSTRAINTS, table))
            for name in checks.keys() - left.keys():
                await connection.execute(
                    f"ALTER TABLE {table} ADD CONSTRAINT {name} {checks[name]}"
                )
            await connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        indexes = dict(await connection.fetch(_INDEXES))
        for name in kept["indexes"].keys() - indexes.keys():
            await connection.execute(kept["indexes"][name])
