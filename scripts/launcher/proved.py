"""The report of the long proofs, `docs/proof.md`, written by the script alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.launcher.proofs import Proof


def write_proof(
    path: Path, commit: str, parts: Mapping[str, Proof], results: Mapping[str, Any]
) -> None:
    """Write every part with its result, also those that have not run yet."""
    lines = [
        "# What was proven",
        "",
        f"Written by `scripts/test --full` at commit `{commit}`; do not edit.",
        "",
        "| part | result | date | seconds |",
        "|---|---|---|---|",
    ]
    lines += [_row(name, results.get(name)) for name in parts]
    for name in parts:
        figures = results.get(name, {}).get("figures", {})
        if figures:
            lines += ["", f"## {name}", "", "| figure | value |", "|---|---|"]
            lines += [f"| {key} | {value} |" for key, value in figures.items()]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _row(name: str, result: Mapping[str, Any] | None) -> str:
    if result is None:
        return f"| {name} | not run | | |"
    verdict = "passed" if result["passed"] else "failed"
    return f"| {name} | {verdict} | {result['at']} | {result['seconds']} |"
