"""Makes functions of expressions: each gives its value for a row in its scope."""

import operator
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from tests.simulation.store.relations import cast, plain
from tests.simulation.store.words import Node

Compiled = Callable[["Scope"], Any]


class Query(Protocol):
    """What runs a statement inside of an expression."""

    def __call__(self, scope: "Scope") -> list[tuple[Any, ...]]:
        """Its rows, for the row that it stands in."""


class Scope:
    """The row of each source, by its alias; `group` where rows are taken together."""

    __slots__ = ("group", "outer", "rows", "run")

    def __init__(
        self,
        run: Any,
        rows: dict[str, dict[str, Any]],
        outer: "Scope | None" = None,
        group: "Sequence[Scope] | None" = None,
    ) -> None:
        self.run = run
        self.rows = rows
        self.outer = outer
        self.group = group

    def find(self, name: str) -> Any:
        """The value of a column that is named alone."""
        for row in self.rows.values():
            if name in row:
                return row[name]
        if self.outer is None:
            raise NameError(f"no column {name}")
        return self.outer.find(name)

    def find_in(self, alias: str, name: str) -> Any:
        """The value of a column of one source."""
        if alias in self.rows:
            return self.rows[alias][name]
        if self.outer is None:
            raise NameError(f"no table {alias}")
        return self.outer.find_in(alias, name)


def compiled(node: Node, subquery: Callable[[Node], Query]) -> Compiled:
    """The function of an expression."""
    return _KINDS[node[0]](node, lambda inner: compiled(inner, subquery), subquery)


def reads_row(node: Any) -> bool:
    """Whether an expression depends on the row that it is asked for."""
    if isinstance(node, tuple):
        if node and node[0] in ("column", "scalar", "exists", "in_select"):
            return True
        return any(reads_row(part) for part in node)
    return isinstance(node, list) and any(reads_row(part) for part in node)


def is_aggregate(node: Any) -> bool:
    """Whether an expression takes rows together."""
    if isinstance(node, tuple):
        if node and node[0] in ("scalar", "exists", "in_select"):
            return False
        if node and node[0] == "call" and node[1] in _AGGREGATES:
            return True
        return any(is_aggregate(part) for part in node)
    return isinstance(node, list) and any(is_aggregate(part) for part in node)


def compare(sign: str, left: Any, right: Any) -> Any:
    """Two values, three answers."""
    if left is None or right is None:
        return None
    return _SIGNS[sign](plain(left), plain(right))


# --- kinds -------------------------------------------------------------------


def _arg(node: Node, _: Any, __: Any) -> Compiled:
    place = node[1]
    return lambda scope: plain(scope.run.args[place])


def _value(node: Node, _: Any, __: Any) -> Compiled:
    value = node[1]
    return lambda _: value


def _column(node: Node, _: Any, __: Any) -> Compiled:
    alias, name = node[1], node[2]
    if alias is None:
        return lambda scope: scope.find(name)
    return lambda scope: scope.find_in(alias, name)


def _or(node: Node, make: Any, _: Any) -> Compiled:
    left, right = make(node[1]), make(node[2])

    def either(scope: Scope) -> Any:
        one = left(scope)
        if one is True:
            return True
        other = right(scope)
        return True if other is True else None if None in (one, other) else False

    return either


def _and(node: Node, make: Any, _: Any) -> Compiled:
    left, right = make(node[1]), make(node[2])

    def both(scope: Scope) -> Any:
        one = left(scope)
        if one is False:
            return False
        other = right(scope)
        return False if other is False else None if None in (one, other) else True

    return both


def _not(node: Node, make: Any, _: Any) -> Compiled:
    inner = make(node[1])

    def turned(scope: Scope) -> Any:
        value = inner(scope)
        return None if value is None else not value

    return turned


def _compare(node: Node, make: Any, _: Any) -> Compiled:
    sign, left, right = node[1], make(node[2]), make(node[3])
    return lambda scope: compare(sign, left(scope), right(scope))


def _any(node: Node, make: Any, _: Any) -> Compiled:
    sign, left, right = node[1], make(node[2]), make(node[3])

    def some(scope: Scope) -> Any:
        value, values = left(scope), right(scope)
        if value is None or values is None:
            return None
        return any(compare(sign, value, one) is True for one in values)

    return some


def _is(node: Node, make: Any, _: Any) -> Compiled:
    inner = make(node[2])
    wanted = {"null": None, "true": True, "false": False}[node[1]]
    return lambda scope: inner(scope) is wanted


def _distinct(node: Node, make: Any, _: Any) -> Compiled:
    left, right = make(node[1]), make(node[2])
    return lambda scope: left(scope) != right(scope)


def _in(node: Node, make: Any, _: Any) -> Compiled:
    left, options = make(node[1]), [make(one) for one in node[2]]

    def among(scope: Scope) -> Any:
        value = left(scope)
        return None if value is None else value in [one(scope) for one in options]

    return among


def _in_select(node: Node, make: Any, subquery: Any) -> Compiled:
    left, query = make(node[1]), subquery(node[2])

    def among(scope: Scope) -> Any:
        value = left(scope)
        if not isinstance(value, tuple):
            value = (value,)
        return None if None in value else value in query(scope)

    return among


def _reckon(node: Node, make: Any, _: Any) -> Compiled:
    work, left, right = _WORK[node[1]], make(node[2]), make(node[3])

    def reckoned(scope: Scope) -> Any:
        one, other = left(scope), right(scope)
        return None if one is None or other is None else work(one, other)

    return reckoned


def _negative(node: Node, make: Any, _: Any) -> Compiled:
    inner = make(node[1])
    return lambda scope: None if (value := inner(scope)) is None else -value


def _cast(node: Node, make: Any, _: Any) -> Compiled:
    inner, type_name = make(node[1]), node[2]
    return lambda scope: cast(inner(scope), type_name)


def _item(node: Node, make: Any, _: Any) -> Compiled:
    inner, place = make(node[1]), make(node[2])
    return lambda scope: inner(scope)[place(scope) - 1]


def _row(node: Node, make: Any, _: Any) -> Compiled:
    parts = [make(part) for part in node[1]]
    return lambda scope: tuple(part(scope) for part in parts)


def _scalar(node: Node, _: Any, subquery: Any) -> Compiled:
    query = subquery(node[1])

    def first(scope: Scope) -> Any:
        rows = query(scope)
        return rows[0][0] if rows else None

    return first


def _exists(node: Node, _: Any, subquery: Any) -> Compiled:
    query = subquery(node[1])
    return lambda scope: bool(query(scope))


def _case(node: Node, make: Any, _: Any) -> Compiled:
    cases = [(make(condition), make(value)) for condition, value in node[1]]
    otherwise = make(node[2])

    def chosen(scope: Scope) -> Any:
        for condition, value in cases:
            if condition(scope) is True:
                return value(scope)
        return otherwise(scope)

    return chosen


def _call(node: Node, make: Any, _: Any) -> Compiled:
    name, arguments = node[1], [make(one) for one in node[2]]
    if name in _AGGREGATES:
        work = _AGGREGATES[name]

        def together(scope: Scope) -> Any:
            values = [arguments[0](one) for one in scope.group or ()]
            return work([value for value in values if value is not None])

        return together
    if name in _PURE:
        pure = _PURE[name]
        return lambda scope: pure(*(argument(scope) for argument in arguments))
    return lambda scope: scope.run.call(name, *(one(scope) for one in arguments))


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)


def _greatest(*values: Any) -> Any:
    return max((value for value in values if value is not None), default=None)


def _least(*values: Any) -> Any:
    return min((value for value in values if value is not None), default=None)


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_WORK: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "%": operator.mod,
    "||": operator.concat,
}
_AGGREGATES: dict[str, Callable[[list[Any]], Any]] = {
    "max": lambda values: max(values, default=None),
    "min": lambda values: min(values, default=None),
    "sum": lambda values: sum(values) if values else None,
    "count": len,
    "bool_or": lambda values: any(values) if values else None,
    "bool_and": lambda values: all(values) if values else None,
    "array_agg": lambda values: values or None,
}
_PURE: dict[str, Callable[..., Any]] = {
    "coalesce": _coalesce,
    "greatest": _greatest,
    "least": _least,
    "epoch": lambda span: None if span is None else span.total_seconds(),
    "starts_with": lambda text, start: text.startswith(start),
    "lower": lambda text: text and text.lower(),
    "cardinality": lambda values: None if values is None else len(values),
}
_KINDS: dict[str, Callable[[Node, Any, Any], Compiled]] = {
    "arg": _arg,
    "value": _value,
    "column": _column,
    "or": _or,
    "and": _and,
    "not": _not,
    "compare": _compare,
    "any": _any,
    "is": _is,
    "distinct": _distinct,
    "in": _in,
    "in_select": _in_select,
    "reckon": _reckon,
    "negative": _negative,
    "cast": _cast,
    "item": _item,
    "row": _row,
    "scalar": _scalar,
    "exists": _exists,
    "case": _case,
    "call": _call,
}
