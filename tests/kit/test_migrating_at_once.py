"""Migrations of several domains at once: each database gets its own tables alone."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import asyncpg
import pytest

from actors import DOMAINS
from persistence.kit.migrations import metadata_of, migrate
from tests.kit.local import Databases

AT_ONCE_TIMES = 5
"""So many times; without turns the first one or two fail."""


async def tables(url: str) -> set[str]:
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch(
            """SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')
                 AND NOT relispartition AND relname <> 'alembic_version'
                 AND relnamespace = 'public'::regnamespace"""
        )
    finally:
        await connection.close()
    return {row["relname"] for row in rows}


async def at_once(databases: Databases, domains: list[str]) -> None:
    """Migrate empty databases: every other in a thread, the rest as tasks here."""
    names = {domain: f"at_once_{domain}_{uuid4().hex[:8]}" for domain in domains}
    for name in names.values():
        await databases._run(f"CREATE DATABASE {name}")
    urls = {domain: databases._at(name) for domain, name in names.items()}
    loop = asyncio.get_running_loop()

    def in_a_thread(domain: str, url: str) -> None:
        asyncio.run(migrate(domain, url))

    with ThreadPoolExecutor(len(domains)) as threads:
        await asyncio.gather(
            *(
                loop.run_in_executor(threads, in_a_thread, domain, url)
                if number % 2
                else migrate(domain, url)
                for number, (domain, url) in enumerate(urls.items())
            )
        )
    for domain, url in urls.items():
        assert await tables(url) == set(metadata_of(domain).tables), domain
        await databases.drop(url)


async def test_migrations_in_tasks_and_threads_of_one_process_take_turns(
    databases: Databases,
) -> None:
    """Guards migrations.py: `async with _turn():`."""
    await at_once(databases, ["files", "notifications", "messaging"])


@pytest.mark.full
async def test_all_domains_are_migrated_at_once_many_times(
    databases: Databases,
) -> None:
    for _ in range(AT_ONCE_TIMES):
        await at_once(databases, list(DOMAINS))
