"""Migrations beside a shop that serves: a lock that is taken is waited for briefly."""

import asyncio

import asyncpg
import pytest

from persistence.kit import fence, migrations
from persistence.kit.migrations import migrate
from tests.kit.local import Databases


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_MS_MAX", 50)
    monkeypatch.setattr(migrations, "LOCK_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(migrations, "LOCK_TRIES_MAX", 3)


async def test_a_migration_that_meets_a_lock_is_tried_again_and_then_given_up(
    databases: Databases,
) -> None:
    """Guards migrations.py: `SET LOCAL lock_timeout`, `_lock_was_taken`."""
    url = await databases.fresh("files", shards=1)
    holder = await asyncpg.connect(url)
    holding = holder.transaction()
    await holding.start()
    await holder.execute("SELECT FROM slots FOR UPDATE")

    with pytest.raises(asyncpg.LockNotAvailableError):
        await migrate("files", url, shards=2)
    assert {shard for shard, _ in (await fence.owners(holder)).values()} == {0}

    going = asyncio.create_task(migrate("files", url, shards=2))
    await asyncio.sleep(0.07)
    await holding.rollback()
    await going
    assert {shard for shard, _ in (await fence.owners(holder)).values()} == {0, 1}
    await holder.close()
    await databases.drop(url)
