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
        if figures := results.get(name, {}).get("figures", {}):
            lines += ["", f"## {name}", *_figures(figures)]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def _row(name: str, result: Mapping[str, Any] | None) -> str:
    if result is None:
        return f"| {name} | not run | | |"
    verdict = "passed" if result["passed"] else "failed"
    return f"| {name} | {verdict} | {result['at']} | {result['seconds']} |"


def _figures(figures: Mapping[str, Any]) -> list[str]:
    """Plain figures as one table, each list of measurements as a table of its own."""
    plain = {key: each for key, each in figures.items() if not isinstance(each, list)}
    lines = ["", "| figure | value |", "|---|---|"]
    lines += [f"| {key} | {_words(value)} |" for key, value in plain.items()]
    for key, value in figures.items():
        if isinstance(value, list) and value:
            lines += ["", f"{key}:", "", *_measurements(value)]
    return lines


def _measurements(rows: list[Mapping[str, Any]]) -> list[str]:
    """A line a figure, a column a measurement: these are fewer.

    Figures over time are left to the JSON: no cell holds a curve.
    """
    names = [name for name in rows[0] if not isinstance(rows[0][name], dict | list)]
    inner = [name for name in rows[0] if isinstance(rows[0][name], dict)]
    lines = [_line(["", *(str(row[names[0]]) for row in rows)])]
    lines.append("|---" * (len(rows) + 1) + "|")
    lines += [_line([name, *(_words(row[name]) for row in rows)]) for name in names[1:]]
    for name in inner:
        keys = sorted({key for row in rows for key in row[name]})
        lines += [
            _line([f"{name}: {key}", *(_words(row[name].get(key)) for row in rows)])
            for key in keys
        ]
    return lines


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _words(value: Any) -> str:
    """A value in a cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if value < 100 else f"{value:.0f}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_words(each)}" for key, each in value.items())
    if isinstance(value, list):
        return ", ".join(_words(each) for each in value) or "none"
    return str(value)
