"""One shop that has sold, for all tests of the audit."""

from collections.abc import AsyncIterator

import pytest

from tests.audit.shop import Sold, sold_shop


@pytest.fixture(scope="package")
async def sold(postgres, databases, tmp_path_factory) -> AsyncIterator[Sold]:
    folder = tmp_path_factory.mktemp("audited")
    async with sold_shop(postgres, databases, folder) as one:
        yield one
