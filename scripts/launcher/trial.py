"""`test`: the fast tier with its summary, and the long proofs part by part."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from threading import Thread
from typing import Any

from scripts.launcher.commit import CHANGED, read_commit
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure
from scripts.launcher.proofs import Proof
from scripts.launcher.proved import write_proof
from scripts.launcher.steps import (
    PYTEST,
    READING,
    Outcomes,
    run,
    running,
    summary,
    take,
)

RESULTS = ROOT / ".souk-test" / "results.json"
REPORT = ROOT / "docs" / "proof.md"


def fast() -> int:
    """Run every step of the fast tier, also after one has failed; 0 if all passed.

    What only reads the code runs beside the kit's tests, which mostly wait.
    """
    outcomes: Outcomes = {}
    reading = Thread(target=take, args=(READING, outcomes))
    reading.start()
    take(running(PYTEST), outcomes)
    reading.join()
    summary(outcomes)
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


def prove(parts: Mapping[str, Proof], *, only: Sequence[str], fresh: bool) -> int:
    """Run the parts that have not passed on this commit, then write the report."""
    if unknown := set(only) - set(parts):
        raise Failure(f"no such part: {', '.join(sorted(unknown))}")
    commit = read_commit()
    results = {} if fresh else _kept(commit)
    outcomes = {}
    for name in only or list(parts):
        if results.get(name, {}).get("passed") and name not in only:
            continue
        results[name] = _prove(name, parts[name])
        outcomes[name] = (results[name]["passed"], results[name]["seconds"])
        _keep(commit, results)
    summary(outcomes)
    write_proof(REPORT, commit, parts, results)
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


def _prove(name: str, proof: Proof) -> dict[str, Any]:
    """Run one part; what is kept of it."""
    figures = RESULTS.parent / f"{name}.json"
    figures.parent.mkdir(exist_ok=True)
    figures.unlink(missing_ok=True)
    began = time.monotonic()
    code = run(proof.command, proof.minutes_max, {"SOUK_FIGURES": str(figures)})
    return {
        "passed": code == 0,
        "seconds": round(time.monotonic() - began, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": json.loads(figures.read_text()) if figures.exists() else {},
    }


def _kept(commit: str) -> dict[str, Any]:
    """What was proven on this commit before; nothing when files are changed."""
    if commit.endswith(CHANGED) or not RESULTS.exists():
        return {}
    kept: dict[str, Any] = json.loads(RESULTS.read_text()).get(commit, {})
    return kept


def _keep(commit: str, results: Mapping[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({commit: results}, indent=2))
