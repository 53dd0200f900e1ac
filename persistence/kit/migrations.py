"""Migrations, run from code: the kit's tables first, then the domain's own."""

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy as sa
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from persistence.kit import fence

FOLDER = Path(__file__).resolve().parent.parent / "migrations"
LOCK_KEY = 0x534F554B
KIT_REVISION = "kit_0004"
LOCK_MS_MAX = 2_000
LOCK_TRIES_MAX = 5
LOCK_RETRY_SECONDS = 1.0
LOCK_NOT_AVAILABLE = "55P03"
TURN_SECONDS = 0.02


async def migrate(domain: str, url: str, shards: int = 1) -> None:
    """Bring a domain's database to the newest form and spread its slots.

    Safe to run at the same time from several places: an advisory lock lets one in
    at a time, and a migration that has run is not run again. It is safe while a shop
    serves: one that waits for a table's lock gives up soon, since all others wait
    behind it, and is tried again, LOCK_TRIES_MAX times. Several in one process, of
    whatever domains, in tasks or threads, take turns.
    """
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    try:
        for left in reversed(range(LOCK_TRIES_MAX)):
            try:
                async with _turn():
                    await _migrate_once(engine, domain, shards)
            except (sa.exc.DBAPIError, asyncpg.PostgresError) as error:
                if not left or not _lock_was_taken(error):
                    raise
                await asyncio.sleep(LOCK_RETRY_SECONDS)
            else:
                return
    finally:
        await engine.dispose()


_taken = threading.Lock()


@asynccontextmanager
async def _turn() -> AsyncIterator[None]:
    """One migration at a time: alembic's `op` and `context` are the whole process'.

    A second one would write into the database of the first. A thread's lock, asked
    for again and again, holds back threads and the tasks of one loop alike.
    """
    while not _taken.acquire(blocking=False):  # noqa: ASYNC110 - of threads, too
        await asyncio.sleep(TURN_SECONDS)
    try:
        yield
    finally:
        _taken.release()


async def _migrate_once(engine: AsyncEngine, domain: str, shards: int) -> None:
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({LOCK_KEY})"))
        await connection.execute(sa.text(f"SET LOCAL lock_timeout = {LOCK_MS_MAX}"))
        await connection.run_sync(_upgrade, domain)
        raw = await connection.get_raw_connection()
        await fence.assign(raw.driver_connection, shards)


def _lock_was_taken(error: Exception) -> bool:
    said = getattr(error, "orig", error)  # the driver's own, or wrapped
    return getattr(said, "sqlstate", "") == LOCK_NOT_AVAILABLE


async def migrate_all(urls: dict[str, str], shards: dict[str, int]) -> None:
    """Migrate several domains, one after another: alembic has one context."""
    for domain, url in urls.items():
        await migrate(domain, url, shards[domain])


def include(name: str | None, kind: str) -> bool:
    """Whether alembic compares an object: a table's daily partitions it does not."""
    if kind != "table" or name is None:
        return True
    return not (name.endswith("_default") or name[-8:].isdigit())


def metadata_of(domain: str) -> sa.MetaData:
    """The tables of a domain as its code declares them."""
    module = importlib.import_module(f"persistence.{domain}")
    metadata: sa.MetaData = module.metadata
    return metadata


def _upgrade(connection: sa.Connection, domain: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", f"{FOLDER / 'kit'}\n{FOLDER / domain}")
    script = ScriptDirectory.from_config(config)

    for target in (KIT_REVISION, "heads"):
        _run(connection, config, script, target)


def _run(
    connection: sa.Connection, config: Config, script: ScriptDirectory, target: str
) -> None:
    def steps(revision: object, _: object) -> object:
        upgrade: Any = script._upgrade_revs  # noqa: SLF001 - as alembic's own command
        return upgrade(target, revision)

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()
