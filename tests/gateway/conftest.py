"""The gateway under test, fresh for each test."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.inventory import AdjustStock, GetStock, StockView
from bus.orders import GetTimelineAfter
from serve_app.app import build, routers
from tests.gateway.fakes import PERSON, Front, Hands
from tests.gateway.followed import QUICK, Heard, Timeline, streams


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


@pytest.fixture
def timeline(followed_shop: Front) -> Timeline:
    """The timeline of the one order that there is."""
    made = Timeline()
    followed_shop.asker.answers[GetTimelineAfter] = made.answer
    return made


@pytest.fixture
async def followed_shop(tmp_path: Path) -> AsyncIterator[Front]:
    """A gateway with every domain's routes."""
    made = Front(tmp_path, asyncio.get_running_loop().time, streams_max=200)
    made.edge = build(made.gateway, routers())  # type: ignore[assignment]
    transport = httpx.ASGITransport(made.edge)
    made.http = httpx.AsyncClient(transport=transport, base_url="http://shop")
    await made.gateway.epochs.confirm()
    streams(made).pace = QUICK
    streams(made).ear = Heard()
    yield made
    await made.http.aclose()
    assert made.gateway.measures.streams_open == 0
    assert not streams(made)._by_topic
    assert not streams(made)._each
