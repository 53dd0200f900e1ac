"""Fixtures of users' tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tests.users.edge import Shop, Web, web_of
from tests.users.small_issuer import CLIENT, SECRET, SmallIssuer


@pytest.fixture
def web(shop: Shop) -> Shop:
    """Starts users, and other domains that are named, behind a gateway."""
    return partial(web_of, shop)


@pytest.fixture
def signing(web: Shop) -> Shop:
    """Starts users behind a gateway, with an issuer of their own."""

    @asynccontextmanager
    async def start(
        *others: str, **changes: Any
    ) -> AsyncIterator[tuple[Web, SmallIssuer]]:
        async with SmallIssuer().served() as issuer:
            settings = {
                "oidc_issuer": issuer.url,
                "oidc_client_id": CLIENT,
                "oidc_client_secret": SECRET,
                **changes,
            }
            async with web(*others, **settings) as w:
                yield w, issuer

    return start
