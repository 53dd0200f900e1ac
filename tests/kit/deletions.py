"""Delete each line that implements a feature of the kit; its test must go red.

`python -m tests.kit.deletions` tries all; `--only WORD` those whose line, file or test
holds the word; `--start N` goes on after the first N; `--list` names them. A test that
stays green proves nothing.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.kit import (
    deleted_answers,
    deleted_lines,
    deleted_standbys,
    deleted_starts,
    deleted_streams,
    deleted_ways,
)
from tests.kit.deleted_lines import Deletion

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("actors", "bus", "persistence", "scripts", "serve_app", "tests")
TEST_SECONDS_MAX = 180.0
ALL_SECONDS_MAX = 1_200.0
FLAGS = (
    "-q",
    "-x",
    "--no-header",
    "-p",
    "no:cacheprovider",
    "-p",
    "pytest_asyncio.plugin",
    "-p",
    "pytest_timeout",
)
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}

TABLE: list[Deletion] = [
    *deleted_lines.LANES,
    *deleted_lines.BATCHES,
    *deleted_lines.READING,
    *deleted_lines.ONCE_ONLY,
    *deleted_ways.PROCESSES,
    *deleted_ways.TAKEN_UP,
    *deleted_ways.OWNERS,
    *deleted_ways.FACTS,
    *deleted_answers.ANSWERS,
    *deleted_standbys.STANDBYS,
    *deleted_standbys.HANDINGS,
    *deleted_starts.STARTS,
    *deleted_streams.STREAMS,
]


def main() -> int:
    """Run what is asked for; 1 when a line is not missed, or is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    chosen = [e for e in TABLE[options.start :] if options.only in " ".join(e)]
    if options.list:
        print("\n".join(_title(entry) for entry in chosen))
        return 0
    with tempfile.TemporaryDirectory(prefix="souk-deletions-") as folder:
        tree = copy(Path(folder))
        problems = whole(tree, chosen)
        print("\n".join(problems), end="", flush=True)
        for entry in chosen if not problems else []:
            problem = attempt(tree, entry)
            print(problem or f"missed      {_title(entry)}", flush=True)
            problems += [problem] if problem else []
    print(f"{len(chosen)} lines, {len(problems)} problems")
    return 1 if problems or not chosen else 0


def copy(folder: Path) -> Path:
    """The tree as it is now, apart from it."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def whole(tree: Path, chosen: list[Deletion]) -> list[str]:
    """With every line in its place all the tests are green."""
    code, text = pytest(tree, sorted({e.test for e in chosen}), ALL_SECONDS_MAX)
    return [] if code == 0 else [f"not green with all lines in place:\n{text[-3000:]}"]


def attempt(tree: Path, entry: Deletion) -> str:
    """Delete the line and run its test; "" when that is red.

    A test that does not end, or does not begin, has not said that it misses the line.
    """
    path = tree / entry.file
    text = path.read_text()
    if text.count(entry.line) != 1:
        return f"no such line {_title(entry)}"
    path.write_text(text.replace(entry.line, entry.instead))
    try:
        code, said = pytest(tree, [entry.test], TEST_SECONDS_MAX)
    finally:
        path.write_text(text)
    if code == 0:
        return f"NOT MISSED  {_title(entry)}"
    if code is None or not re.search(r"\d+ failed", said):
        return f"not run     {_title(entry)}\n{said[-2000:]}"
    return ""


def pytest(tree: Path, tests: list[str], seconds: float) -> tuple[int | None, str]:
    """Run tests in a copy; the code is None when they took too long."""
    names = [f"tests/kit/{name}" for name in tests]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *FLAGS, *names],
        cwd=tree,
        env=os.environ | ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        text, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, _end(process)
    return process.returncode, text


def _end(process: "subprocess.Popen[str]") -> str:
    """Ask it to stop, so that its Postgres stops too; then make it."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        return process.communicate(timeout=15)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.5)
        return ""


def _title(entry: Deletion) -> str:
    line = " ".join(entry.line.split())
    return f"{entry.file}: {line[:60]} -> {entry.test}"


if __name__ == "__main__":
    sys.exit(main())
