"""The dashboard and the alerts name what is told, and leave nothing out."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from bus.kit.families import FAMILIES
from scripts.referencing.metrics import metrics_page

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {one.name: one for one in FAMILIES}
LABELS = re.compile(r"by \(([^)]*)\)")


def family(name: str) -> str:
    """The family of a sample's name; fails for one that nothing tells."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    if base in KNOWN and KNOWN[base].kind == "histogram":
        assert base != name, f"{name} is a histogram"
        return base
    assert name in KNOWN, f"nothing tells {name}"
    return name


def names(expr: str) -> set[str]:
    """The families that an expression of PromQL asks for."""
    return {family(name) for name in re.findall(r"\bsouk_[a-z_]+", expr)}


def check(expr: str) -> set[str]:
    """Its families, if its brackets close, its labels exist and rates are of counts."""
    assert expr.count("(") == expr.count(")"), expr
    found = names(expr)
    assert found, expr
    for inside in LABELS.findall(expr):
        wanted = {label.strip() for label in inside.split(",")} - {"le"}
        assert all(wanted <= set(KNOWN[name].labels) for name in found), expr
    for name in re.findall(r"(?:rate|increase)\((souk_[a-z_]+)", expr):
        assert KNOWN[family(name)].kind != "gauge", expr
    for name in found:
        if KNOWN[name].kind == "counter" and "rate(" not in expr:
            assert "increase(" in expr or "mismatches" in name, expr
    return found


def dashboard() -> dict[str, Any]:
    """As it is committed."""
    made: dict[str, Any] = json.loads((ROOT / "docs/grafana/souk.json").read_text())
    return made


def test_every_panel_asks_for_what_is_told_and_every_metric_has_a_panel() -> None:
    shown: set[str] = set()
    for panel in dashboard()["panels"]:
        if panel["type"] != "row":
            assert panel["targets"], panel["title"]
            for target in panel["targets"]:
                shown |= check(target["expr"])
    assert set(KNOWN) - shown == set()


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        cells = {
            (at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_a_legend_names_labels_that_its_lines_have() -> None:
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            wanted = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            kept = {
                label.strip()
                for inside in LABELS.findall(target["expr"])
                for label in inside.split(",")
            }
            assert wanted <= kept, panel["title"]


def test_alerts_ask_for_what_is_told() -> None:
    (group,) = yaml.safe_load((ROOT / "docs/grafana/alerts.yml").read_text())["groups"]
    assert len({rule["alert"] for rule in group["rules"]}) == len(group["rules"]) >= 8
    for rule in group["rules"]:
        check(rule["expr"])
        assert re.fullmatch(r"\d+m", rule["for"])
        assert rule["labels"]["severity"] in ("warning", "critical")
        for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
            assert all(label in KNOWN[name].labels for name in names(rule["expr"]))


def test_every_metric_is_on_its_page() -> None:
    page = metrics_page()
    for name in KNOWN:
        assert page.count(f"| `{name}` |") == 1
