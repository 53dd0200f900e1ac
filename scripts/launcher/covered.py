"""The proof `coverage`: the fast tests once more, with every executed line counted."""

import json
import os
import sys
from pathlib import Path

from scripts.launcher.environment import ROOT
from scripts.launcher.steps import MEASURED, Outcomes, run, running, summary, take

PERCENT_MIN = 80
REPORT_MINUTES_MAX = 5
REPORT = ROOT / ".souk-test" / "coverage.json"

_COVERAGE = ("python", "-m", "coverage")


def cover() -> int:
    """Run the fast tests measured, in actors too; 0 if they pass and cover enough."""
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    outcomes: Outcomes = {}
    take(running(MEASURED), outcomes)
    run((*_COVERAGE, "combine", "-q"), REPORT_MINUTES_MAX)
    enough = f"--fail-under={PERCENT_MIN}"
    take({"coverage": (*_COVERAGE, "report", "--skip-covered", enough)}, outcomes)
    summary(outcomes)
    _keep_figures()
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


def _keep_figures() -> None:
    """What the report of all proofs shows: the percentage of each layer."""
    REPORT.parent.mkdir(exist_ok=True)
    run((*_COVERAGE, "json", "-q", "-o", str(REPORT)), REPORT_MINUTES_MAX)
    if not (REPORT.exists() and (path := os.environ.get("SOUK_FIGURES"))):
        return
    lines: dict[str, list[int]] = {}
    for name, found in json.loads(REPORT.read_text())["files"].items():
        layer = lines.setdefault(name.split("/")[0], [0, 0])
        layer[0] += found["summary"]["covered_lines"]
        layer[1] += found["summary"]["num_statements"]
    figures = {
        f"percent of {layer}": round(100 * covered / max(1, statements), 1)
        for layer, (covered, statements) in sorted(lines.items())
    }
    Path(path).write_text(json.dumps(figures))


if __name__ == "__main__":
    sys.exit(cover())
