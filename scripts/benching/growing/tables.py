"""What Postgres says of its tables: their size, and how many rows were read."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg

CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 120.0
SHOWN_BYTES_MIN = 1_000_000

_SIZES = """SELECT coalesce(parent.relname, c.relname) AS name,
    sum(pg_table_size(c.oid))::bigint AS bytes
  FROM pg_class AS c
  LEFT JOIN pg_inherits ON inhrelid = c.oid
  LEFT JOIN pg_class AS parent ON parent.oid = inhparent
  WHERE c.relkind::text = $1 AND c.relnamespace = current_schema()::regnamespace
  GROUP BY 1"""
_READ = """SELECT coalesce(parent.relname, s.relname) AS name,
    sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint AS rows
  FROM pg_stat_user_tables AS s
  LEFT JOIN pg_inherits ON inhrelid = relid
  LEFT JOIN pg_class AS parent ON parent.oid = inhparent
  GROUP BY 1"""
_UNUSED = """SELECT coalesce(parent.relname, i.relname) AS name
  FROM pg_stat_user_indexes AS s
  JOIN pg_class AS i ON i.oid = s.indexrelid
  JOIN pg_index AS x ON x.indexrelid = s.indexrelid
  LEFT JOIN pg_inherits ON inhrelid = s.indexrelid
  LEFT JOIN pg_class AS parent ON parent.oid = inhparent
  WHERE NOT x.indisunique
  GROUP BY 1 HAVING sum(s.idx_scan) = 0 ORDER BY 1"""


async def read_sizes(urls: Mapping[str, str]) -> dict[str, int]:
    """Bytes of each table, and of each index, by `database.name`."""
    found: dict[str, int] = {}
    for kind in ("r", "i"):
        for name, rows in (await _ask(urls, _SIZES, kind)).items():
            found |= {f"{name}.{row['name']}": row["bytes"] for row in rows}
    return found


async def read_rows(urls: Mapping[str, str]) -> dict[str, int]:
    """How many rows were read of each table so far, by `database.table`."""
    found: dict[str, int] = {}
    for name, rows in (await _ask(urls, _READ)).items():
        found |= {f"{name}.{row['name']}": row["rows"] for row in rows}
    return found


async def unused_indexes(urls: Mapping[str, str]) -> list[str]:
    """Indexes that no statement has used since the databases were made."""
    found = await _ask(urls, _UNUSED)
    return [f"{name}.{row['name']}" for name, rows in found.items() for row in rows]


async def read_full_pages(urls: Mapping[str, str]) -> int:
    """How many whole pages all servers have written to their WAL so far.

    The first change of a page after a checkpoint is written so (`full_page_writes`).
    """
    servers = {urlsplit(url).netloc.rpartition("@")[2]: url for url in urls.values()}
    found = await _ask(servers, "SELECT wal_fpi FROM pg_stat_wal")
    return sum(row["wal_fpi"] for rows in found.values() for row in rows)


def rows_each(
    before: Mapping[str, int], after: Mapping[str, int], each: int
) -> dict[str, float]:
    """Rows read of each table an operation, those that were read at all."""
    spent = {name: n - before.get(name, 0) for name, n in after.items()}
    return {name: n / max(each, 1) for name, n in sorted(spent.items()) if n}


def bytes_each(
    before: Mapping[str, int], after: Mapping[str, int], orders: int
) -> dict[str, float]:
    """Bytes an order by which each table and index has grown."""
    grown = {name: size - before.get(name, 0) for name, size in after.items()}
    return {
        name: size / orders
        for name, size in sorted(grown.items(), key=lambda one: -one[1])
        if size >= SHOWN_BYTES_MIN
    }


async def _ask(
    urls: Mapping[str, str], question: str, *values: str
) -> dict[str, list[asyncpg.Record]]:
    found = {}
    for name, url in urls.items():
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS_MAX, command_timeout=STATEMENT_SECONDS_MAX
        )
        try:
            found[name] = await connection.fetch(question, *values)
        finally:
            await connection.close()
    return found
