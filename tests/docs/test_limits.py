"""The page of limits: each bound and each test exists, and no queue is missing."""

import ast
import re
from functools import cache
from pathlib import Path

from scripts.referencing.settings import settings_page

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/limits.md"
NAMED = re.compile(r"`((?:actors|bus|persistence|serve_app)/[\w/]+\.py)::(\w+)`")
SHOWN = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
WAITING = re.compile(
    r"(?<!class )\b(?:deque|(?:Lifo|Priority|Simple)?Queue|(?:Bounded)?Semaphore"
    r"|ThreadPoolExecutor|OrderedDict)\("
)
"""How a queue, a pool or a cache is made."""


def rows() -> list[list[str]]:
    """The cells of each row."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [line.removeprefix("| ").removesuffix(" |").split(" | ") for line in lines]
    return [each for each in cells if each[0] != "what"]


@cache
def names_in(path: str) -> frozenset[str]:
    """What a module defines at its top."""
    found = set()
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                names = target.elts if isinstance(target, ast.Tuple) else [target]
                found |= {each.id for each in names if isinstance(each, ast.Name)}
    return frozenset(found)


def test_every_row_names_a_bound_and_a_test() -> None:
    assert len(rows()) > 30
    for row in rows():
        assert len(row) == 4, row
        _, bound, past, shown = row
        assert NAMED.search(bound) or "`SOUK_" in bound, row
        assert past, row
        assert SHOWN.fullmatch(shown), row


def test_every_bound_that_is_named_exists() -> None:
    text = PAGE.read_text()
    named = NAMED.findall(text)
    assert [each for each in named if each[1] not in names_in(each[0])] == []
    settings = set(re.findall(r"`(SOUK_\w+)`", text))
    assert {each for each in settings if f"`{each}`" not in settings_page()} == set()


def test_every_test_that_is_named_exists() -> None:
    named = SHOWN.findall(PAGE.read_text())
    assert [each for each in named if each[1] not in names_in(each[0])] == []


def test_every_queue_pool_and_cache_of_the_shop_has_a_row() -> None:
    named = {path for path, _ in NAMED.findall(PAGE.read_text())}
    made = {
        str(path.relative_to(ROOT))
        for folder in ("actors", "bus", "persistence", "serve_app")
        for path in (ROOT / folder).rglob("*.py")
        if WAITING.search(path.read_text())
    }
    assert len(made) > 10
    assert made - named == set()
