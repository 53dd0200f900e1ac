"""Days of rows: what is too old goes whole, but never what is still needed."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from bus.kit.addressing import ordered_id
from persistence.kit import handled, outbox, partitions
from persistence.kit.handled import Handled, State
from tests.kit.faults import names, until
from tests.kit.toy import Tell

NO_ID = UUID(int=0)
INTO_OUTBOX = "INSERT INTO outbox VALUES (3, $1, $2, $3, 'a', '{}')"
INTO_HANDLED = """INSERT INTO handled (command_id, day, slot, state)
                  VALUES (gen_random_uuid(), $1, 3, $2)"""


@pytest.fixture
async def db(toy_databases):
    url = await toy_databases.fresh("toy", 1)
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()
    await toy_databases.drop(url)


async def days(db: asyncpg.Connection, table: str) -> list[str]:
    """The table's partitions of days that have passed."""
    rows = await db.fetch(
        """SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
           WHERE inhparent = $1::text::regclass AND relname ~ '_[0-9]{8}$'
             AND right(relname, 8) < to_char(current_date, 'YYYYMMDD')
           ORDER BY relname""",
        table,
    )
    return [row["relname"] for row in rows]


async def past(db: asyncpg.Connection, table: str, ago: int) -> date:
    """A partition as it was made so many days ago."""
    day: date = await db.fetchval("SELECT current_date - $1::int", ago)
    await partitions._make(db, table, day)
    return day


async def test_a_day_with_an_event_that_was_never_published_stays(db) -> None:
    """Guards partitions.py: `"outbox": "n > (SELECT published …)"`."""
    for n, ago in ((1, 10), (2, 9), (3, 8)):
        await db.execute(INTO_OUTBOX, n, await past(db, "outbox", ago), NO_ID)
    await db.execute(INTO_OUTBOX, 4, date(2020, 1, 1), NO_ID)  # in no day's partition
    await db.execute("UPDATE slots SET published = 1 WHERE slot = 3")

    assert await partitions.ensure(db) == 2
    kept = await outbox.unpublished(db, {3: 0}, 10)
    assert [row.n for row in kept] == [2, 3, 4]

    await db.execute("UPDATE slots SET published = 4 WHERE slot = 3")
    assert await partitions.ensure(db) == 0
    assert await days(db, "outbox") == []
    assert await outbox.kept(db) == 0


async def test_a_day_with_a_process_that_has_not_ended_stays(db) -> None:
    """Guards partitions.py: `"handled": "state < 2"`."""
    for ago, state in ((10, State.DONE), (9, State.RUNNING), (9, State.DONE)):
        await db.execute(INTO_HANDLED, await past(db, "handled", ago), state)
    for state in (State.ANSWERED, State.DONE):  # in no day's partition
        await db.execute(INTO_HANDLED, date(2020, 1, 1), state)

    assert await partitions.ensure(db) == 1
    left = await db.fetch("SELECT state FROM handled ORDER BY day, state")
    assert [row["state"] for row in left] == [State.ANSWERED, State.RUNNING, State.DONE]
    assert len(await handled.unfinished(db, [3])) == 2

    await db.execute("UPDATE handled SET state = 2")
    assert await partitions.ensure(db) == 0
    assert await days(db, "handled") == []
    assert await db.fetchval("SELECT count(*) FROM handled") == 0


async def test_an_event_that_came_a_week_late_is_remembered_from_then_on(db) -> None:
    """Guards handled.py: `born >= today - timedelta(days=LATE_DAYS_MAX)`.

    The stream keeps it for a week from its publishing, however long ago it happened.
    """
    now = datetime.now(UTC)
    for ago, remembered in ((0, 0), (1, 1), (9, 0), (40, 0)):
        event = ordered_id(now - timedelta(days=ago), ago)
        row = Handled(command_id=event, slot=3, state=State.DONE)
        await handled.write(db, [row], now)
        await partitions.ensure(db)
        later = now + timedelta(days=7)
        (found,) = (await handled.find(db, [event], later)).values()
        assert found.day == now.date() - timedelta(days=remembered)


async def test_days_that_stay_are_told(toys) -> None:
    """Guards shard.py: `self.counts.overdue = …`; counts.py: the gauge."""
    async with toys(shards=1) as s:
        s.bus_down = True
        name = names(0, 1, 1)[0]
        await s.ask(Tell(name=name, subjects=(name,)))
        connection = await s.database("toy")
        day = await past(connection, "outbox", 9)
        await connection.execute("UPDATE outbox SET day = $1", day)

        def told(shard) -> float:
            samples = shard.counts.samples()
            return next(
                sample.values[0]
                for sample in samples
                if sample.family == "souk_partitions_overdue"
            )

        await s.kill("toy", 0)
        shard = await s.restart("toy", 0)
        await until(lambda: told(shard) == 1)
        s.bus_down = False
        await until(lambda: [e["subject"] for e in s.published] == [name])
