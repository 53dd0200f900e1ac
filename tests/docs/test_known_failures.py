"""The page of known failures names tests that there are."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/known-failures.md"
NAMED_IN_THE_ISSUE = (
    "The last item is sold twice.",
    "A cart loses lines when two tabs write.",
    "Lines in another order deadlock.",
    "A refresh pays twice.",
    "A webhook is settled three times.",
    "Money is taken, and there is no order.",
)


def rows() -> dict[str, tuple[str, str]]:
    """Failure → file and name of the test that shows that it does not happen."""
    found = re.findall(
        r"^\| (.+?) \| .+ \| `(.+?)::(\w+)` \|$", PAGE.read_text(), re.MULTILINE
    )
    return {failure: (path, name) for failure, path, name in found}


def test_the_failures_that_everybody_knows_each_have_a_named_test() -> None:
    assert set(NAMED_IN_THE_ISSUE) <= set(rows())
    lines = PAGE.read_text().splitlines()
    assert len(rows()) == sum(line.startswith("| ") for line in lines) - 1


def test_every_test_that_is_named_exists() -> None:
    for path, name in rows().values():
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        functions = (ast.AsyncFunctionDef, ast.FunctionDef)
        assert name in {
            node.name for node in tree.body if isinstance(node, functions)
        }, f"{path}::{name}"
