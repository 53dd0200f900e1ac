"""What all tests share: one real Postgres for the run, and shops in this process."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from shutil import disk_usage
from typing import Any

import pytest

from scripts.embedded.place import purge
from scripts.embedded.postgres import Postgres
from tests.e2e.shops import LiveShop
from tests.kit.local import Databases, LocalShop, local_shop

MEMORY_FOLDER = "/dev/shm"
MEMORY_BYTES_MIN = 4 << 30
LONG_PROOF_SECONDS_MAX = 1800
WHOLE_SHOP = {"live_shop", "running_shop"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that uses the whole shop: it runs in one process, for there is one."""
    for item in items:
        if item.get_closest_marker("full") or item.get_closest_marker("notebooks"):
            item.add_marker(pytest.mark.timeout(LONG_PROOF_SECONDS_MAX))
        if WHOLE_SHOP & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _memory() -> str | None:
    """A folder in memory with room for databases; None where there is none."""
    if not os.access(MEMORY_FOLDER, os.W_OK):
        return None
    return MEMORY_FOLDER if disk_usage(MEMORY_FOLDER).free > MEMORY_BYTES_MIN else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded Postgres for the run, on a port and in a folder of its own.

    Its folder is in memory where there is room: a test makes databases by the hundred.
    """
    with tempfile.TemporaryDirectory(prefix="souk-test-", dir=_memory()) as folder:
        Path(folder).chmod(0o711)  # Postgres' own user must reach its data
        server = Postgres(Path(folder), free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
            purge(Path(folder))


@pytest.fixture(scope="session")
def databases(postgres: Postgres) -> Databases:
    """Makes fresh databases."""
    return Databases(postgres.superuser_url)


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
