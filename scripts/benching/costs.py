"""What Postgres counts: transactions, WAL bytes and fsyncs; and whether it is durable.

A session tells its counts at most once a second, and an idle one later: whoever reads
them waits for that first.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg
import msgspec

STATISTICS_SECONDS = 1.5
CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 10.0
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")

_TRANSACTIONS = """SELECT xact_commit + xact_rollback FROM pg_stat_database
  WHERE datname = current_database()"""
_WAL_BYTES = "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"
_FSYNCS = "SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'"


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """Counts so far: transactions by database, WAL and its fsyncs of all servers."""

    transactions: dict[str, int]
    wal_bytes: int
    fsyncs: int

    def since(self, before: "Costs") -> "Costs":
        """What was added between the two."""
        return Costs(
            transactions={
                name: count - before.transactions[name]
                for name, count in self.transactions.items()
            },
            wal_bytes=self.wal_bytes - before.wal_bytes,
            fsyncs=self.fsyncs - before.fsyncs,
        )


async def read_costs(
    urls: Mapping[str, str], wait_seconds: float = STATISTICS_SECONDS
) -> Costs:
    """Wait until sessions have told, then read; WAL once a server."""
    await asyncio.sleep(wait_seconds)
    servers = {urlsplit(url).netloc.rpartition("@")[2]: url for url in urls.values()}
    told = await asyncio.gather(*(_one(url, _TRANSACTIONS) for url in urls.values()))
    wal = await asyncio.gather(*(_one(url, _WAL_BYTES) for url in servers.values()))
    fsyncs = await asyncio.gather(*(_one(url, _FSYNCS) for url in servers.values()))
    return Costs(
        transactions=dict(zip(urls, told, strict=True)),
        wal_bytes=sum(wal),
        fsyncs=sum(fsyncs),
    )


async def read_durability(urls: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What each database says of DURABLE, as a new session of its role sees it."""
    found: dict[str, dict[str, str]] = {}
    for name, url in urls.items():
        connection = await asyncpg.connect(
            url, timeout=CONNECT_SECONDS_MAX, command_timeout=STATEMENT_SECONDS_MAX
        )
        try:
            found[name] = {
                each: await connection.fetchval(f"SHOW {each}") for each in DURABLE
            }
        finally:
            await connection.close()
    return found


def not_durable(said: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Each setting that is not on, by database."""
    return [
        f"{database}: {name} is {values.get(name, 'not known')}"
        for database, values in said.items()
        for name in DURABLE
        if values.get(name) != "on"
    ]


async def _one(url: str, question: str) -> int:
    connection = await asyncpg.connect(
        url, timeout=CONNECT_SECONDS_MAX, command_timeout=STATEMENT_SECONDS_MAX
    )
    try:
        return int(await connection.fetchval(question))
    finally:
        await connection.close()
