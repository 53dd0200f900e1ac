"""What a domain shows to who compares domains: what was written, and rows of it.

Each domain answers for its own database. What it shows are ids, states, numbers and
sums: never anything of a person.
"""

import types
from datetime import datetime
from functools import cache
from typing import TypeVar
from uuid import UUID

import msgspec

from bus.kit.messages import ANY, Query
from bus.kit.values import Value

Asked = TypeVar("Asked")

Found = tuple[str, str, str]
"""A check's name, the ids that it is about, and what is wrong with them."""


class Event(Value, frozen=True, array_like=True):
    """An event in a domain's outbox; `payload` is a CloudEvents document."""

    slot: int
    n: int
    id: UUID
    subject: str
    payload: str


class Kit(Value, frozen=True, kw_only=True):
    """How a domain's slots, processes and timers stand, and what it told since.

    `running` are processes that are not finished, with what takes them up again,
    `overdue` (name, kind, moment) of what waits past its time, and `unpublished` the
    first event of each slot that no stream has.
    """

    slots: tuple[tuple[int, int], ...] = ()
    running: tuple[tuple[UUID, bytes], ...] = ()
    overdue: tuple[tuple[str, str, datetime], ...] = ()
    unpublished: tuple[Event, ...] = ()
    events: tuple[Event, ...] = ()


class Written(Value, frozen=True, kw_only=True):
    """What was written since a transaction: by table the keys of its rows, each once.

    `next` is where to go on: the oldest transaction that could not be seen yet, so that
    nothing which commits late is skipped; what is near it is told twice. `removed` are
    keys of rows that are gone, `cut` tables of which only some keys are told, `lost`
    says that there is no such transaction yet (a restored database).
    """

    now: datetime
    next: int
    kit: Kit
    keys: dict[str, tuple[str, ...]] = {}
    removed: dict[str, tuple[str, ...]] = {}
    found: tuple[Found, ...] = ()
    cut: tuple[str, ...] = ()
    lost: bool = False


class Rows(Value, frozen=True, kw_only=True):
    """Rows by table, all of one moment; each is an array of its columns."""

    now: datetime
    tables: dict[str, msgspec.Raw]


class ChangesQuery(Query[Written], frozen=True, kw_only=True):
    """What was written since a transaction (2: since ever).

    `checks_since` lets the domain's own checks look further back.
    """

    since: int
    checks_since: int | None = None


class BooksQuery(Query[Rows], frozen=True, kw_only=True):
    """Rows by their keys, table by table."""

    keys: dict[str, tuple[str, ...]]


class WalkQuery(Query[tuple[tuple[str, str], ...]], frozen=True, kw_only=True):
    """The next rows of a table in the order of its key: (place, key of the change)."""

    table: str
    after: str | None
    limit: int


@cache
def changed_since(domain: str) -> type[ChangesQuery]:
    """The query of what was written in a domain."""
    return _of(domain, "ChangedSince", ChangesQuery)


@cache
def read_books(domain: str) -> type[BooksQuery]:
    """The query of a domain's rows."""
    return _of(domain, "ReadBooks", BooksQuery)


@cache
def walk_books(domain: str) -> type[WalkQuery]:
    """The query that goes through all of a domain's rows."""
    return _of(domain, "WalkBooks", WalkQuery)


def _of(domain: str, name: str, base: type[Asked]) -> type[Asked]:
    body = {"key": ANY, "__module__": f"bus.{domain}.books", "__doc__": base.__doc__}
    options = {"frozen": True, "kw_only": True}
    made: type[Asked] = types.new_class(
        name, (base,), options, lambda space: space.update(body)
    )
    return made
