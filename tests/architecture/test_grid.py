"""Rows are layers, columns are domains, one cell each, with the same name."""

import importlib

import pytest

from actors import DOMAINS
from actors.kit.domain import Domain
from tests.architecture.tree import KIT, LAYERS, ROOT

TOP_LEVEL = {
    "actors",
    "bus",
    "docs",
    "notebooks",
    "persistence",
    "scripts",
    "serve_app",
    "tests",
}
# The pages of the shop, the application that gathers the cells, and who compares them.
BESIDE_THE_CELLS = {
    "serve_app": {"web", "app"},
    "persistence": {"migrations"},
    "actors": {"auditing"},
}


def names_in(layer: str) -> set[str]:
    """The modules and packages of a layer."""
    found = {
        path.stem
        for path in (ROOT / layer).iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    if (ROOT / layer / "migrations").exists():
        found.add("migrations")
    return found - {"__init__"}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_has_a_cell_for_each_domain_and_nothing_else(layer: str) -> None:
    beside = BESIDE_THE_CELLS.get(layer, set())
    assert names_in(layer) == {*DOMAINS, KIT, *beside}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_cell_is_one_module_or_one_package(domain: str) -> None:
    for layer in LAYERS:
        module = (ROOT / layer / f"{domain}.py").exists()
        package = (ROOT / layer / domain / "__init__.py").exists()
        assert module != package, f"{layer}/{domain}"


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_domain_has_a_class_of_its_name_and_a_first_migration(domain: str) -> None:
    module, _, name = DOMAINS[domain].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert issubclass(found, Domain)
    assert found.name == domain
    assert list((ROOT / "persistence" / "migrations" / domain).glob("0001_*.py"))


def test_the_table_of_domains_has_the_eight_of_the_design() -> None:
    assert set(DOMAINS) == {
        "users",
        "products",
        "orders",
        "payments",
        "inventory",
        "notifications",
        "files",
        "messaging",
    }


def test_the_top_level_is_fixed() -> None:
    tracked = {path.name for path in ROOT.iterdir() if path.is_dir()}
    visible = {name for name in tracked if not name.startswith((".", "__"))}
    assert visible == TOP_LEVEL
    assert (ROOT / "cluster.yaml").is_file()
    assert (ROOT / "pyproject.toml").is_file()
