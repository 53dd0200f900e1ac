"""Reads the statements that the shop is written in."""

from typing import Any

from tests.simulation.store.words import (
    ENDS_ALIAS,
    Node,
    Tokens,
    Unreadable,
    arguments,
    expression,
)


def statement(sql: str) -> Node:
    """A whole statement."""
    t = Tokens(sql, select)
    node = _statement(t)
    t.take(";")
    if t.kind != "end":
        raise Unreadable(f"{t.peek()!r} is left of {sql}")
    return node


def _statement(t: Tokens) -> Node:
    if t.take("with"):
        parts = [_part(t)]
        while t.take(","):
            parts.append(_part(t))
        return ("with", parts, _statement(t))
    word = t.peek()
    if word == "select":
        return select(t)
    if word in _CHANGES:
        t.next()
        return _CHANGES[word](t)
    raise Unreadable(t.sql)


def _part(t: Tokens) -> tuple[str, list[str], Node]:
    name = t.next()
    columns = t.names() if t.peek() == "(" else []
    t.need("as")
    t.take("materialized")
    t.need("(")
    node = _statement(t)
    t.need(")")
    return name, columns, node


def select(t: Tokens) -> Node:
    """A SELECT, or several under UNION ALL."""
    if t.peek() == "with":
        return _statement(t)
    first = _select(t)
    if not t.take("union", "all"):
        return first
    return ("union", first, select(t))


def _select(t: Tokens) -> Node:
    t.need("select")
    distinct = t.take("distinct")
    parts: dict[str, Any] = {"distinct": distinct, "items": [], "from": []}
    if t.peek() not in ("from", ")", "where"):
        parts["items"] = _items(t)
    if t.take("from"):
        parts["from"] = _sources(t)
    parts["where"] = expression(t) if t.take("where") else None
    parts["group"] = _expressions(t) if t.take("group", "by") else []
    parts["having"] = expression(t) if t.take("having") else None
    parts["order"] = _ordering(t) if t.take("order", "by") else []
    parts["limit"] = expression(t) if t.take("limit") else None
    parts["lock"] = _lock(t)
    return ("select", parts)


def _lock(t: Tokens) -> tuple[str, bool] | None:
    if not t.take("for"):
        return None
    for mode in (("update",), ("share",), ("key", "share"), ("no", "key", "update")):
        if t.take(*mode):
            return " ".join(mode), t.take("skip", "locked")
    raise Unreadable(f"FOR {t.peek()} in {t.sql}")


def _items(t: Tokens) -> list[tuple[str, Any, Any]]:
    """What is selected: ("all", table, None) or ("one", name, expression)."""
    found: list[tuple[str, Any, Any]] = []
    while True:
        if t.take("*"):
            found.append(("all", None, None))
        elif t.peek(1) == "." and t.peek(2) == "*":
            found.append(("all", t.next(), None))
            t.need(".", "*")
        else:
            node = expression(t)
            named = t.take("as") or (t.kind == "name" and t.peek() not in ENDS_ALIAS)
            found.append(("one", t.next() if named else _name_of(node), node))
        if not t.take(","):
            return found


def _name_of(node: Node) -> str:
    if node[0] == "column":
        return str(node[2])
    if node[0] == "cast":
        return _name_of(node[1])
    return str(node[1]) if node[0] == "call" else "?column?"


def _expressions(t: Tokens) -> list[Node]:
    found = [expression(t)]
    while t.take(","):
        found.append(expression(t))
    return found


def _ordering(t: Tokens) -> list[tuple[Node, bool]]:
    found = []
    while True:
        node = expression(t)
        down = t.take("desc")
        if not down:
            t.take("asc")
        found.append((node, down))
        if not t.take(","):
            return found


def _sources(t: Tokens) -> list[tuple[Any, ...]]:
    """What is read: (how, source, condition, shared columns)."""
    found: list[tuple[Any, ...]] = [("cross", _source(t), None, [])]
    while True:
        if t.take(",") or t.take("cross", "join"):
            found.append(("cross", _source(t), None, []))
            continue
        how = "left" if t.take("left") else "inner" if t.take("inner") else ""
        if not t.take("join"):
            if how:
                raise Unreadable(f"{how} without JOIN in {t.sql}")
            return found
        source = _source(t)
        if t.take("using"):
            found.append((how or "inner", source, None, t.names()))
        else:
            t.need("on")
            found.append((how or "inner", source, expression(t), []))


def _source(t: Tokens) -> tuple[str, Any, str, list[str]]:
    """(kind, what, alias, column names)."""
    lateral = t.take("lateral")
    if t.take("("):
        kind, what, name = "lateral" if lateral else "select", select(t), "?"
        t.need(")")
    else:
        name = t.next()
        if t.take("("):
            kind, what = "call", (name, arguments(t))
        else:
            kind, what = "table", name
    if t.take("as") or (t.kind == "name" and t.peek() not in ENDS_ALIAS):
        name = t.next()
    columns = t.names() if t.peek() == "(" else []
    return kind, what, name, columns


def _insert(t: Tokens) -> Node:
    t.need("into")
    table = t.next()
    columns = t.names() if t.peek() == "(" else []
    if t.take("values"):
        rows = []
        while True:
            t.need("(")
            rows.append(arguments(t))
            if not t.take(","):
                break
        source: Node = ("values", rows)
    else:
        source = select(t)
    conflict = _conflict(t) if t.take("on", "conflict") else None
    return ("insert", table, columns, source, conflict, _returning(t))


def _conflict(t: Tokens) -> tuple[list[str], list[Any] | None, Node | None]:
    """(columns, what to set or None for nothing, condition)."""
    columns = t.names() if t.peek() == "(" else []
    if t.take("do", "nothing"):
        return columns, None, None
    t.need("do", "update", "set")
    sets = _assignments(t)
    return columns, sets, expression(t) if t.take("where") else None


def _assignments(t: Tokens) -> list[tuple[str, Node]]:
    found = []
    while True:
        name = t.next()
        t.need("=")
        found.append((name, expression(t)))
        if not t.take(","):
            return found


def _update(t: Tokens) -> Node:
    table = t.next()
    t.need("set")
    sets = _assignments(t)
    sources = _sources(t) if t.take("from") else []
    where = expression(t) if t.take("where") else None
    return ("update", table, sets, sources, where, _returning(t))


def _delete(t: Tokens) -> Node:
    t.need("from")
    table = t.next()
    sources = _sources(t) if t.take("using") else []
    where = expression(t) if t.take("where") else None
    return ("delete", table, [], sources, where, _returning(t))


def _returning(t: Tokens) -> list[tuple[str, Any, Any]] | None:
    return _items(t) if t.take("returning") else None


_CHANGES = {"insert": _insert, "update": _update, "delete": _delete}
