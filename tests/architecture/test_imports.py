"""The import rule: down your own column, or into `bus`."""

from pathlib import Path

import pytest

from actors import DOMAINS
from tests.architecture.tree import (
    KIT,
    LAYERS,
    ROOT,
    Import,
    cell_files,
    imports,
    modules,
    python_files,
    reached_cell,
)

BUS_OF_ALL = {("bus", name) for name in (*DOMAINS, KIT)}
FRAMEWORKS = {"ray", "nats", "fastapi", "starlette", "uvicorn", "aiohttp.web"}


def allowed(layer: str, domain: str) -> set[tuple[str, str]]:
    """The cells that a cell may import."""
    own = {(layer, domain), (layer, KIT)}
    match layer:
        case "bus":
            return own
        case "persistence":
            return own | {("bus", domain), ("bus", KIT)}
        case "actors":
            down = {("persistence", domain), ("persistence", KIT)}
            return own | down | BUS_OF_ALL
        case _:
            return own | BUS_OF_ALL


def forbidden(path: Path, may: set[tuple[str, str]]) -> list[str]:
    """The imports of a file that reach another cell than those it may."""
    return [
        str(found)
        for found in imports(path)
        if any(cell not in may for cell in _reached(found))
    ]


def _reached(found: Import) -> set[tuple[str, str]]:
    return {cell for each in modules(found) if (cell := reached_cell(each))}


def _names(found: Import, framework: str) -> bool:
    return any(f"{each}.".startswith(f"{framework}.") for each in modules(found))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_cell_imports_down_its_own_column_or_from_bus(
    layer: str, domain: str
) -> None:
    may = allowed(layer, domain)
    files = cell_files(layer, domain)
    assert files
    assert [line for path in files for line in forbidden(path, may)] == []


@pytest.mark.parametrize("layer", LAYERS)
def test_a_kit_names_no_domain(layer: str) -> None:
    may = {(each, KIT) for each in LAYERS}
    wrong = [w for path in python_files(f"{layer}/{KIT}") for w in forbidden(path, may)]
    assert wrong == []


def test_the_layers_stand_on_each_other_in_one_order() -> None:
    # A replica reaches the pools by the kit of actors, and by nothing else of them.
    under = {
        "bus": {"bus"},
        "persistence": {"bus", "persistence"},
        "actors": {"bus", "persistence", "actors"},
        "serve_app": {"bus", "serve_app", "actors.kit"},
    }
    wrong = [
        str(found)
        for layer, below in under.items()
        for path in python_files(layer)
        for found in imports(path)
        if found.module.split(".")[0] in (*LAYERS, "scripts", "tests")
        and not _is_within(found.module, below)
    ]
    assert wrong == []


def _is_within(module: str, packages: set[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_names_no_framework_but_at_the_edge(domain: str) -> None:
    wrong = [
        str(found)
        for layer in ("bus", "persistence", "actors")
        for path in cell_files(layer, domain)
        for found in imports(path)
        if any(_names(found, framework) for framework in FRAMEWORKS)
    ]
    assert wrong == []


def test_only_the_kit_of_actors_makes_actors() -> None:
    saying = [p for p in python_files(*LAYERS, "scripts") if "ray.remote" in _text(p)]
    # A load client is no actor; and what an ask is held against is a plain pair.
    bench = {ROOT / "scripts/benching" / name for name in ("ray_load.py", "pair.py")}
    assert {p.parent for p in saying if p not in bench} == {ROOT / "actors/kit"}
    assert bench <= set(saying)


def _text(path: Path) -> str:
    return path.read_text()


def test_sql_is_in_persistence_alone() -> None:
    verbs = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "CREATE TABLE ")
    wrong = [
        f"{path.name}:{number}"
        for path in python_files("bus", "actors", "serve_app")
        for number, line in enumerate(_text(path).splitlines(), 1)
        if any(f'"{verb}' in line for verb in verbs)
    ]
    assert wrong == []
