"""The migrations make the declared tables, which the last release can still use."""

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from actors import DOMAINS
from persistence.kit.migrations import include, metadata_of
from tests.architecture.released import breaches, form_of, read_released
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


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_last_release_still_serves_on_the_newest_tables(domain: str) -> None:
    """That the declared tables are those of the database is the first test's word."""
    now = form_of(metadata_of(domain))
    assert breaches(read_released().get(domain, {}), now) == []


def test_each_way_to_break_the_last_release_is_seen() -> None:
    text, number = sa.Text, sa.Integer

    def of(*columns: Any, name: str = "things", **more: Any) -> dict[str, Any]:
        metadata = sa.MetaData()
        sa.Table(
            name, metadata, sa.Column("id", number, primary_key=True), *columns, **more
        )
        return form_of(metadata)

    def wanted(**more: Any) -> Any:
        return sa.Column("word", text, **{"nullable": False, **more})

    old = of(sa.Column("word", text, server_default=""))
    told = [
        (of(name="others"), ["things is gone"]),
        (of(), ["things.word is gone"]),
        (of(sa.Column("word", number)), ["things.word was TEXT and is INTEGER"]),
        (of(wanted()), ["things.word may no longer be left out"]),
        (of(wanted(server_default="")), ["things.word may no longer be null"]),
        (
            of(sa.Column("word", text, server_default="", unique=True)),
            ["things: key word is new"],
        ),
    ]
    assert [breaches(old, new) for new, _ in told] == [words for _, words in told]
    assert breaches(of(), of(wanted())) == ["things.word is new and cannot be left out"]
    assert breaches(of(), of(wanted(server_default=""))) == []
    assert breaches(of(), of(sa.Column("word", text))) == []
    unused = of(sa.Column("word", text, info={"unused": True}))
    assert breaches(unused, of()) == []
    assert breaches(of(info={"unused": True}), {}) == []
    keyed = of(sa.Column("word", text, unique=True))
    assert breaches(keyed, of(sa.Column("word", text))) == ["things: key word is gone"]
