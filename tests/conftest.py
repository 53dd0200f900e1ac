"""What all tests share: one real Postgres for the run, and shops in this process."""

import asyncio
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import pytest
from xdist.scheduler import LoadScopeScheduling

from scripts.embedded.place import purge
from scripts.embedded.postgres import Postgres
from scripts.launcher.steps import SHOP_FOLDERS
from tests.e2e.shops import LiveShop
from tests.kit.local import Databases, LocalShop, local_shop

MEMORY_FOLDER = "/dev/shm"
MEMORY_BYTES_MIN = 4 << 30
LONG_PROOF_SECONDS_MAX = 1800
WHOLE_SHOP = {"live_shop", "running_shop"}
TOGETHER = (
    "tests/architecture/",
    "tests/audit/",
    "tests/contention/",
    "tests/edge/",
    "tests/golden/",
    "tests/orders/test_carts.py",
    "tests/orders/test_finding.py",
    "tests/orders/test_paying.py",
    "tests/payments/test_localstripe.py",
)
"""Whose tests share what takes long to make: it is made in one process, not in all."""


class Together(LoadScopeScheduling):
    """Gives the processes of a run tests one by one, but those of a place together."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (place for place in TOGETHER if nodeid.startswith(place))
        return next(shared, nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Share out the tests of a run with `-n` so that no shop is made twice."""
    return Together(config, log) if config.getvalue("dist") == "load" else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that uses the whole shop: it runs in one process, for there is one."""
    for item in items:
        if item.get_closest_marker("full") or item.get_closest_marker("notebooks"):
            item.add_marker(pytest.mark.timeout(LONG_PROOF_SECONDS_MAX))
        if WHOLE_SHOP & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)
            if not item.nodeid.startswith((*SHOP_FOLDERS, "tests/notebooks")):
                raise pytest.UsageError(
                    f"of the whole shop, but elsewhere: {item.nodeid}"
                )


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def memory() -> str | None:
    """A folder in memory with room for databases; None where there is none."""
    if not os.access(MEMORY_FOLDER, os.W_OK):
        return None
    return MEMORY_FOLDER if disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES_MIN else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded Postgres for the run, on a port and in a folder of its own.

    Its folder is in memory where there is room: a test makes databases by the hundred.
    """
    with tempfile.TemporaryDirectory(prefix="souk-test-", dir=memory()) as folder:
        Path(folder).chmod(0o711)  # Postgres' own user must reach its data
        server = Postgres(Path(folder), free_port())
        server.start()
        asyncio.run(_spare(server.superuser_url))
        try:
            yield server
        finally:
            server.stop()
            purge(Path(folder))


async def _spare(url: str) -> None:
    """Spare the server what no test of the rows in it can see: power is never lost.

    What a server keeps through a crash is tried on servers that start as they come.
    """
    connection = await asyncpg.connect(url)
    for setting in ("fsync", "full_page_writes", "autovacuum"):
        await connection.execute(f"ALTER SYSTEM SET {setting} = off")
    await connection.execute("ALTER SYSTEM SET scram_iterations = 1")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("SET scram_iterations = 1")
    word = unquote(urlsplit(url).password or "")
    await connection.execute(f"ALTER ROLE postgres PASSWORD '{word}'")
    await connection.close()


@pytest.fixture(scope="session")
async def databases(postgres: Postgres) -> AsyncIterator[Databases]:
    """Makes fresh databases."""
    made = Databases(postgres.superuser_url)
    yield made
    await made.close()


@pytest.fixture(scope="session")
def live_shop() -> Iterator[LiveShop]:
    """A whole shop; `SOUK_E2E_DATA_DIR` names a running one to be used instead."""
    if given := os.environ.get("SOUK_E2E_DATA_DIR"):
        yield LiveShop.running(Path(given))
        return
    with tempfile.TemporaryDirectory(prefix="souk-e2e-") as folder:
        Path(folder).chmod(0o711)  # Postgres' own user must reach its data
        shop = LiveShop(Path(folder) / "data")
        try:
            shop.start()
            yield shop
        finally:
            shop.stop("--purge")


@pytest.fixture
def shop(
    databases: Databases,
) -> Callable[..., AbstractAsyncContextManager[LocalShop]]:
    """What starts a shop of some domains, and ends it with the block."""
    return partial[Any](local_shop, databases)
