"""Rows with their locks, and what of them a transaction sees."""

import enum
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg

Values = dict[str, Any]

KEY_SHARE, SHARE, NO_KEY, UPDATE = range(4)
"""How a row is held, weakest first."""
_BAR = {
    KEY_SHARE: {UPDATE},
    SHARE: {NO_KEY, UPDATE},
    NO_KEY: {SHARE, NO_KEY, UPDATE},
    UPDATE: {KEY_SHARE, SHARE, NO_KEY, UPDATE},
}


class Blocked(Exception):
    """Other transactions hold what this one wants."""

    def __init__(self, holders: "list[Holder]") -> None:
        super().__init__()
        self.holders = holders


class Holder(Protocol):
    """A transaction, as rows know it."""

    held: "dict[Row, Table]"
    undo: "list[tuple[Table, Row, Any, Any]]"


class Row:
    """A row: as committed, as its one writer has changed it, and who holds it."""

    __slots__ = ("committed", "holds", "pending", "writer")

    def __init__(self) -> None:
        self.committed: Values | None = None
        self.pending: Values | None = None
        self.writer: Holder | None = None
        self.holds: dict[Holder, int] = {}

    def seen_by(self, holder: Holder | None) -> Values | None:
        """Its values in a transaction, or to a reader."""
        return self.pending if self.writer is holder else self.committed


class Column:
    """A column; `default` makes the value that is not given."""

    def __init__(
        self, name: str, *, null: bool, default: Callable[[], Any] | None = None
    ) -> None:
        self.name = name
        self.null = null
        self.default = default


class Table:
    """A table: rows in the order in which they came, unique by some columns."""

    def __init__(
        self, name: str, columns: list[Column], unique: list[tuple[str, ...]]
    ) -> None:
        self.name = name
        self.columns = columns
        self.names = [column.name for column in columns]
        self.unique = unique
        self.checks: list[tuple[str, Callable[[Values], Any]]] = []
        self._rows: dict[Row, None] = {}
        self._by_key: list[dict[tuple[Any, ...], Row]] = [{} for _ in unique]

    def scan(self, holder: Holder | None) -> Iterator[tuple[Row, Values]]:
        """The rows that a transaction sees."""
        for row in list(self._rows):
            values = row.seen_by(holder) if row.writer else row.committed
            if values is not None:
                yield row, values

    def by_key(
        self, index: int, key: tuple[Any, ...], holder: Holder | None
    ) -> Iterator[tuple[Row, Values]]:
        """The row of a unique key, if it is seen."""
        row = self._by_key[index].get(key)
        values = row.seen_by(holder) if row else None
        if row is not None and values is not None:
            yield row, values

    def hold(self, row: Row, holder: Holder, mode: int) -> None:
        """Lock a row; raises Blocked."""
        bar = _BAR[mode]
        others = [h for h, how in row.holds.items() if h is not holder and how in bar]
        if others:
            raise Blocked(others)
        row.holds[holder] = max(mode, row.holds.get(holder, mode))
        holder.held[row] = self

    def insert(self, values: Values, holder: Holder) -> Row | None:
        """Add a row; the row in its way where a unique key is taken."""
        row = Row()
        keys = [tuple(values[name] for name in names) for names in self.unique]
        for index, key in zip(self._by_key, keys, strict=True):
            other = None if None in key else index.get(key)
            if other is None:
                continue
            if other.writer not in (None, holder):
                raise Blocked([other.writer])  # type: ignore[list-item]
            if other.seen_by(holder) is not None:
                return other
            row = other  # deleted by ourselves: it comes back
        self._rows[row] = None
        for index, key in zip(self._by_key, keys, strict=True):
            if None not in key:
                index[key] = row
        self.hold(row, holder, UPDATE)
        self._write(row, values, holder)
        return None

    def update(self, row: Row, values: Values, holder: Holder) -> None:
        """Change a row that is held."""
        before = row.seen_by(holder) or {}
        for names in self.unique:
            if any(before[name] != values[name] for name in names):
                raise NotImplementedError(f"a key of {self.name} changes")
        self._write(row, values, holder)

    def delete(self, row: Row, holder: Holder) -> None:
        """Take a row that is held away."""
        holder.undo.append((self, row, row.writer, row.pending))
        row.writer, row.pending = holder, None

    def end(self, row: Row, holder: Holder, *, committed: bool) -> None:
        """The transaction is over: what it wrote counts, or never was."""
        row.holds.pop(holder, None)
        if row.writer is holder:
            if committed:
                row.committed = row.pending
            row.writer = row.pending = None
            if row.committed is None and row in self._rows:
                self._forget(row)

    def restore(self, row: Row, writer: Holder | None, pending: Any) -> None:
        """Take back one write of a transaction that goes on."""
        row.writer, row.pending = writer, pending
        if writer is None and row.committed is None and row in self._rows:
            self._forget(row)

    def _write(self, row: Row, values: Values, holder: Holder) -> None:
        for column in self.columns:
            if values[column.name] is None and not column.null:
                raise asyncpg.NotNullViolationError(f"{self.name}.{column.name}")
        for name, check in self.checks:
            if check(values) is False:
                raise asyncpg.CheckViolationError(f"{name}: {values}")
        holder.undo.append((self, row, row.writer, row.pending))
        row.writer, row.pending = holder, values

    def _forget(self, row: Row) -> None:
        del self._rows[row]
        for index in self._by_key:
            for key in [key for key, other in index.items() if other is row]:
                del index[key]


class Record:
    """A row of an answer, read by name or by place."""

    __slots__ = ("_names", "_values")

    def __init__(self, names: list[str], values: tuple[Any, ...]) -> None:
        self._names = names
        self._values = values

    def __getitem__(self, name: str | int) -> Any:
        if isinstance(name, int):
            return self._values[name]
        try:
            return self._values[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self._values == other._values

    def __hash__(self) -> int:
        return hash(self._values)

    def keys(self) -> list[str]:
        """The columns' names."""
        return self._names

    def values(self) -> tuple[Any, ...]:
        """All values, in order."""
        return self._values

    def items(self) -> list[tuple[str, Any]]:
        """Names and values."""
        return list(zip(self._names, self._values, strict=True))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a column, if there is one of that name."""
        return self[name] if name in self._names else default


def plain(value: Any) -> Any:
    """A value as a database keeps it."""
    return value.value if isinstance(value, enum.Enum) else value


def cast(value: Any, type_name: str) -> Any:
    """A value as one of that type."""
    if value is None:
        return None
    if type_name.endswith("[]"):
        inner = type_name[:-2]
        return [cast(one, inner) for one in value]
    make = _CASTS.get(type_name)
    if make is None:
        raise NotImplementedError(f"the type {type_name}")
    return make(plain(value))


def _date(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _same(value: Any) -> Any:
    return value


_CASTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("text", "varchar"), str),
    **dict.fromkeys(("int", "bigint", "smallint", "integer"), int),
    **dict.fromkeys(("float8", "numeric"), float),
    **dict.fromkeys(("bool", "boolean"), bool),
    **dict.fromkeys(("timestamptz", "timestamp", "jsonb", "bytea", "json"), _same),
    "date": _date,
    "uuid": lambda value: value if isinstance(value, UUID) else UUID(str(value)),
    "regclass": _same,
    "regnamespace": _same,
}
