"""Makes functions of statements; each text is read once."""

from functools import cache
from typing import Any

import asyncpg

from tests.simulation.store.expressions import Scope, compiled
from tests.simulation.store.grammar import statement
from tests.simulation.store.reading import (
    Found,
    Plan,
    Select,
    Sources,
    project,
    projection,
    subquery_of,
)
from tests.simulation.store.relations import NO_KEY, UPDATE, Row, Table, Values, plain
from tests.simulation.store.words import Node


@cache
def planned(sql: str) -> Plan:
    """The function of a statement's text."""
    return _plan(statement(sql))


def _plan(node: Node) -> Plan:
    return _PLANS[node[0]](node)


def _select(node: Node) -> Plan:
    return Select(node[1], _plan)


def _union(node: Node) -> Plan:
    first, second = _plan(node[1]), _plan(node[2])

    def run_union(run: Any, outer: Scope | None) -> Found:
        one, other = first(run, outer), second(run, outer)
        return Found(one.names, [*one.rows, *other.rows])

    return run_union


def _with(node: Node) -> Plan:
    parts = [(name, columns, _plan(inner)) for name, columns, inner in node[1]]
    body = _plan(node[2])

    def run_with(run: Any, outer: Scope | None) -> Found:
        for name, columns, plan in parts:
            found = plan(run, outer)
            names = columns or found.names
            rows = [dict(zip(names, row, strict=True)) for row in found.rows]
            run.named[name] = (names, rows)
        return body(run, outer)

    return run_with


class _Values:
    """The rows of VALUES."""

    def __init__(self, rows: list[list[Node]]) -> None:
        subquery = subquery_of(_plan)
        self._rows = [[compiled(one, subquery) for one in row] for row in rows]

    def __call__(self, run: Any, outer: Scope | None) -> Found:
        scope = Scope(run, {}, outer)
        return Found([], [tuple(one(scope) for one in row) for row in self._rows])


class _Insert:
    """An INSERT, with what it does where a row is in its way."""

    def __init__(self, node: Node) -> None:
        _, self._table, self._columns, source, conflict, returning = node
        subquery = subquery_of(_plan)
        self._source = _Values(source[1]) if source[0] == "values" else _plan(source)
        self._does_nothing = conflict is not None and conflict[1] is None
        self._target = conflict[0] if conflict else []
        sets = (conflict[1] if conflict else None) or []
        self._sets = [(name, compiled(value, subquery)) for name, value in sets]
        where = conflict[2] if conflict else None
        self._where = None if where is None else compiled(where, subquery)
        self._returning = None
        if returning is not None:
            self._returning = projection(returning, subquery)

    def __call__(self, run: Any, outer: Scope | None) -> Found:
        table: Table = run.table(self._table)
        written: list[Values] = []
        rows: set[Row] = set()
        for given in self._source(run, outer).rows:
            values = self._values(run, table, given)
            other = table.insert(values, run.holder)
            if other is None:
                written.append(values)
                rows.add(run.holder.undo[-1][1])
                continue
            after = self._resolve(run, table, other, values, rows)
            if after is not None:
                written.append(after)
        return _done("INSERT 0", run, table, written, self._returning)

    def _values(self, run: Any, table: Table, given: tuple[Any, ...]) -> Values:
        values = {
            column.name: column.default(run) if column.default else None
            for column in table.columns
        }
        names = self._columns or table.names[: len(given)]
        values.update(
            (name, plain(value)) for name, value in zip(names, given, strict=True)
        )
        return values

    def _resolve(
        self, run: Any, table: Table, other: Row, values: Values, rows: set[Row]
    ) -> Values | None:
        """What becomes of the row in the way; None: it stays as it is."""
        current = other.seen_by(run.holder) or {}
        aimed = all(current[name] == values[name] for name in self._target)
        if self._does_nothing and aimed:
            return None
        if not self._sets or not aimed:
            raise asyncpg.UniqueViolationError(f"{table.name}: {values}")
        if other in rows:
            raise asyncpg.CardinalityViolationError("a row a second time")
        table.hold(other, run.holder, NO_KEY)
        scope = Scope(run, {table.name: current, "excluded": values})
        if self._where is not None and self._where(scope) is not True:
            return None
        changes = {name: plain(value(scope)) for name, value in self._sets}
        after = {**current, **changes}
        table.update(other, after, run.holder)
        rows.add(other)
        return after


class _Change:
    """An UPDATE or a DELETE."""

    def __init__(self, node: Node) -> None:
        self._kind, self._table, sets, sources, where, returning = node
        subquery = subquery_of(_plan)
        target = ("cross", ("table", self._table, self._table, []), None, [])
        self._sources = Sources([target, *sources], where, _plan)
        self._sets = [(name, compiled(value, subquery)) for name, value in sets]
        self._returning = None
        if returning is not None:
            self._returning = projection(returning, subquery)

    def __call__(self, run: Any, outer: Scope | None) -> Found:
        table: Table = run.table(self._table)
        _, combos = self._sources.combine(run, outer)
        done: dict[Row, Values] = {}
        for combo in combos:
            _, row = combo.origins[self._table]
            if row in done:
                continue
            before = combo.values[self._table]
            if self._kind == "delete":
                table.hold(row, run.holder, UPDATE)
                table.delete(row, run.holder)
                done[row] = before
                continue
            table.hold(row, run.holder, NO_KEY)
            scope = Scope(run, combo.values, outer)
            changes = {name: plain(value(scope)) for name, value in self._sets}
            done[row] = {**before, **changes}
            table.update(row, done[row], run.holder)
        tag = self._kind.upper()
        return _done(tag, run, table, list(done.values()), self._returning)


def _done(
    tag: str, run: Any, table: Table, written: list[Values], returning: Any
) -> Found:
    tag = f"{tag} {len(written)}"
    if returning is None:
        return Found([], [], tag)
    scopes = [Scope(run, {table.name: values}) for values in written]
    names, rows = project(returning, {table.name: table.names}, scopes)
    return Found(names, rows, tag)


_PLANS: dict[str, Any] = {
    "select": _select,
    "union": _union,
    "with": _with,
    "insert": _Insert,
    "update": _Change,
    "delete": _Change,
}
