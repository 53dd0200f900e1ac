"""A domain's tables as it shows them: what was written since, and rows by key.

Postgres numbers every transaction, and each version of a row carries the number of the
one that wrote it (`xmin`). So whatever was written since can be read off the rows
themselves, also what somebody has written by hand, past the shop. Rows that are gone
are noted by a trigger where the shop itself removes none (`removals`).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from bus.kit.books import (
    BooksQuery,
    ChangesQuery,
    Event,
    Found,
    Kit,
    Rows,
    WalkQuery,
    Written,
)
from bus.kit.messages import encode
from persistence.kit.database import Db

KEYS_MAX = 5_000
EVENTS_MAX = 20_000
FOUND_MAX = 200
ROWS_MAX = 200_000
OVERDUE_SECONDS = 30
BEGINNING = 2
"""The transaction that all others are later than (Postgres' frozen one)."""
ALWAYS = "*"
"""In `Self.after`: what depends on the time looks at each call."""
MOVED = "+"
"""In `Self.after`: looks whenever anything was written in the server."""

SINCE = "age({row}.xmin) BETWEEN 0 AND age($1::text::xid)"
"""Whether a row was written by the transaction $1 or a later one."""


class Shown(NamedTuple):
    """A table, or a part of it, with the columns that are shown.

    `key` is what is told of a row that was written (an expression), `by` the column
    that rows are asked for by, of the type `kind`; `walk` the column of an index whose
    order a walk follows ("": none is made of it).
    """

    name: str
    columns: str
    key: str
    by: str = ""
    kind: str = "uuid"
    source: str = ""
    where: str = "true"
    watched: bool = True
    walk: str = ""

    @property
    def table(self) -> str:
        """The table that its rows lie in."""
        return self.source or self.name

    def since(self) -> str:
        """The condition that a row was written since $1."""
        return f"{SINCE.format(row=self.table)} AND {self.where}"


class Self(NamedTuple):
    """A check within one database: a statement that answers (ids, what is wrong).

    It runs when one of the tables `after` was written; $1 is the cursor, so that it
    can look at what was written alone (`{changed}` is the condition on a table).
    """

    check: str
    after: tuple[str, ...]
    sql: str


class Books(NamedTuple):
    """What a domain shows, and what it checks by itself."""

    shown: tuple[Shown, ...] = ()
    checks: tuple[Self, ...] = ()
    noted: bool = False
    """Whether it has the table `removals`."""


@asynccontextmanager
async def moment(db: Db) -> AsyncIterator[Any]:
    """A connection that sees one moment of the database."""
    connection = db.connection
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        yield connection


async def changed_since(db: Db, books: Books, query: ChangesQuery) -> Written:
    """What was written since, how the kit stands, and what is found: of one moment."""
    async with moment(db) as connection:
        now, first, last = await connection.fetchrow(
            """SELECT clock_timestamp(),
                 pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
                 pg_snapshot_xmax(pg_current_snapshot())::text::bigint"""
        )
        if query.since > last:
            return Written(now=now, next=first, kit=Kit(), lost=True)
        # In a server that nobody writes to there is nothing to look for.
        moved = query.since < last
        since = _short(query.since)
        kit = await _kit(connection, since, moved=moved)
        keys = await _keys_since(connection, books, since) if moved else {}
        removed = await _removed(connection, books, since) if moved else {}
        touched = {ALWAYS, *([MOVED] if moved else ()), *keys, *removed}
        if query.checks_since is not None:
            since = _short(query.checks_since)
            touched |= {MOVED, *(one.name for one in books.shown)}
        found = await _found(connection, books, since, touched)
    return Written(
        now=now,
        next=first,
        kit=kit,
        keys={name: tuple(some[:KEYS_MAX]) for name, some in keys.items()},
        removed=removed,
        found=found,
        cut=tuple(name for name, some in keys.items() if len(some) > KEYS_MAX),
    )


async def read_books(db: Db, books: Books, query: BooksQuery) -> Rows:
    """The rows of some keys, all of one moment."""
    shown = {one.name: one for one in books.shown}
    tables: dict[str, msgspec.Raw] = {}
    async with moment(db) as connection:
        now = await connection.fetchval("SELECT clock_timestamp()")
        for name, keys in query.keys.items():
            rows = await _rows(connection, shown[name], keys)
            tables[name] = msgspec.Raw(encode([tuple(row) for row in rows]))
    return Rows(now=now, tables=tables)


async def walk_books(
    db: Db, books: Books, query: WalkQuery
) -> tuple[tuple[str, str], ...]:
    """The next places of a table, each with the key that is told when it is written."""
    shown = next(one for one in books.shown if one.name == query.table and one.walk)
    rows = await db.fetch(
        f"""SELECT DISTINCT ({shown.walk})::text, ({shown.key})::text FROM (
              SELECT * FROM {shown.table} WHERE {shown.where}
                AND ($1::text IS NULL OR {shown.walk} > $1::text::{shown.kind})
              ORDER BY {shown.walk} LIMIT $2) AS {shown.table}
            WHERE ({shown.key}) IS NOT NULL ORDER BY 1""",
        query.after,
        query.limit,
    )
    return tuple((row[0], row[1]) for row in rows)


async def _keys_since(
    connection: Any, books: Books, since: str
) -> dict[str, list[str]]:
    """By table the keys of what was written, KEYS_MAX and one more at most."""
    parts = [
        f"""(SELECT {number} AS part, key FROM (
              SELECT DISTINCT ({one.key})::text AS key FROM {one.table}
              WHERE {one.since()} LIMIT {KEYS_MAX + 1}) AS written
            WHERE key IS NOT NULL)"""
        for number, one in enumerate(books.shown)
        if one.watched
    ]
    if not parts:
        return {}
    found: dict[str, list[str]] = {}
    for part, key in await connection.fetch(" UNION ALL ".join(parts), since):
        found.setdefault(books.shown[part].name, []).append(key)
    return found


async def _removed(
    connection: Any, books: Books, since: str
) -> dict[str, tuple[str, ...]]:
    if not books.noted:
        return {}
    rows = await connection.fetch(
        f"""SELECT name, array_agg(DISTINCT key ORDER BY key) FROM
              (SELECT name, key FROM removals WHERE {SINCE.format(row="removals")}
               ORDER BY id LIMIT {KEYS_MAX}) AS gone GROUP BY name""",
        since,
    )
    return {name: tuple(keys) for name, keys in rows}


async def _found(
    connection: Any, books: Books, since: str, touched: set[str]
) -> tuple[Found, ...]:
    found: list[Found] = []
    for check in books.checks:
        if touched & set(check.after):
            rows = await connection.fetch(f"{check.sql} LIMIT {FOUND_MAX}", since)
            found += [(check.check, row[0], row[1]) for row in rows]
    return tuple(found)


async def _rows(connection: Any, shown: Shown, keys: Sequence[str]) -> list[Any]:
    by = shown.by or shown.key
    wanted = keys if shown.kind == "text" else [_typed(shown.kind, key) for key in keys]
    rows: list[Any] = await connection.fetch(
        f"""SELECT {shown.columns} FROM {shown.table}
            WHERE {shown.where} AND {by} = ANY($1::{shown.kind}[])
            ORDER BY 1, 2 LIMIT {ROWS_MAX}""",
        wanted,
    )
    return rows


def _short(transaction: int) -> str:
    """As rows carry it: 32 bits of 64."""
    return str(transaction % (1 << 32))


def _typed(kind: str, key: str) -> Any:
    return UUID(key) if kind == "uuid" else int(key)


# --- the kit's own tables ----------------------------------------------------


async def _kit(connection: Any, since: str, *, moved: bool) -> Kit:
    """How slots, processes and timers stand, and what was told since."""
    slots = await connection.fetch("SELECT slot, shard FROM slots ORDER BY slot")
    running = await connection.fetch(
        f"""SELECT command_id, resume FROM handled WHERE state < 2
            ORDER BY command_id LIMIT {KEYS_MAX}"""
    )
    overdue = await connection.fetch(
        f"""SELECT name, kind, at FROM due
            WHERE at < now() - interval '{OVERDUE_SECONDS} seconds'
            ORDER BY name LIMIT {FOUND_MAX}"""
    )
    waiting = await connection.fetch(
        """SELECT first.* FROM slots CROSS JOIN LATERAL
             (SELECT slot, n, id, subject, payload FROM outbox
              WHERE outbox.slot = slots.slot AND outbox.n > slots.published
              ORDER BY n LIMIT 1) AS first ORDER BY slot"""
    )
    events = await _events(connection, since) if moved else []
    return Kit(
        slots=tuple((row["slot"], row["shard"]) for row in slots),
        running=tuple((row[0], row[1] or b"") for row in running),
        overdue=tuple((row[0], row[1], row[2]) for row in overdue),
        unpublished=tuple(Event(*row) for row in waiting),
        events=tuple(Event(*row) for row in events),
    )


async def _events(connection: Any, since: str) -> list[Any]:
    """The events that were told since: where they are too many, the last ones."""
    rows: list[Any] = await connection.fetch(
        f"""SELECT slot, n, id, subject, payload FROM outbox
            WHERE {SINCE.format(row="outbox")} ORDER BY id DESC LIMIT {EVENTS_MAX}""",
        since,
    )
    return rows[::-1]


_CHANGED = SINCE.format(row="outbox")
_ENTITY = "payload::jsonb ->> 'subject'"
_NUMBER = "(payload::jsonb ->> 'sequence')::bigint"

# What an address or a phone looks like; names are not known here. In msgpack a text
# begins after bytes that no address has.
_MAIL = r"[A-Za-z0-9._%+-]{2,}@[A-Za-z0-9-]{2,}\.[A-Za-z]{2,}"
_PHONE = r"\+[1-9][0-9]{8,14}"


def _person(check: str, table: str, ids: str, texts: str, after: str) -> Self:
    """That what was written holds no e-mail address and no phone."""
    found = f"substring({texts} FROM '{_MAIL}|{_PHONE}')"
    return Self(
        check,
        (after,),
        f"""SELECT ids, CASE WHEN found LIKE '+%' THEN 'holds a phone'
              ELSE 'holds an e-mail address' END FROM
              (SELECT {ids} AS ids, {found} AS found FROM {table}
               WHERE {SINCE.format(row=table)}) AS texts
            WHERE found IS NOT NULL""",
    )


KIT_SHOWN = (
    Shown("outbox", "slot, n, id, subject, payload", "slot", kind="smallint"),
    Shown("sequences", "subject, sequence", "subject", kind="text"),
    Shown("handled", "command_id, state", "command_id", watched=False),
)

KIT_CHECKS = (
    Self(
        "outbox-gapless",
        ("outbox",),
        f"""SELECT 'slot ' || slot, count(*) || ' events, numbered ' || min(n) || ' to '
              || max(n) FROM outbox WHERE slot IN
              (SELECT slot FROM outbox WHERE {_CHANGED})
            GROUP BY slot HAVING count(*) <> max(n) - min(n) + 1""",
    ),
    Self(
        "entity-gapless",
        ("outbox",),
        f"""SELECT entity, 'event ' || sequence || ' follows event ' || before FROM
              (SELECT entity, sequence, lag(sequence) OVER
                 (PARTITION BY entity ORDER BY slot, n) AS before FROM
                 (SELECT slot, n, {_ENTITY} AS entity, {_NUMBER} AS sequence
                  FROM outbox WHERE {_CHANGED}) AS told) AS pairs
            WHERE sequence <> before + 1""",
    ),
    # What was written may be an older event of its entity: who looks wrong at first is
    # looked for in the whole outbox.
    Self(
        "entity-last-number",
        ("outbox", "sequences"),
        f"""WITH changed AS
              (SELECT {_ENTITY} AS entity, max({_NUMBER}) AS told
               FROM outbox WHERE {_CHANGED} GROUP BY 1),
            suspects AS
              (SELECT entity, sequence AS counted
               FROM changed LEFT JOIN sequences ON subject = entity
               WHERE sequence IS DISTINCT FROM told
               UNION ALL
               SELECT subject, sequence FROM sequences
               WHERE {SINCE.format(row="sequences")}
                 AND subject NOT IN (SELECT entity FROM changed)),
            looked AS
              (SELECT entity, counted,
                 (SELECT max({_NUMBER}) FROM outbox WHERE {_ENTITY} = entity) AS told
               FROM suspects)
            SELECT entity, 'counted ' || coalesce(counted::text, 'none') || ', told '
              || told FROM looked WHERE told <> coalesce(counted, 0)""",
    ),
    _person("no-person-in-outbox", "outbox", "id::text", "payload", "outbox"),
    _person(
        "no-person-in-handled",
        "handled",
        "command_id::text",
        "concat(encode(answer, 'escape'), ' ', encode(resume, 'escape'))",
        MOVED,
    ),
    _person(
        "no-person-in-due",
        "due",
        "kind || ' at ' || at",
        "concat(name, ' ', encode(message, 'escape'))",
        MOVED,
    ),
)


def with_kit(books: Books) -> Books:
    """What a domain shows, and the kit's tables."""
    return Books(books.shown + KIT_SHOWN, books.checks + KIT_CHECKS, noted=books.noted)
