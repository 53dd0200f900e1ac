"""`test`: the fast tier with its summary, and the long proofs part by part."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

from rich.console import Console
from rich.table import Table

from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure
from scripts.launcher.proofs import Proof
from scripts.launcher.proved import write_proof

RESULTS = ROOT / ".souk-test" / "results.json"
FAST_MINUTES_MAX = 15
COVERED = "--fail-under=80"
FAST = "not full and not notebooks"
PYTEST_FOUND_NOTHING = 5

_MEASURED = ("python", "-m", "coverage", "run", "-m", "pytest")

_ALONE = ("--ignore=tests/kit", "-m", f"{FAST} and not e2e", "-n", "3")

_READING_STEPS: dict[str, tuple[str, ...]] = {
    "lint": ("python", "-m", "ruff", "check", "."),
    "format": ("python", "-m", "ruff", "format", "--check", "."),
    "types": ("python", "-m", "mypy"),
    "imports": ("lint-imports",),
}
_RUNNING_STEPS: dict[str, tuple[str, ...]] = {
    "kit": (*_MEASURED, "-q", "-m", FAST, "tests/kit"),  # it freezes: one at a time
    "domains": (*_MEASURED, "-q", *_ALONE),
    "shop": (*_MEASURED, "-q", "-m", f"{FAST} and e2e"),
    "coverage": ("python", "-m", "coverage", "report", "--skip-covered", COVERED),
}


def fast() -> int:
    """Run every step of the fast tier, also after one has failed; 0 if all passed.

    What only reads the code runs beside the kit's tests, which mostly wait.
    """
    for old in ROOT.glob(".coverage*"):
        old.unlink()
    outcomes: dict[str, tuple[bool, float]] = {}
    reading = Thread(target=_steps, args=(_READING_STEPS, outcomes))
    reading.start()
    _steps(_RUNNING_STEPS, outcomes)
    reading.join()
    _summary(outcomes)
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


def _steps(
    steps: Mapping[str, Sequence[str]], outcomes: dict[str, tuple[bool, float]]
) -> None:
    for name, command in steps.items():
        if name == "coverage":
            _run(("python", "-m", "coverage", "combine", "-q"), FAST_MINUTES_MAX)
        began = time.monotonic()
        code = _run(command, FAST_MINUTES_MAX)
        outcomes[name] = (code == 0, time.monotonic() - began)


def prove(parts: Mapping[str, Proof], *, only: Sequence[str], fresh: bool) -> int:
    """Run the parts that have not passed on this commit, then write the report."""
    if unknown := set(only) - set(parts):
        raise Failure(f"no such part: {', '.join(sorted(unknown))}")
    commit = _commit()
    results = {} if fresh else _kept(commit)
    outcomes = {}
    for name in only or list(parts):
        if results.get(name, {}).get("passed") and name not in only:
            continue
        results[name] = _prove(name, parts[name])
        outcomes[name] = (results[name]["passed"], results[name]["seconds"])
        _keep(commit, results)
    _summary(outcomes)
    write_proof(ROOT / "docs" / "proof.md", commit, parts, results)
    return 0 if all(passed for passed, _ in outcomes.values()) else 1


def _prove(name: str, proof: Proof) -> dict[str, Any]:
    """Run one part; what is kept of it."""
    figures = RESULTS.parent / f"{name}.json"
    figures.parent.mkdir(exist_ok=True)
    figures.unlink(missing_ok=True)
    began = time.monotonic()
    code = _run(proof.command, proof.minutes_max, {"SOUK_FIGURES": str(figures)})
    return {
        "passed": code == 0,
        "seconds": round(time.monotonic() - began, 1),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "figures": json.loads(figures.read_text()) if figures.exists() else {},
    }


def _run(
    command: Sequence[str], minutes_max: int, variables: Mapping[str, str] | None = None
) -> int:
    """Run a program of the virtual environment in the root; its exit code."""
    program = Path(sys.executable).parent / command[0]
    print(f"— {' '.join(command)}", flush=True)
    with subprocess.Popen(
        [str(program), *command[1:]],
        cwd=ROOT,
        env={**os.environ, **(variables or {})},
    ) as process:
        try:
            return process.wait(minutes_max * 60)
        except subprocess.TimeoutExpired:
            print(f"took longer than {minutes_max} minutes", file=sys.stderr)
            process.kill()
            return 1
        except KeyboardInterrupt:
            process.wait(60)  # it was told by the terminal too
            raise


def _commit() -> str:
    """The commit that is proven, marked when files differ from it."""
    asked = subprocess.run(
        ["git", "describe", "--always", "--dirty=-changed", "--abbrev=40"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def _kept(commit: str) -> dict[str, Any]:
    """What was proven on this commit before; nothing when files are changed."""
    if commit.endswith("-changed") or not RESULTS.exists():
        return {}
    kept: dict[str, Any] = json.loads(RESULTS.read_text()).get(commit, {})
    return kept


def _keep(commit: str, results: Mapping[str, Any]) -> None:
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({commit: results}, indent=2))


def _summary(outcomes: Mapping[str, tuple[bool, float]]) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "result", "seconds"):
        table.add_column(heading)
    for name, (passed, seconds) in outcomes.items():
        result = "[green]passed[/]" if passed else "[red]FAILED[/]"
        table.add_row(name, result, f"{seconds:.1f}")
    Console().print(table)
