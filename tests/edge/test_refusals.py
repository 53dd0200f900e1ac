"""Every refusal is provoked, and none is missing here."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from bus.kit.refusals import STATUS, Refusal
from serve_app.kit.failing import HTTP_CODES
from tests.edge.conftest import DOMAINS
from tests.edge.front import Front
from tests.edge.refusals import ELSEWHERE, REFUSALS, Provoke
from tests.edge.scene import Scene

ROOT = Path(__file__).resolve().parents[2]
ROWS = ("bus", "actors", "serve_app")
FIXED = {
    "not_found": "not-found",
    "forbidden": "forbidden",
    "stale": "version-mismatch",
}
GIVEN = {"unsendable"}
"""Constructors whose code is given by whoever calls them."""
CODED = {
    "invalid": 0,
    "conflict": 0,
    "Refusal": 1,
    "Problem": 1,
    "unauthenticated": 0,
    "unsendable": 0,
}
"""What makes a refusal, and at which place its code stands."""

_DOCUMENTED = re.compile(r"\b[45]\d\d\s+`[a-z-]+`(?:(?:,| or| and)\s+`[a-z-]+`)*")


@pytest.mark.parametrize("code", REFUSALS)
async def test_a_refusal_is_provoked(scene: Scene, code: str) -> None:
    status, provoke = REFUSALS[code]
    assert await refused(provoke, scene) == (status, code)


def test_every_refusal_in_the_code_has_a_row_and_every_row_its_refusal() -> None:
    in_code = {code for cell in (*DOMAINS, "kit") for code in codes_of(cell)}
    rows = REFUSALS.keys() | ELSEWHERE.keys()
    assert in_code | set(HTTP_CODES.values()) == rows, "tests/edge/refusals"
    assert not REFUSALS.keys() & ELSEWHERE.keys()


def test_what_is_provoked_elsewhere_is_named_there() -> None:
    for code, path in ELSEWHERE.items():
        assert f'"{code}"' in (ROOT / path).read_text("utf-8"), code


def test_every_constructor_of_a_refusal_says_its_code() -> None:
    """A function of `bus` that makes a refusal holds a code that the test can read."""
    for domain in DOMAINS:
        for path in files_of("bus", domain):
            for function in functions(path):
                returns = ast.unparse(function.returns or ast.Constant(None))
                if returns == "Refusal" and function.name not in GIVEN:
                    codes = list(codes_in(function, names_in(path)))
                    assert codes, f"{path}: {function.name}"


async def test_every_documented_refusal_has_a_row(front: Front) -> None:
    document = (await front.http.get("/api/openapi.json")).json()
    found = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for words in _DOCUMENTED.findall(operation["description"]):
                found |= set(re.findall("`([a-z-]+)`", words))
    assert {"out-of-stock", "refund-exceeds-capture", "audit-incomplete"} <= found
    assert found <= REFUSALS.keys() | ELSEWHERE.keys()


async def refused(provoke: Provoke, scene: Scene) -> tuple[int, str]:
    """Status and code of what a row ends in."""
    try:
        answer = await provoke(scene)
    except Refusal as refusal:
        return STATUS[refusal.data.kind], refusal.code
    return answer.status_code, answer.json()["code"]


def files_of(row: str, domain: str) -> list[Path]:
    """A domain's cell in a row of the grid: one file, or a package."""
    cell = ROOT / row / domain
    return sorted(cell.rglob("*.py")) if cell.is_dir() else [cell.with_suffix(".py")]


@cache
def parsed(path: Path) -> ast.Module:
    """The code of a file."""
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """The plain functions of a file."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef):
            yield node


def names_in(path: Path) -> dict[str, str]:
    """The names of a file that stand for a text."""
    return {
        target.id: node.value.value
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }


def codes_in(tree: ast.AST, names: dict[str, str]) -> Iterator[str]:
    """The codes of the refusals that this code makes."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        name = node.func.id
        if name in FIXED:
            yield FIXED[name]
        elif name in CODED and len(node.args) > CODED[name]:
            code = node.args[CODED[name]]
            if isinstance(code, ast.Constant):
                yield code.value
            elif isinstance(code, ast.Name) and code.id in names:
                yield names[code.id]


def codes_of(domain: str) -> Iterator[str]:
    """All codes of a domain, in all rows of the grid."""
    for row in ROWS:
        for path in files_of(row, domain):
            yield from codes_in(parsed(path), names_in(path))
