"""Fixtures of users' tests."""

from functools import partial

import pytest

from tests.users.edge import Shop, web_of


@pytest.fixture
def web(shop: Shop) -> Shop:
    """Starts users, and other domains that are named, behind a gateway."""
    return partial(web_of, shop)
