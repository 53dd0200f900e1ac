"""The one shop that all end-to-end tests of a run share, and the people in it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from tests.e2e.people import Person, Stranger
from tests.e2e.shops import LiveShop

MakePerson = Callable[[], Awaitable[Person]]


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
