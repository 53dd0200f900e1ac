"""Nothing is too large to be read: no file, no function, no line, no exceptions."""

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.tree import (
    PYTHON_FOLDERS,
    ROOT,
    parsed,
    python_files,
    shell_files,
)

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
LINE_CHARACTERS_MAX = 88
WEAK_NAMES = re.compile(r"(Manager|Helper|Utils|Service|Base|Common)$")

PYTHON = python_files(*PYTHON_FOLDERS)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def where(path: Path, line: int) -> str:
    """A place that an editor can open."""
    return f"{path.relative_to(ROOT)}:{line}"


def test_no_file_is_longer_than_400_lines() -> None:
    sizes = {p: len(p.read_text().splitlines()) for p in (*PYTHON, *shell_files())}
    assert [where(p, n) for p, n in sizes.items() if n > FILE_LINES_MAX] == []


def test_no_function_is_longer_than_50_lines() -> None:
    wrong = [
        where(path, node.lineno)
        for path in PYTHON
        for node in ast.walk(parsed(path))
        if isinstance(node, DEFINITIONS)
        and (node.end_lineno or 0) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert wrong == []


def test_no_line_is_longer_than_88_characters() -> None:
    wrong = [
        where(path, number)
        for path in (*PYTHON, *shell_files())
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE_CHARACTERS_MAX
    ]
    assert wrong == []


def test_a_module_says_in_one_sentence_what_it_is() -> None:
    wrong = [where(path, 1) for path in PYTHON if parsed(path).body and not _says(path)]
    assert wrong == []


def _says(path: Path) -> bool:
    """Whether the docstring's first paragraph is one sentence."""
    first = (ast.get_docstring(parsed(path)) or "").split("\n\n")[0]
    return first.endswith((".", ":")) and not re.search(r"[.!?] [A-Z]", first)


def test_a_class_or_module_has_a_name_that_says_something() -> None:
    modules = [p for p in PYTHON if WEAK_NAMES.search(p.stem.title().replace("_", ""))]
    classes = [
        where(path, node.lineno)
        for path in PYTHON
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and WEAK_NAMES.search(node.name)
    ]
    assert (modules, classes) == ([], [])


def test_a_limit_of_a_module_stands_at_its_top() -> None:
    wrong = [
        where(path, node.lineno)
        for path in python_files("actors", "bus", "persistence", "serve_app")
        for node in ast.walk(parsed(path))
        if isinstance(node, DEFINITIONS)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Name)
        and isinstance(inner.ctx, ast.Store)
        and inner.id.endswith("_MAX")
    ]
    assert wrong == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplemented"])
def test_nothing_is_left_for_later(word: str) -> None:
    mine = Path(__file__)
    wrong = [
        p for p in PYTHON if p != mine and re.search(rf"\b{word}\b", p.read_text())
    ]
    assert wrong == []
