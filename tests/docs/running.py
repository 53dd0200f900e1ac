"""A running shop for what the README says: the run's own, or the one at SOUK_URL."""

import os
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Address:
    """Where a running shop answers, and where it keeps its accounts."""

    url: str
    data_dir: str


@pytest.fixture(scope="session")
def running_shop(request: pytest.FixtureRequest) -> Address:
    """The shop of the whole run where there is one; skips where there is none."""
    if url := os.environ.get("SOUK_URL"):
        return Address(url, os.environ.get("SOUK_DATA_DIR", ".souk"))
    try:
        live = request.getfixturevalue("live_shop")
    except pytest.FixtureLookupError:
        pytest.skip("no running shop: set SOUK_URL and SOUK_DATA_DIR to one")
    return Address(live.url, str(live.data_dir))
