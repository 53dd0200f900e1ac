"""The whole edge, before domains that say that nothing is there."""

import pytest

from serve_app.app import build, routers
from tests.fuzz.asking import Refuser, front_of
from tests.gateway.fakes import Front


@pytest.fixture(scope="session")
async def edge(tmp_path_factory: pytest.TempPathFactory) -> Front:
    """Every route of the shop; what it asks of a domain is refused as not found."""
    made = front_of(tmp_path_factory.mktemp("fuzz"))
    made.asker = made.gateway.asker = Refuser()  # type: ignore[assignment]
    made.edge = build(made.gateway, routers())  # type: ignore[assignment]
    await made.gateway.epochs.confirm()
    return made
