"""The migrations and the declared tables are the same."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from actors import DOMAINS
from persistence.kit.migrations import include, metadata_of
from tests.kit.local import Databases


def other_type(*values: Any) -> bool | None:
    """None lets alembic compare; Postgres keeps text and unbounded varchar alike."""
    kinds = [getattr(each, "impl", each) for each in values[-2:]]
    texts = [isinstance(each, sa.String) and each.length is None for each in kinds]
    return False if all(texts) else None


def differences(connection: sa.Connection, domain: str) -> list[Any]:
    """What alembic would have to change so that the database is as declared."""

    def wanted(_: Any, name: str | None, kind: str, *_of_it: Any) -> bool:
        return name != "alembic_version" and include(name, kind)

    options = {"include_object": wanted, "compare_type": other_type}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata_of(domain)))


@pytest.mark.parametrize("domain", DOMAINS)
async def test_the_migrations_make_the_tables_that_the_code_declares(
    databases: Databases, domain: str
) -> None:
    url = await databases.fresh(domain, shards=1)
    address = url.replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(address)
    try:
        async with engine.connect() as connection:
            found = await connection.run_sync(differences, domain)
        assert found == []
    finally:
        await engine.dispose()
        await databases.drop(url)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_keeps_all_its_tables_in_its_own_metadata(domain: str) -> None:
    metadata = metadata_of(domain)
    assert metadata.info["domain"] == domain
    kit = {"slots", "stream", "outbox", "sequences", "handled", "claims", "due"}
    assert kit < set(metadata.tables)
