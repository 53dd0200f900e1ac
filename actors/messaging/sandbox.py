"""The small part of Jinja that a mail template may use, bounded in time and size.

A template is written by people and read by the process that sends codes. So only what
is listed here is compiled: places, conditions, loops over lists that are in the data,
and a few filters. Nothing can be called, nothing has attributes but data, and neither
loops nor texts can multiply beyond a bound.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

NODES_MAX = 3_000
EXPRESSION_NODES_MAX = 60
NESTED_MAX = 6
WORK_MAX = 50_000
OUTPUT_CHARACTERS_MAX = 400_000

_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "e", "escape", "first", "int"),
    *("join", "last", "length", "lower", "round", "title", "trim", "truncate", "upper"),
)
_TESTS = (
    *("defined", "undefined", "none", "number", "string", "even", "odd", "in"),
    *("eq", "equalto", "ne", "lt", "lessthan", "le", "gt", "greaterthan", "ge"),
)
# What could multiply a text with another takes constants only.
_CONSTANTS_ONLY = ("join", "truncate", "round", "int")
_RESERVED = frozenset({"self", "super", "caller", "varargs", "kwargs"})
_LOOP = frozenset({"index", "index0", "first", "last", "length"})
_STATEMENTS = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.If, nodes.For)
_EXPRESSIONS = (
    *(nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem, nodes.Slice),
    *(nodes.Filter, nodes.Test, nodes.CondExpr, nodes.Compare, nodes.Operand),
    *(nodes.And, nodes.Or, nodes.Not, nodes.Add, nodes.Sub, nodes.Neg),
    *(nodes.Concat, nodes.Tuple, nodes.List),
)
_COUNTED = "counted"
_WORK = "_work"


class BrokenSource(Exception):
    """A source that is no template; says what is wrong and in which line."""

    def __init__(self, code: str, detail: str, line: int) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.line = line


class OutOfBounds(jinja2.TemplateRuntimeError):
    """Rendering would take too long, or become too large."""


class Program:
    """A compiled source; `places` are the names that it needs."""

    def __init__(self, template: jinja2.Template, places: frozenset[str]) -> None:
        self._template = template
        self.places = places

    def render(self, data: Mapping[str, Any]) -> str:
        """The text that it makes of the data; raises jinja2.TemplateError."""
        chunks, size = [], 0
        for chunk in self._template.generate({**data, _WORK: [WORK_MAX]}):
            size += len(chunk)
            if size > OUTPUT_CHARACTERS_MAX:
                raise OutOfBounds("It becomes too large.")
            chunks.append(chunk)
        return "".join(chunks)


class Sandbox(ImmutableSandboxedEnvironment):
    """Compiles sources; with `autoescape` what is filled in stays text in HTML."""

    def __init__(self, *, autoescape: bool, filters: Mapping[str, Any]) -> None:
        super().__init__(
            autoescape=autoescape,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            keep_trailing_newline=True,
        )
        self.globals = {}
        self.tests = {name: self.tests[name] for name in _TESTS}
        self.filters = {name: self.filters[name] for name in _FILTERS}
        self.filters |= filters
        self._known = frozenset(self.filters)
        self.filters[_COUNTED] = _counted

    def program(self, source: str) -> Program:
        """Check and compile; raises BrokenSource."""
        tree, places = self.checked(source)
        for loop in tree.find_all(nodes.For):
            weight = nodes.Const(1 + sum(1 for _ in _within(loop)))
            loop.iter = nodes.Filter(loop.iter, _COUNTED, [weight], [], None, None)
        tree.set_environment(self)
        try:
            code = self.compile(tree)
        except (jinja2.TemplateError, SyntaxError, RecursionError) as error:
            raise BrokenSource("syntax", str(error), 1) from error
        template = jinja2.Template.from_code(self, code, {})
        return Program(template, frozenset(places))

    def checked(self, source: str) -> tuple[nodes.Template, dict[str, int]]:
        """The tree of a source, and each place that it names by its first line."""
        try:
            tree = self.parse(source)
            self._check(tree)
        except jinja2.TemplateSyntaxError as error:
            raise BrokenSource("syntax", str(error.message), error.lineno) from error
        except RecursionError as error:
            raise BrokenSource("too-deep", "It is nested too deep.", 1) from error
        undeclared = meta.find_undeclared_variables(tree)
        places: dict[str, int] = {}
        for name in tree.find_all(nodes.Name):
            if name.name in undeclared:
                places.setdefault(name.name, name.lineno)
        return tree, places

    def _check(self, tree: nodes.Template) -> None:
        if sum(1 for _ in _within(tree)) > NODES_MAX:
            raise BrokenSource("too-large", "It has too many parts.", 1)
        _check_nesting(tree, 0)
        for node in _within(tree):
            if not isinstance(node, (*_STATEMENTS, *_EXPRESSIONS)):
                what = type(node).__name__.lower()
                detail = f"«{what}» cannot be used in a mail template."
                raise BrokenSource("not-allowed", detail, node.lineno)
            self._check_names(node)
            if isinstance(node, nodes.Output | nodes.If | nodes.For):
                _check_size(node)

    def _check_names(self, node: nodes.Node) -> None:
        wrong = None
        if isinstance(node, nodes.Filter):
            if node.name not in self._known or node.dyn_args or node.dyn_kwargs:
                wrong = f"There is no filter «{node.name}»."
            elif node.name in _CONSTANTS_ONLY and not _constant(node):
                wrong = f"«{node.name}» takes constants only."
        elif isinstance(node, nodes.Test) and node.name not in self.tests:
            wrong = f"There is no test «{node.name}»."
        elif isinstance(node, nodes.Name) and (
            node.name.startswith("_")
            or node.name in _RESERVED
            or (node.ctx == "store" and node.name == "loop")
        ):
            wrong = f"«{node.name}» is no name for a place."
        elif isinstance(node, nodes.For) and node.recursive:
            wrong = "A loop cannot be recursive."
        if wrong:
            raise BrokenSource("not-allowed", wrong, node.lineno)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`order.total` is a field of the data, or of a loop, and nothing else is."""
        if isinstance(obj, LoopContext) and attribute in _LOOP:
            return getattr(obj, attribute)
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """A field of an object of the data, or what stands at a place of a list."""
        try:
            if isinstance(obj, dict) and isinstance(argument, str):
                return obj[argument]
            if isinstance(obj, list | tuple | str) and isinstance(
                argument, int | slice
            ):
                return obj[argument]
        except (KeyError, IndexError):
            pass
        if isinstance(obj, jinja2.Undefined):
            return obj
        return self.undefined(obj=obj, name=argument)


@jinja2.pass_context
def _counted(context: jinja2.runtime.Context, items: Any, weight: int) -> Any:
    """The list that a loop goes over; its work is paid for before it begins."""
    if isinstance(items, jinja2.Undefined):
        iter(items)  # a strict one says what it is that is not there
    if not isinstance(items, list | tuple):
        raise OutOfBounds("Only a list can be looped over.")
    work = context[_WORK]
    work[0] -= weight * len(items)
    if work[0] < 0:
        raise OutOfBounds("It loops too often.")
    return items


def _within(node: nodes.Node) -> Iterator[nodes.Node]:
    return node.find_all(nodes.Node)


def _constant(node: nodes.Filter) -> bool:
    given = [*node.args, *(one.value for one in node.kwargs)]
    return all(isinstance(one, nodes.Const) for one in given)


def _check_nesting(node: nodes.Node, depth: int) -> None:
    if depth > NESTED_MAX:
        raise BrokenSource("too-deep", "It is nested too deep.", node.lineno)
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.If | nodes.For | nodes.Template | nodes.Output):
            inner = isinstance(child, nodes.If | nodes.For)
            _check_nesting(child, depth + inner)


def _check_size(node: nodes.Output | nodes.If | nodes.For) -> None:
    """No expression is so large that one evaluation of it is much work."""
    expressions: list[nodes.Node] = [
        *(node.nodes if isinstance(node, nodes.Output) else ()),
        *([node.test] if isinstance(node, nodes.If) else ()),
        *([node.iter] if isinstance(node, nodes.For) else ()),
    ]
    for one in expressions:
        if sum(1 for _ in _within(one)) > EXPRESSION_NODES_MAX:
            raise BrokenSource("too-large", "An expression is too long.", node.lineno)
