"""The steps of a test run: what reads the code, what runs it, and how each ended."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.launcher.environment import ROOT

STEP_MINUTES_MAX = 15
SHOP_FOLDERS = ("tests/e2e", "tests/docs")
"""Where the tests of the whole shop are: the others need not be read for them."""

WORKERS = "4"
"""More than a small machine's cores: a third of the tests' time is waiting."""

Outcomes = dict[str, tuple[bool, float]]
"""By step whether it passed, and its seconds."""

PYTEST = ("python", "-m", "pytest")
MEASURED = ("python", "-m", "coverage", "run", "-m", "pytest")

READING: dict[str, tuple[str, ...]] = {
    "lint": ("python", "-m", "ruff", "check", "."),
    "format": ("python", "-m", "ruff", "format", "--check", "."),
    "types": ("python", "-m", "mypy"),
    "imports": ("lint-imports",),
}

_FAST = "not full and not notebooks"


def running(pytest: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The fast tests as steps, each begun by `pytest`.

    The kit's tests freeze shards and measure pauses: they have the machine alone, and
    are two at a time, for they mostly wait. The shop's need one whole shop: they run in
    one process.
    """
    alone = ("--ignore=tests/kit", "-m", f"{_FAST} and not e2e", "-n", WORKERS)
    return {
        "kit": (*pytest, "-q", "-m", _FAST, "-n", "2", "tests/kit"),
        "domains": (*pytest, "-q", *alone),
        "shop": (*pytest, "-q", "-m", f"{_FAST} and e2e", *SHOP_FOLDERS),
    }


def take(steps: Mapping[str, Sequence[str]], outcomes: Outcomes) -> None:
    """Take one step after another, also after one has failed."""
    for name, command in steps.items():
        began = time.monotonic()
        code = run(command, STEP_MINUTES_MAX)
        outcomes[name] = (code == 0, time.monotonic() - began)


def run(
    command: Sequence[str], minutes_max: int, variables: Mapping[str, str] | None = None
) -> int:
    """Run a program of the virtual environment in the root; its exit code."""
    program = Path(sys.executable).parent / command[0]
    print(f"— {' '.join(command)}", flush=True)
    with subprocess.Popen(
        [str(program), *command[1:]],
        cwd=ROOT,
        env={**_environ(), **(variables or {})},
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


def _environ() -> dict[str, str]:
    """Ours, with bytecode kept: else each process would compile all tests anew."""
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def summary(outcomes: Outcomes) -> None:
    """Print how each step ended."""
    table = Table(box=None, pad_edge=False)
    for heading in ("part", "result", "seconds"):
        table.add_column(heading)
    for name, (passed, seconds) in outcomes.items():
        result = "[green]passed[/]" if passed else "[red]FAILED[/]"
        table.add_row(name, result, f"{seconds:.1f}")
    Console().print(table)
