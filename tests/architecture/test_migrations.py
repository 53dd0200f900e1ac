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


def differences(connection: sa.Connection, domain: str) -> list[Any]:
    """What alembic would have to change so that the database is as declared."""

    def wanted(
        _: Any, name: str | None, kind: str, reflected: bool, compare_to: Any
    ) -> bool:
        ours = name != "alembic_version"
        return ours and include(name, kind)

    options = {"include_object": wanted, "compare_type": True}
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


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_value_is_unique_over_keys_but_by_a_claim(domain: str) -> None:
    # A shard sees its own slots only: a UNIQUE elsewhere would be found out too late.
    unique = [
        str(constraint)
        for table in metadata_of(domain).tables.values()
        for constraint in (*table.constraints, *table.indexes)
        if isinstance(constraint, sa.UniqueConstraint)
        or (isinstance(constraint, sa.Index) and constraint.unique)
    ]
    assert unique == []
