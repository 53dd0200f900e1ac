"""One shop that has sold and runs on, with an auditor, for all tests of a file."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import structlog

from actors.auditing.standing import Auditor
from scripts.auditing.place import consumed_kinds
from tests.audit.shop import SHARDS, selling_shop
from tests.standing.watching import SHARE, Watched


@pytest.fixture(scope="package")
async def watched(postgres, databases, tmp_path_factory) -> AsyncIterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    async with selling_shop(postgres, databases, folder) as (shop, sold, _, _):
        await sold.forget_time()
        settings = shop.settings.changed(shards_each=SHARDS, audit_seconds=0.2)
        log = structlog.get_logger("auditor")
        auditor = Auditor(shop.ask, settings, consumed_kinds(), log=log, share=SHARE)
        running = asyncio.create_task(auditor.run())
        try:
            yield Watched(shop, sold, auditor)
        finally:
            running.cancel()
            await asyncio.wait({running})
