"""Two markets for the whole folder: of one shard a domain, and of three."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from scripts.embedded.postgres import Postgres
from tests.contention.crowd import Crowd
from tests.contention.market import Market, open_market
from tests.kit.local import Databases


@pytest.fixture(
    scope="session",
    params=[pytest.param(1, marks=pytest.mark.full), 3],
    ids=["one-shard", "three-shards"],
)
async def market(
    request: Any, postgres: Postgres, databases: Databases
) -> AsyncIterator[Market]:
    """A shop with a real bank; see `open_market` for what is checked at its end."""
    async with open_market(postgres, databases, request.param) as made:
        yield made


@pytest.fixture
def crowd(seed: int) -> Crowd:
    """The clients of one seed."""
    return Crowd(seed)
