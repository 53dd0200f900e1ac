"""One shop and its edge for the whole folder: each test brings people and goods."""

from collections.abc import AsyncIterator

import pytest

from tests.edge.front import Front
from tests.edge.scene import Scene
from tests.kit.local import Databases, local_shop
from tests.payments.conftest import bank_process  # noqa: F401 - a fixture
from tests.payments.support import Bank, settings_for

DOMAINS = (
    *("users", "products", "orders", "payments", "inventory"),
    *("notifications", "messaging", "files"),
)


@pytest.fixture(scope="session")
async def front(
    databases: Databases,
    bank_process: Bank,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Front]:
    """The edge before a shop whose money is at a real sandbox bank."""
    await bank_process.ready()
    settings = settings_for(bank_process).changed(
        bcrypt_rounds=4, data_dir=tmp_path_factory.mktemp("edge")
    )
    async with local_shop(databases, *DOMAINS, settings=settings) as shop:
        made = await Front.of(shop)
        async with made.http:
            yield made


@pytest.fixture(scope="session")
async def scene(front: Front) -> Scene:
    """One person of each role, for the contract walk and the refusals."""
    return await Scene.of(front)
