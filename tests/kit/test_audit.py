"""The audit log: once with its change, for ever, and by whom."""

import asyncio
import runpy
from datetime import timedelta

import asyncpg
import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.audit import list_audit
from bus.kit.context import CURRENT, Context
from bus.kit.refusals import Refusal
from persistence.kit import audit, partitions
from persistence.kit.migrations import FOLDER, KIT_REVISION, migrate
from tests.kit.local import Databases

PERSON = "01900000-0000-7000-8000-00000000ad01"


def adjust(delta: int, sku: str = "A") -> AdjustStock:
    return AdjustStock(sku=sku, delta=delta, reason="count")


async def test_a_change_is_written_down_once_with_its_actor_and_its_request(
    shop,
) -> None:
    async with shop("inventory", shards=2) as s:
        CURRENT.set(Context("request-1", None, PERSON))
        command_id = new_id()
        for _ in range(2):
            await s.ask(adjust(5), id=command_id)
        await asyncio.gather(*(s.ask(adjust(1)) for _ in range(3)))
        with pytest.raises(Refusal, match="below-zero"):
            await s.ask(adjust(-99))
        CURRENT.set(Context())
        await s.ask(adjust(1, "B"))
        query = list_audit("inventory")
        entries = (await s.ask(query(entity="A"))).items
        counts = [list(one.after["on_hand"].values()) for one in entries]
        assert counts == [[8], [7], [6], [5]]
        assert {(one.actor, one.request_id) for one in entries} == {
            (PERSON, "request-1")
        }
        (other,) = (await s.ask(query(actor="system"))).items
        assert (other.entity, other.request_id) == ("B", None)
        older = (await s.ask(query(before=entries[1].id, limit=1, entity="A"))).items
        assert older == (entries[2],)
        late = other.at + timedelta(seconds=60)
        assert (await s.ask(query(since=late))).items == ()


async def test_nothing_that_was_written_is_changed_or_goes_before_its_time(
    shop,
) -> None:
    async with shop("inventory") as s:
        await s.ask(adjust(5))
        connection = await s.database("inventory")
        today = await connection.fetchval("SELECT current_date")
        table = await connection.fetchval("SELECT tableoid::regclass::text FROM audit")
        assert table == f"audit_{today:%Y%m%d}"
        for statement in (
            "UPDATE audit SET actor = 'nobody'",
            "DELETE FROM audit",
            f"DELETE FROM {table}",
            "TRUNCATE audit",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        await connection.execute(
            """INSERT INTO audit SELECT gen_random_uuid(), current_date - past, at,
                 action, actor, entity FROM audit, unnest(ARRAY[400, 401]) AS past"""
        )
        await partitions.ensure(connection)
        days = await connection.fetch("SELECT current_date - day AS age FROM audit")
        assert sorted(row["age"] for row in days) == [0, 400]
        assert audit.DAYS_MAX == 400


async def test_a_database_of_before_gets_its_log_and_keeps_its_rows(
    databases: Databases,
) -> None:
    url = await databases.fresh("inventory", 1)
    connection = await asyncpg.connect(url)
    try:
        (path,) = (FOLDER / "kit").glob("*_audit.py")
        step = runpy.run_path(str(path))
        versions = (
            "SELECT array_agg(version_num ORDER BY version_num) FROM alembic_version"
        )
        newest = await connection.fetchval(versions)
        assert KIT_REVISION in newest
        await connection.execute(
            """DROP TABLE audit, incarnations; DROP SEQUENCE incarnation_numbers;
               DROP FUNCTION audit_is_kept, audit_is_not_emptied;
               INSERT INTO claims VALUES ('kind', 'value', gen_random_uuid())"""
        )
        await connection.execute(
            "UPDATE alembic_version SET version_num = $2 WHERE version_num = $1",
            KIT_REVISION,
            step["down_revision"],
        )
        for _ in range(2):
            await migrate("inventory", url)
        assert await connection.fetchval("SELECT count(*) FROM audit") == 0
        assert await connection.fetchval("SELECT count(*) FROM claims") >= 1
        assert await connection.fetchval(versions) == newest
    finally:
        await connection.close()
        await databases.drop(url)


def test_facts_that_are_the_same_or_too_long_are_not_told() -> None:
    who, what = ("system", None), ("toys.note", 7)
    made = audit.entry(
        new_id(), None, who, what, {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}
    )
    assert (made.before, made.after, made.entity) == ({"b": 2}, {"b": 3, "c": 4}, "7")
    long = audit.entry(new_id(), None, who, what, None, {"x": "y" * 20_000, "a": 1})
    assert long.after == {"too_long": ["a", "x"]}
