"""COPY into several databases, committed together as nearly as can be."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

from scripts.benching.growing.columns import Table
from scripts.launcher.failures import Failure

LAST = "orders"
"""Its commit is the last: a part of the past that it does not have is told."""


async def copy_lines(
    databases: Mapping[str, Any], lines: Mapping[Table, Sequence[str]]
) -> None:
    """All lines into their tables; each database in one transaction.

    Raises `Failure` where a row is there already.
    """
    names = {table.database for table in lines}
    parts = {
        name: {table: some for table, some in lines.items() if table.database == name}
        for name in sorted(names, key=lambda name: name != LAST)
    }
    async with AsyncExitStack() as stack:
        for name in parts:  # left, and committed, in reverse: LAST is the last
            await stack.enter_async_context(databases[name].transaction())
        try:
            async with asyncio.TaskGroup() as copies:  # waits for those that go on
                for name, part in parts.items():
                    copies.create_task(_copy(databases[name], part))
        except ExceptionGroup as errors:
            raise Failure(
                f"the past cannot be loaded: {errors.exceptions[0]}"
            ) from errors


async def forget_events(database: Any, told: Mapping[int, int]) -> None:
    """So many more of each slot are published and dropped, as they are after a week.

    Those of the present go with them, so that no slot's numbers have a gap. Raises
    `Failure` where one of these still waits.
    """
    slots = sorted(told)
    async with database.transaction():
        if waiting := await database.fetchval(_WAITING):
            raise Failure(f"{waiting} slots have events that are not published")
        await database.execute(
            """UPDATE slots SET published = published + told.n
               FROM unnest($1::smallint[], $2::bigint[]) AS told (slot, n)
               WHERE slots.slot = told.slot""",
            slots,
            [told[slot] for slot in slots],
        )
        await database.execute("DELETE FROM outbox")


async def _copy(connection: Any, lines: Mapping[Table, Sequence[str]]) -> None:
    for table, some in lines.items():
        await connection.copy_to_table(
            table.name,
            source=io.BytesIO("".join(some).encode()),
            columns=table.columns.split(),
        )


_WAITING = """SELECT count(*) FROM slots WHERE published <
  (SELECT coalesce(max(n), 0) FROM outbox WHERE outbox.slot = slots.slot)"""
