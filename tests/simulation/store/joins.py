"""Joins: rows of several sources, put beside each other."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.simulation.store.expressions import Scope
from tests.simulation.store.relations import Row, Table, Values


class Found(NamedTuple):
    """What a statement gives: its columns and rows; `tag` says what it did."""

    names: list[str]
    rows: list[tuple[Any, ...]]
    tag: str = ""


class Combined(NamedTuple):
    """Rows of several sources that belong together, by alias."""

    values: dict[str, Values]
    origins: dict[str, tuple[Table, Row]]


Plan = Callable[[Any, Scope | None], Found]


def beside(
    run: Any, outer: Scope | None, combos: list[Combined], part: tuple[str, Plan]
) -> Iterator[Combined]:
    """A query that sees the row beside which it stands (LATERAL)."""
    alias, plan = part
    for combo in combos:
        found = plan(run, Scope(run, combo.values, outer))
        for row in found.rows:
            values = dict(zip(found.names, row, strict=True))
            yield Combined({**combo.values, alias: values}, combo.origins)


def joined(
    run: Any, outer: Scope | None, combos: list[Combined], part: tuple[Any, ...]
) -> Iterator[Combined]:
    """What there was so far, with a further source."""
    how, alias, names, rows, on, using = part
    for combo in combos:
        matched = False
        for origin, values in rows:
            both = {**combo.values, alias: values}
            if using:
                scope = Scope(run, combo.values, outer)
                if any(scope.find(name) != values[name] for name in using):
                    continue
            if on is not None and on(Scope(run, both, outer)) is not True:
                continue
            matched = True
            origins = combo.origins
            yield Combined(both, {**origins, alias: origin} if origin else origins)
        if how == "left" and not matched:
            nothing = {**combo.values, alias: dict.fromkeys(names)}
            yield Combined(nothing, combo.origins)
