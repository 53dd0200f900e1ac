"""Reads expressions of SQL; what is not known here is refused."""

import re
from collections.abc import Callable
from typing import Any

Node = tuple[Any, ...]

_TOKEN = re.compile(
    r"""\s+|--[^\n]*\n|(?P<text>'(?:[^']|'')*')|(?P<quoted>"[^"]+")|(?P<arg>\$\d+)
    |(?P<number>\d+(?:\.\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>::|<>|<=|>=|\|\||[-+*/%=<>(),.\[\];])""",
    re.VERBOSE,
)
ENDS_ALIAS = {
    *("from", "where", "group", "having", "order", "limit", "for", "union", "join"),
    *("left", "on", "using", "set", "values", "select", "returning", "as", "and"),
    *("or", "when", "then", "else", "end", "not", "in", "is", "conflict", "do"),
    *("inner", "cross", "asc", "desc", "at", "between", "collate", "with"),
}


class Unreadable(NotImplementedError):
    """The statement is beyond what the simulation's database can read."""


def tokens(sql: str) -> list[tuple[str, str]]:
    """Kind and text of each token; names in lower case."""
    found = []
    place = 0
    while place < len(sql):
        match = _TOKEN.match(sql, place)
        if match is None:
            raise Unreadable(f"at {sql[place : place + 20]!r} of {sql}")
        place = match.end()
        kind = match.lastgroup
        if kind == "name":
            found.append((kind, match["name"].lower()))
        elif kind == "quoted":
            found.append(("name", match["quoted"][1:-1]))
        elif kind is not None:
            found.append((kind, match[kind]))
    return found


class Tokens:
    """A place in a statement."""

    def __init__(self, sql: str, subquery: "Callable[[Tokens], Node]") -> None:
        self.sql = sql
        self.subquery = subquery
        self._all = [*tokens(sql), ("end", "")]
        self._at = 0

    def peek(self, ahead: int = 0) -> str:
        """The text of a coming token; that of a string counts for nothing here."""
        kind, text = self._all[min(self._at + ahead, len(self._all) - 1)]
        return "''" if kind == "text" else text

    @property
    def kind(self) -> str:
        """What the next token is."""
        return self._all[self._at][0]

    def next(self) -> str:
        """Take a token."""
        text = self._all[self._at][1]
        self._at += 1
        return text

    def take(self, *words: str) -> bool:
        """Take these words if they come next."""
        if all(self.peek(n) == word for n, word in enumerate(words)):
            self._at += len(words)
            return True
        return False

    def need(self, *words: str) -> None:
        """Take these words, which must come."""
        if not self.take(*words):
            raise Unreadable(f"{' '.join(words)} before {self.peek()!r} in {self.sql}")

    def names(self) -> list[str]:
        """A list of names in brackets."""
        self.need("(")
        found = [self.next()]
        while self.take(","):
            found.append(self.next())
        self.need(")")
        return found


# --- expressions -------------------------------------------------------------


def expression(t: Tokens) -> Node:
    """Any expression."""
    left = _conjunction(t)
    while t.take("or"):
        left = ("or", left, _conjunction(t))
    return left


def _conjunction(t: Tokens) -> Node:
    left = _negation(t)
    while t.take("and"):
        left = ("and", left, _negation(t))
    return left


def _negation(t: Tokens) -> Node:
    if t.take("not"):
        return ("not", _negation(t))
    return _comparison(t)


def _comparison(t: Tokens) -> Node:
    left = _sum(t)
    if t.peek() in ("=", "<>", "<", ">", "<=", ">="):
        sign = t.next()
        if t.take("any", "("):
            right = expression(t)
            t.need(")")
            return ("any", sign, left, right)
        return ("compare", sign, left, _sum(t))
    if t.take("is"):
        no = t.take("not")
        if t.take("distinct", "from"):
            node: Node = ("distinct", left, _sum(t))
        else:
            word = t.next()
            if word not in ("null", "true", "false"):
                raise Unreadable(f"IS {word} in {t.sql}")
            node = ("is", word, left)
        return ("not", node) if no else node
    no = t.take("not")
    if t.take("in", "("):
        if t.peek() == "select":
            node = ("in_select", left, t.subquery(t))
        else:
            node = ("in", left, [expression(t)])
            while t.take(","):
                node[2].append(expression(t))
        t.need(")")
        return ("not", node) if no else node
    if no:
        raise Unreadable(f"NOT {t.peek()} in {t.sql}")
    return left


def _sum(t: Tokens) -> Node:
    left = _product(t)
    while t.peek() in ("+", "-", "||"):
        left = ("reckon", t.next(), left, _product(t))
    return left


def _product(t: Tokens) -> Node:
    left = _postfix(t)
    while t.peek() in ("*", "/", "%"):
        left = ("reckon", t.next(), left, _postfix(t))
    return left


def _postfix(t: Tokens) -> Node:
    node = _primary(t)
    while True:
        if t.take("::"):
            node = ("cast", node, type_name(t))
        elif t.take("["):
            node = ("item", node, expression(t))
            t.need("]")
        elif t.take("at", "time", "zone"):
            t.next()
            node = ("cast", node, "timestamp")
        else:
            return node


def type_name(t: Tokens) -> str:
    """A type, such as `uuid[]`."""
    name = t.next()
    if t.take("["):
        t.need("]")
        name += "[]"
    return name


def _primary(t: Tokens) -> Node:
    kind = t.kind
    if kind == "arg":
        return ("arg", int(t.next()[1:]) - 1)
    if kind == "number":
        text = t.next()
        return ("value", float(text) if "." in text else int(text))
    if kind == "text":
        return ("value", t.next()[1:-1].replace("''", "'"))
    if t.take("-"):
        return ("negative", _postfix(t))
    if t.take("("):
        return _bracket(t)
    if kind != "name":
        raise Unreadable(f"{t.peek()!r} in {t.sql}")
    return _named(t)


def _bracket(t: Tokens) -> Node:
    if t.peek() in ("select", "with"):
        node: Node = ("scalar", t.subquery(t))
    else:
        parts = [expression(t)]
        while t.take(","):
            parts.append(expression(t))
        node = parts[0] if len(parts) == 1 else ("row", parts)
    t.need(")")
    return node


def _named(t: Tokens) -> Node:
    name = t.next()
    if name in ("true", "false", "null"):
        return ("value", {"true": True, "false": False, "null": None}[name])
    if name in ("current_date", "current_user"):
        return ("call", name, [])
    if name == "case":
        return _case(t)
    if name == "exists":
        t.need("(")
        node: Node = ("exists", t.subquery(t))
        t.need(")")
        return node
    if name == "extract":
        t.need("(", "epoch", "from")
        node = ("call", "epoch", [expression(t)])
        t.need(")")
        return node
    if t.take("("):
        return ("call", name, arguments(t))
    if t.take("."):
        return ("column", name, t.next())
    return ("column", None, name)


def _case(t: Tokens) -> Node:
    cases = []
    while t.take("when"):
        condition = expression(t)
        t.need("then")
        cases.append((condition, expression(t)))
    otherwise = expression(t) if t.take("else") else ("value", None)
    t.need("end")
    return ("case", cases, otherwise)


def arguments(t: Tokens) -> list[Node]:
    found: list[Node] = []
    if t.take("*"):
        found.append(("value", 1))
    elif t.peek() != ")":
        found.append(expression(t))
        while t.take(","):
            found.append(expression(t))
    t.need(")")
    return found
