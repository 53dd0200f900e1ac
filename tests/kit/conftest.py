"""A shop of toys, and a NATS of the run's own."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from persistence.kit import partitions
from scripts.embedded.nats import Nats
from tests.conftest import free_port
from tests.kit import toy
from tests.kit.local import Databases, LocalShop, local_shop
from tests.kit.toy_domain import Echo, Toy

Shops = Callable[..., AbstractAsyncContextManager[LocalShop]]


@pytest.fixture(scope="session")
def plain_logs() -> Iterator[None]:
    """Log lines without drawings: the bugs planted here are many."""
    structlog.configure(
        processors=[
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
async def toy_databases(databases: Databases) -> Databases:
    """Databases whose templates hold the toys' tables."""
    for name in ("toy", "echo"):
        await databases.drop(await databases.fresh(name, 1))
        template = await asyncpg.connect(databases._at(f"template_{name}"))
        if await template.fetchval("SELECT to_regclass('journal') IS NULL"):
            await template.execute(toy.TABLES)  # once: tests/telemetry asks for it too
        await partitions.ensure(template)
        await template.close()
    return databases


@pytest.fixture
def toys(toy_databases: Databases, plain_logs: None) -> Iterator[Shops]:
    """Start the toy on two shards; `"echo"` adds the domain that consumes it."""

    def make(
        *more: str, shards: int = 2, standbys: int = 0
    ) -> AbstractAsyncContextManager[LocalShop]:
        fakes: dict[str, Any] = {"toy": Toy, "echo": Echo}
        return local_shop(
            *(toy_databases, "toy", *more),
            shards=shards,
            fakes=fakes,
            standbys=standbys,
        )

    toy.reset()
    Echo.failing = set()
    yield make
    toy.reset()


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    """A NATS with JetStream."""
    with tempfile.TemporaryDirectory(prefix="souk-nats-") as folder:
        server = Nats(
            Path(folder),
            free_port(),
            0,
            passwords=dict.fromkeys(("souk", "events", "services"), "word"),
        )
        server.start()
        try:
            yield server
        finally:
            server.stop()
