"""The gateway under test, fresh for each test."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bus.inventory import AdjustStock, GetStock, StockView
from tests.gateway.fakes import PERSON, Front, Hands


@pytest.fixture
def clock() -> Hands:
    """Time for the near cache and the epochs."""
    return Hands()


@pytest.fixture
async def front(tmp_path: Path, clock: Hands) -> AsyncIterator[Front]:
    """A gateway whose list of epochs is fresh."""
    made = Front(tmp_path, clock)
    view = StockView(sku="A", available=3, version=2)
    made.asker.answers |= {AdjustStock: view, GetStock: view}
    await made.gateway.epochs.confirm()
    async with made.http:
        yield made


@pytest.fixture
def thing() -> dict[str, Any]:
    """A body that is as it should be."""
    return {
        "name": "Lamp",
        "quantity": 1,
        "price": {"amount": 100, "currency": "USD"},
        "id": str(PERSON),
    }
