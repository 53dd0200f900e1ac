"""The audit log: once with its change, for ever, and by whom."""

import asyncio
import re
import runpy
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from bus.inventory import AdjustStock
from bus.kit.addressing import new_id, ordered_id
from bus.kit.audit import AuditEntry, list_audit
from bus.kit.context import CURRENT, Context
from bus.kit.refusals import Refusal
from persistence.kit import audit, partitions
from persistence.kit.database import Db
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
        for log in ("audit", "(SELECT DISTINCT day FROM audit_days) AS noted"):
            days = await connection.fetch(
                f"SELECT current_date - day AS age FROM {log}"
            )
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
            """DROP TABLE audit, audit_days, incarnations;
               DROP SEQUENCE incarnation_numbers;
               DROP FUNCTION audit_is_kept, audit_is_not_emptied, audit_day_is_noted;
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


async def test_a_log_of_before_is_read_as_ever_after_its_days_are_noted(
    databases: Databases,
) -> None:
    url = await databases.fresh("inventory", 1)
    connection = await asyncpg.connect(url)
    try:
        versions = "SELECT array_agg(version_num) FROM alembic_version"
        newest = set(await connection.fetchval(versions))
        await connection.execute(
            """DROP TABLE audit_days; DROP FUNCTION audit_day_is_noted CASCADE;
               UPDATE alembic_version SET version_num = 'kit_0003'
               WHERE version_num = 'kit_0004'"""
        )
        now = datetime.now(UTC)
        old = [logged(now - timedelta(days=ago), "A") for ago in (3, 2)]
        await audit.write(connection, old)
        await migrate("inventory", url)
        assert set(await connection.fetchval(versions)) == newest
        new = logged(now, "A")
        await audit.write(connection, [new])
        wanted = list_audit("inventory")(entity="A")
        assert await audit.read(Db(connection), wanted) == (new, old[1], old[0])
        for statement in ("DELETE FROM audit_days", "TRUNCATE audit_days"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
        await databases.drop(url)


@pytest.fixture
async def year(databases: Databases) -> AsyncIterator[asyncpg.Connection]:
    """A database with 400 days of a log, each a partition, that are empty."""
    url = await databases.fresh("inventory", 1)
    connection = await asyncpg.connect(url)
    await connection.execute(
        """DO $$ BEGIN FOR ago IN 1..400 LOOP
             EXECUTE format('CREATE TABLE audit_%s PARTITION OF audit
               FOR VALUES FROM (%L) TO (%L)',
               to_char(current_date - ago, 'YYYYMMDD'), current_date - ago,
               current_date - ago + 1); END LOOP; END $$"""
    )
    yield connection
    await connection.close()
    await databases.drop(url)


async def test_a_page_opens_the_days_that_hold_it_and_no_other_of_400(
    year: asyncpg.Connection,
) -> None:
    """Guards audit.py: `WHERE day = ANY($1::date[])`."""
    now = datetime.now(UTC)
    entries = [
        logged(now - timedelta(days=ago), name, actor)
        for ago in range(400)
        for name, actor in (
            ("often", "one"),
            *([("A", "one"), ("A", "two")] if ago in (2, 200, 399) else []),
        )
    ]
    await audit.write(year, entries)
    newest = sorted(entries, key=lambda one: one.id, reverse=True)
    rare = [one for one in newest if one.entity == "A"]
    of_two = [one for one in rare if one.actor == "two"]
    late = UUID(int=0xFFFFFFFFFFFF7 << 76 | 2 << 62)
    for wanted, answer, days in (
        ({"entity": "A"}, rare, 3),
        ({"entity": "A", "limit": 2}, rare[:2], 3),
        ({"entity": "A", "actor": "two"}, of_two, 3),
        ({"actor": "two"}, of_two, 3),
        ({"entity": "A", "before": rare[1].id, "limit": 3}, rare[2:5], 3),
        ({"entity": "A", "before": rare[3].id}, rare[4:], 2),
        ({"entity": "A", "since": rare[3].at}, rare[:4], 2),
        ({"limit": 20}, newest[:20], 24),
        ({"limit": 20, "before": late}, newest[:20], 24),
        ({"entity": "nobody"}, [], 0),
    ):
        watched = Opening(year)
        found = await audit.read(watched, list_audit("inventory")(**wanted))
        assert (list(found), watched.opened) == (answer, days), wanted


class Opening(Db):
    """Reads, and counts the partitions of the log that each plan names."""

    opened = 0

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        plan = await self.connection.fetch(f"EXPLAIN {sql}", *values)
        text = "\n".join(row[0] for row in plan)
        self.opened += len(set(re.findall(r"\baudit_(?:\d{8}|default)\b", text)))
        return await super().fetch(sql, *values)


def logged(at: datetime, entity: str, actor: str = "one") -> AuditEntry:
    """An entry as it would have been written then."""
    numbers.append(len(numbers))
    id_ = ordered_id(at, numbers[-1])
    return AuditEntry(id=id_, at=at, action="a.b", actor=actor, entity=entity)


numbers: list[int] = []


def test_facts_that_are_the_same_or_too_long_are_not_told() -> None:
    who, what = ("system", None), ("toys.note", 7)
    made = audit.entry(
        new_id(), None, who, what, {"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}
    )
    assert (made.before, made.after, made.entity) == ({"b": 2}, {"b": 3, "c": 4}, "7")
    long = audit.entry(new_id(), None, who, what, None, {"x": "y" * 20_000, "a": 1})
    assert long.after == {"too_long": ["a", "x"]}
