"""The report of the long proofs."""

import re
import subprocess
from pathlib import Path

from scripts.launcher.commit import read_commit
from scripts.launcher.proofs import Proof
from scripts.launcher.proved import write_proof

PARTS = {"kills": Proof(("kill",), 1), "bench": Proof(("bench",), 1)}
RESULT = {"passed": True, "seconds": 1.5, "at": "2026-01-01T00:00:00+00:00"}


def test_the_report_shows_each_part_and_its_figures(tmp_path: Path) -> None:
    measured = [
        {"clients": 1, "rate": 10.25, "errors": [], "cpu": {"orders": 2.0}},
        {"clients": 64, "rate": 250.0, "errors": [], "cpu": {"orders": 0.5}},
    ]
    bench = {"cpus": 2, "audit": {"violations": []}, "measured": measured}
    path = tmp_path / "docs" / "proof.md"
    write_proof(path, "abc", PARTS, {"bench": {**RESULT, "figures": bench}})
    lines = path.read_text().splitlines()
    assert "| kills | not run | | |" in lines
    assert "| bench | passed | 2026-01-01T00:00:00+00:00 | 1.5 |" in lines
    assert "| cpus | 2 |" in lines
    assert "| audit | violations none |" in lines
    assert "|  | 1 | 64 |" in lines
    assert "| rate | 10.2 | 250 |" in lines
    assert "| cpu: orders | 2 | 0.5 |" in lines


def test_a_failed_part_is_said_to_have_failed(tmp_path: Path) -> None:
    result = {**RESULT, "passed": False, "figures": {}}
    path = tmp_path / "proof.md"
    write_proof(path, "abc", PARTS, {"kills": result})
    assert "| kills | failed | 2026-01-01T00:00:00+00:00 | 1.5 |" in path.read_text()


def test_what_the_proofs_write_does_not_change_what_is_proven(tmp_path: Path) -> None:
    page, code = tmp_path / "docs" / "performance.md", tmp_path / "code.py"
    flames = tmp_path / "docs" / "performance" / "orders.svg"
    flames.parent.mkdir(parents=True)
    page.write_text("before\n")
    code.write_text("pass\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in (("init", "-q"), ("add", "."), (*author, "commit", "-qm", "first")):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    page.write_text("what the part before has written\n")
    flames.write_text("a picture\n")
    commit = read_commit(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", commit)
    code.write_text("raise\n")
    assert read_commit(tmp_path) == f"{commit}-changed"


def test_a_tree_without_git_has_no_commit(tmp_path: Path) -> None:
    assert read_commit(tmp_path) == "unknown"
