"""The source tree as the architecture tests see it: files, modules, imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from actors import DOMAINS

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("bus", "persistence", "actors", "serve_app")
PYTHON_FOLDERS = (*LAYERS, "scripts", "tests")
KIT = "kit"


class Import(NamedTuple):
    """One imported module, where it stands, and the names that are taken from it."""

    path: Path
    line: int
    module: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """All Python files of some top-level folders, generated ones aside."""
    found = [
        path
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in path.parts
    ]
    return tuple(found)


@cache
def shell_files() -> tuple[Path, ...]:
    """Programs that are not Python."""
    found = [*(ROOT / "scripts").iterdir(), *(ROOT / ".ci").iterdir()]
    return tuple(p for p in sorted(found) if p.is_file() and p.suffix in ("", ".sh"))


@cache
def parsed(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text(), filename=str(path))


@cache
def imports(path: Path) -> tuple[Import, ...]:
    """Everything that a file imports, also inside functions."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[Import]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(path, node.lineno, alias.name, ())
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            names = tuple(alias.name for alias in node.names)
            yield Import(path, node.lineno, node.module or "", names)


def modules(found: Import) -> Iterator[str]:
    """The modules that an import may mean: `from bus import orders` means both."""
    yield found.module
    for name in found.names:
        yield f"{found.module}.{name}"


def cell_files(layer: str, domain: str) -> tuple[Path, ...]:
    """The files of one cell of the grid: a module, or a package of that name."""
    module, package = ROOT / layer / f"{domain}.py", ROOT / layer / domain
    return (module,) if module.exists() else python_files(f"{layer}/{package.name}")


def reached_cell(module: str) -> tuple[str, str] | None:
    """The layer and the domain (or `kit`) that a module lies in."""
    parts = module.split(".")
    if len(parts) < 2 or parts[0] not in LAYERS:
        return None
    return (parts[0], parts[1]) if parts[1] in (*DOMAINS, KIT) else None
