"""Loading: every database in one read-only transaction, all open at the same time."""

import asyncio
import typing
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import msgspec

from actors.auditing import money_rows, rows
from actors.auditing.books import Books, Document, Kit, Stream, Told
from actors.auditing.row import Row

CONNECT_SECONDS_MAX = 5.0
STATEMENT_SECONDS_MAX = 120.0
ROWS_MAX = 5_000_000

Kind = TypeVar("Kind", bound=Row)

_DOCUMENT = msgspec.json.Decoder(Document)


class TooMany(RuntimeError):
    """A table has more rows than one audit compares."""


@asynccontextmanager
async def snapshots(urls: Mapping[str, str]) -> AsyncIterator[dict[str, Any]]:
    """A connection to each database, in a transaction that sees one moment of it."""
    async with AsyncExitStack() as stack:
        names = list(urls)
        opened = await asyncio.gather(*(connect(urls[name]) for name in names))
        for connection in opened:
            stack.push_async_callback(connection.close)
        for connection in opened:
            moment = connection.transaction(isolation="repeatable_read", readonly=True)
            await stack.enter_async_context(moment)
        yield dict(zip(names, opened, strict=True))


async def connect(url: str) -> asyncpg.Connection:
    """A connection for reading."""
    return await asyncpg.connect(
        url,
        timeout=CONNECT_SECONDS_MAX,
        command_timeout=STATEMENT_SECONDS_MAX,
        server_settings={"application_name": "audit", "jit": "off"},
    )


async def load_books(
    connections: Mapping[str, Any],
    *,
    stream: Stream,
    shards: Mapping[str, int],
    consumers: Mapping[str, Iterable[str]],
    answered: Mapping[UUID, str] | None = None,
    waiting: Iterable[UUID] = (),
    scope: Mapping[str, str] | None = None,
) -> Books:
    """The books as the connections' transactions see them.

    A database that has no connection counts as empty, and has no kit. `scope` has the
    condition for a table's rows (`table`, or `database.table`), where not all count.
    """
    where = scope or {}
    tables: dict[str, Any] = {}
    for name, kind in _tables().items():
        if kind.database in connections:
            tables[name] = await _read(connections[kind.database], kind, where)
    kits = {
        name: await _kit(connection, where)
        for name, connection in connections.items()
        if name != money_rows.BankCharge.database
    }
    now = await next(iter(connections.values())).fetchval("SELECT clock_timestamp()")
    return Books(
        now=now,
        kits=kits,
        stream=stream,
        shards=dict(shards),
        consumers={name: frozenset(kinds) for name, kinds in consumers.items()},
        answered=dict(answered or {}),
        waiting=frozenset(waiting),
        **tables,
    )


async def _kit(connection: Any, where: Mapping[str, str]) -> Kit:
    outbox = await _read(connection, rows.OutboxRow, where, order="slot, n")
    return Kit(
        slots=await _read(connection, rows.Slot, where, order="slot"),
        told=[Told(row, _DOCUMENT.decode(row.payload)) for row in outbox],
        sequences=await _read(connection, rows.LastSequence, where),
        handled=await _read(connection, rows.Handled, where),
        due=await _read(connection, rows.Due, where),
    )


async def _read(
    connection: Any, kind: type[Kind], where: Mapping[str, str], order: str = "1"
) -> list[Kind]:
    """The rows of a table that count, with the columns that the class names."""
    columns = ", ".join(kind.__struct_fields__)
    # The names are those of our own classes.
    place = f"{getattr(kind, 'database', '')}.{kind.table}"
    condition = where.get(place, where.get(kind.table, "true"))
    source = f"{kind.table} WHERE {condition} ORDER BY {order} LIMIT {ROWS_MAX + 1}"
    sql = f"SELECT {columns} FROM {source}"  # noqa: S608 - our own names
    found = [kind(*record) for record in await connection.fetch(sql)]
    if len(found) > ROWS_MAX:
        raise TooMany(f"{kind.table} has more than {ROWS_MAX} rows")
    return found


def _tables() -> dict[str, type[Row]]:
    """The fields of the books that are whole tables, with their rows' classes."""
    found = {}
    for name, hint in typing.get_type_hints(Books).items():
        kinds = typing.get_args(hint)
        if typing.get_origin(hint) is list and issubclass(kinds[0], Row):
            found[name] = kinds[0]
    return found
