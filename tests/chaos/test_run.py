"""A small run of the breaker against a whole shop of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.breaking.journal import read_journal
from scripts.breaking.load import ORDERING
from scripts.launcher.environment import ROOT

RUN_SECONDS_MAX = 900

pytestmark = pytest.mark.full


def test_a_shop_that_is_delayed_dropped_killed_and_cut_keeps_what_it_promised(
    tmp_path: Path,
) -> None:
    report, journal = tmp_path / "report.json", tmp_path / "journal.jsonl"
    words = ("--start", "--seed", "3", "--seconds", "30", "--rate", "5")
    files = ("--json", str(report), "--journal", str(journal))
    done = subprocess.run(
        [sys.executable, "-m", "scripts.breaking", *words, *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(report.read_text())
    assert said["violations"] == 0
    assert said["faults"] == len(said["rounds"][0]["faults"]) >= 2
    entries = read_journal(journal)
    assert said["requests"] == len(entries)
    assert all(entry.status for entry in entries if entry.kind in ORDERING)
    assert len({entry.kind for entry in entries}) >= 6
