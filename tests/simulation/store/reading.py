"""Reads: sources joined, filtered, taken together, ordered and locked."""

from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.store.expressions import (
    Compiled,
    Scope,
    compiled,
    is_aggregate,
    reads_row,
)
from tests.simulation.store.joins import Combined, Found, Plan, beside, joined
from tests.simulation.store.relations import (
    KEY_SHARE,
    NO_KEY,
    SHARE,
    UPDATE,
    Blocked,
    Row,
    Table,
    Values,
)
from tests.simulation.store.words import Node, Unreadable

MODES = {
    "update": UPDATE,
    "no key update": NO_KEY,
    "share": SHARE,
    "key share": KEY_SHARE,
}


Pick = tuple[str | None, str, bool, Compiled]
"""A filter `alias.name = value`, or `= ANY(values)`, that depends on no other row."""


def subquery_of(plan: Callable[[Node], Plan]) -> Callable[[Node], Any]:
    """How an expression runs a query inside of it."""

    def made(node: Node) -> Any:
        return _Inner(plan(node)).rows

    return made


class _Inner:
    """A query inside of an expression; one that names no row outside is run once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._reads_outside = False

    def rows(self, scope: Scope) -> list[tuple[Any, ...]]:
        """Its rows, for the row that it stands in."""
        if self._reads_outside:
            return self._plan(scope.run, scope).rows
        known: dict[Any, list[tuple[Any, ...]]] = scope.run.known
        if self not in known:
            try:
                known[self] = self._plan(scope.run, None).rows
            except NameError:
                self._reads_outside = True
                return self._plan(scope.run, scope).rows
        return known[self]


class Sources:
    """The FROM of a statement with its WHERE."""

    def __init__(
        self,
        sources: list[tuple[Any, ...]],
        where: Node | None,
        plan: Callable[[Node], Plan],
    ) -> None:
        subquery = subquery_of(plan)
        self._parts = []
        for how, source, condition, using in sources:
            kind, what, alias, columns = source
            ready: Any = what
            if kind in ("select", "lateral"):
                ready = plan(what)
            elif kind == "call":
                ready = (what[0], [compiled(one, subquery) for one in what[1]])
            on = None if condition is None else compiled(condition, subquery)
            self._parts.append((how, kind, ready, alias, columns, on, using))
        parts = _conjuncts(where)
        self._picks: list[Pick] = []
        rest = []
        for part in parts:
            pick = _pick(part, subquery)
            if pick is None or any(one[0] == "left" for one in sources):
                rest.append(compiled(part, subquery))
            else:
                self._picks.append(pick)
        self._rest = rest

    def combine(self, run: Any, outer: Scope | None) -> tuple[Any, list[Combined]]:
        """All combinations that fit, and the columns of each source."""
        combos = [Combined({}, {})]
        columns: dict[str, list[str]] = {}
        picks = []
        for alias, name, many, value in self._picks:
            wanted = value(Scope(run, {}, outer))
            if many and wanted is not None:
                wanted = dict.fromkeys(wanted)
            picks.append((alias, name, many, wanted))
        used: set[int] = set()
        for how, kind, ready, alias, names, on, using in self._parts:
            if kind == "lateral":
                combos = list(beside(run, outer, combos, (alias, ready)))
                continue
            found_names, rows = self._read(
                run, outer, (kind, ready, alias, names), picks, used
            )
            columns[alias] = found_names
            combos = list(
                joined(run, outer, combos, (how, alias, found_names, rows, on, using))
            )
        left = [pick for n, pick in enumerate(picks) if n not in used]
        return columns, [
            combo
            for combo in combos
            if self._fits(Scope(run, combo.values, outer), left)
        ]

    def _fits(self, scope: Scope, picks: list[Any]) -> bool:
        for alias, name, many, wanted in picks:
            value = scope.find(name) if alias is None else scope.find_in(alias, name)
            if value is None or wanted is None:
                return False
            if (value not in wanted) if many else (value != wanted):
                return False
        return all(condition(scope) is True for condition in self._rest)

    def _read(
        self,
        run: Any,
        outer: Scope | None,
        source: tuple[Any, ...],
        picks: list[Any],
        used: set[int],
    ) -> tuple[list[str], list[tuple[Any, Values]]]:
        kind, ready, alias, columns = source
        if kind == "call":
            names, rows = _function(run, outer, ready, alias, columns)
            return names, [(None, row) for row in rows]
        if kind == "select":
            found = ready(run, outer)
            names = columns or found.names
            rows = [dict(zip(names, row, strict=False)) for row in found.rows]
            return names, [(None, row) for row in rows]
        table = run.table(ready)
        if not isinstance(table, Table):
            names, rows = table
            return names, [(None, row) for row in rows]
        mine = {}
        for place, (of, name, many, wanted) in enumerate(picks):
            fits = of == alias or (of is None and name in table.names)
            if place not in used and fits and name not in mine:
                mine[name] = (many, wanted)
                used.add(place)
        return table.names, [
            ((table, row), values) for row, values in _scan(table, run.holder, mine)
        ]


def _scan(
    table: Table, holder: Any, picks: dict[str, tuple[bool, Any]]
) -> Iterator[tuple[Row, Values]]:
    if any(wanted is None for _, wanted in picks.values()):
        return
    for place, unique in enumerate(table.unique):
        if len(unique) == 1 and unique[0] in picks:
            many, wanted = picks[unique[0]]
            for key in wanted if many else (wanted,):
                for row, values in table.by_key(place, (key,), holder):
                    if _picked(values, picks):
                        yield row, values
            return
    for row, values in table.scan(holder):
        if _picked(values, picks):
            yield row, values


def _picked(values: Values, picks: dict[str, tuple[bool, Any]]) -> bool:
    for name, (many, wanted) in picks.items():
        value = values[name]
        if (value not in wanted) if many else (value != wanted):
            return False
    return True


def _conjuncts(node: Node | None) -> list[Node]:
    if node is None:
        return []
    if node[0] == "and":
        return [*_conjuncts(node[1]), *_conjuncts(node[2])]
    return [node]


def _pick(node: Node, subquery: Any) -> Pick | None:
    simple = node[0] in ("compare", "any") and node[1] == "="
    if not simple or node[2][0] != "column" or reads_row(node[3]):
        return None
    _, alias, name = node[2]
    return alias, name, node[0] == "any", compiled(node[3], subquery)


def _function(
    run: Any, outer: Scope | None, call: Any, alias: str, columns: list[str]
) -> tuple[list[str], list[Values]]:
    name, arguments = call
    scope = Scope(run, {}, outer)
    values = [argument(scope) for argument in arguments]
    if name == "unnest":
        names = columns or ([alias] if len(values) == 1 else _numbered(len(values)))
        lists = [one or [] for one in values]
        longest = max(map(len, lists))
        padded = [[*one, *[None] * (longest - len(one))] for one in lists]
        return names, [
            dict(zip(names, row, strict=True)) for row in zip(*padded, strict=True)
        ]
    if name == "generate_series":
        names = columns or [alias]
        return names, [{names[0]: n} for n in range(values[0], values[1] + 1)]
    raise Unreadable(f"{name}() as a source")


def _numbered(count: int) -> list[str]:
    return [f"column{n}" for n in range(count)]


# --- SELECT ------------------------------------------------------------------


class Select:
    """A SELECT, ready to run."""

    def __init__(self, parts: dict[str, Any], plan: Callable[[Node], Plan]) -> None:
        subquery = subquery_of(plan)
        self._sources = Sources(parts["from"], parts["where"], plan)
        self._items = projection(parts["items"], subquery)
        self._group = [compiled(node, subquery) for node in parts["group"]]
        self._having = parts["having"] and compiled(parts["having"], subquery)
        self._together = (
            bool(self._group)
            or is_aggregate(parts["having"])
            or any(is_aggregate(item[2]) for item in parts["items"])
        )
        self._order = [
            (_key_of(node, parts["items"], subquery), down)
            for node, down in parts["order"]
        ]
        self._limit = parts["limit"] and compiled(parts["limit"], subquery)
        self._lock = parts["lock"]
        self._distinct = parts["distinct"]

    def __call__(self, run: Any, outer: Scope | None) -> Found:
        """Its rows."""
        columns, combos = self._sources.combine(run, outer)
        scopes = [(Scope(run, combo.values, outer), combo) for combo in combos]
        if self._together:
            grouped = self._grouped(run, outer, [scope for scope, _ in scopes])
            scopes = [(scope, Combined({}, {})) for scope in grouped]
        for key, down in reversed(self._order):
            scopes.sort(key=lambda pair: _sortable(key(pair[0])), reverse=down)
        if self._lock:
            scopes = [pair for pair in scopes if self._held(run, pair[1])]
        if self._limit and (limit := self._limit(Scope(run, {}, outer))) is not None:
            scopes = scopes[:limit]
        names, rows = project(self._items, columns, [scope for scope, _ in scopes])
        if self._distinct:
            rows = list(dict.fromkeys(rows))
        return Found(names, rows, f"SELECT {len(rows)}")

    def _grouped(
        self, run: Any, outer: Scope | None, scopes: list[Scope]
    ) -> list[Scope]:
        groups: dict[tuple[Any, ...], list[Scope]] = {} if self._group else {(): []}
        for scope in scopes:
            key = tuple(one(scope) for one in self._group)
            groups.setdefault(key, []).append(scope)
        made = [
            Scope(run, members[0].rows if members else {}, outer, members)
            for members in groups.values()
        ]
        return [one for one in made if not self._having or self._having(one) is True]

    def _held(self, run: Any, combo: Combined) -> bool:
        mode, skips = self._lock
        try:
            for table, row in combo.origins.values():
                table.hold(row, run.holder, MODES[mode])
        except Blocked:
            if skips:
                return False
            raise
        return True


def _key_of(node: Node, items: list[Any], subquery: Any) -> Compiled:
    """What to sort by: an expression, or a column of the answer by name or place."""
    named = {name: item for kind, name, item in items if kind == "one"}
    if node[0] == "value" and isinstance(node[1], int):
        node = items[node[1] - 1][2]
    elif node[0] == "column" and node[1] is None and node[2] in named:
        node = named[node[2]]
    return compiled(node, subquery)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is None, 0 if value is None else value)


def projection(
    items: list[tuple[str, Any, Any]], subquery: Any
) -> list[tuple[str, Any, Any]]:
    """What is selected or returned, ready to run; a column alone stays a column."""
    return [
        (kind, name, node)
        if kind == "all" or node[0] == "column"
        else ("made", name, compiled(node, subquery))
        for kind, name, node in items
    ]


def project(
    items: list[tuple[str, Any, Any]],
    columns: dict[str, list[str]],
    scopes: list[Scope],
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The names and values of what is selected or returned."""
    names: list[str] = []
    takes: list[Any] = []
    for kind, name, node in items:
        if kind == "all":
            for alias in columns if name is None else [name]:
                names += columns[alias]
                takes += [_taker(alias, column) for column in columns[alias]]
            continue
        names.append(name)
        takes.append(node if kind == "made" else _finder(columns, node[1], node[2]))
    return names, [tuple([take(scope) for take in takes]) for scope in scopes]


def _finder(columns: dict[str, list[str]], alias: str | None, name: str) -> Compiled:
    holders = [one for one, some in columns.items() if name in some]
    if alias is None and holders:
        return _taker(holders[0], name)
    if alias in columns:
        return _taker(alias, name)  # type: ignore[arg-type]
    return lambda scope: (
        scope.find(name) if alias is None else scope.find_in(alias, name)
    )


def _taker(alias: str, column: str) -> Compiled:
    return lambda scope: scope.rows[alias][column]
