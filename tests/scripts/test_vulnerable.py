"""The audit of dependencies never passes for one that was not made."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = ROOT / "scripts/vulnerable"
LOCKS = [str(ROOT / "requirements.lock"), str(ROOT / "requirements-test.lock")]


def audit(path: Path) -> subprocess.CompletedProcess[str]:
    """The command, with what is in this folder as all that there is."""
    for name in ("dirname", "printf"):
        link, tool = path / name, shutil.which(name)
        if tool is not None and not link.exists():
            link.symlink_to(tool)
    return subprocess.run(
        ["/bin/sh", str(COMMAND)],
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def auditor(path: Path, said: str, status: int) -> None:
    """A pip-audit that writes down what it was asked, and ends so."""
    tool = path / "pip-audit"
    tool.write_text(
        f'#!/bin/sh\nfor each; do last=$each; done\necho "$last" >>{path}/asked\n'
        f"echo '{said}'\nexit {status}\n"
    )
    tool.chmod(0o755)


def test_where_nothing_can_be_asked_it_fails_and_says_so(tmp_path: Path) -> None:
    done = audit(tmp_path)
    assert done.returncode == 3
    assert done.stderr == (
        "error: nothing was audited: pip-audit is not there, nor uvx to fetch it\n"
    )


def test_it_ends_as_the_audit_of_both_locks_does(tmp_path: Path) -> None:
    auditor(tmp_path, "No known vulnerabilities found", 0)
    done = audit(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text().splitlines() == LOCKS
    auditor(tmp_path, "urllib3 1.0 PYSEC-1", 1)
    done = audit(tmp_path)
    assert done.returncode == 1
    assert "urllib3 1.0 PYSEC-1" in done.stdout
    assert done.stderr.startswith("error: the locks have holes, or could not be")
    assert (tmp_path / "asked").read_text().splitlines() == LOCKS * 2
    assert os.access(COMMAND, os.X_OK)
