"""The commit that a proof or a figure is of."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from scripts.launcher.environment import ROOT

GIT_SECONDS_MAX = 30.0
CHANGED = "-changed"
WRITTEN = ("docs/proof.md", "docs/performance.md", "docs/performance")
"""What the proofs themselves write: it makes no other shop of it."""


def read_commit(root: Path = ROOT, written: Iterable[str] = WRITTEN) -> str:
    """The commit of the tree, marked when other files than these differ from it."""
    head = _git(root, "rev-parse", "HEAD")
    but = [f":(exclude){path}" for path in written]
    changed = _git(root, "status", "--porcelain", "--", ".", *but)
    return (head or "unknown") + (CHANGED if changed else "")


def _git(root: Path, *arguments: str) -> str:
    """What git says; nothing where there is no git, or no repository."""
    try:
        asked = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            timeout=GIT_SECONDS_MAX,
        )
    except FileNotFoundError:
        return ""
    return asked.stdout.strip()
