"""The one shop that all end-to-end tests of a run share, and the people in it."""

import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.people import Person, Stranger
from tests.e2e.shops import LiveShop

MakePerson = Callable[[], Awaitable[Person]]


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "e2e: uses the whole shop, started once a run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test of this folder is end to end."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


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
            shop.stop()


@pytest.fixture(scope="session")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """One client for all requests."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=256)
    ) as client:
        yield client


@pytest.fixture
def stranger(live_shop: LiveShop, session: aiohttp.ClientSession) -> Stranger:
    """Somebody who was never here before."""
    return Stranger(session, live_shop.url)


@pytest.fixture
def customer(stranger: Stranger) -> MakePerson:
    """Makes somebody with a new account, as often as it is awaited."""
    return lambda: Person.register(Stranger(stranger.session, stranger.url))


@pytest.fixture(scope="session")
async def keeper(live_shop: LiveShop, session: aiohttp.ClientSession) -> Person:
    """The administrator of the shop."""
    account = live_shop.credentials["admin"]
    return Person(session, live_shop.url, **account)
