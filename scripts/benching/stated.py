"""Which aims the code states, by their keys, whether they were measured or not."""

import ast
from pathlib import Path

from scripts.benching.aims import Aim
from scripts.launcher.environment import ROOT

FOLDER = ROOT / "scripts"
UNKNOWN = ""
"""The key of an aim that is not written where the aim is made."""


def stated_keys(folder: Path = FOLDER) -> list[str]:
    """The key of each `Aim(...)` below the folder, sorted; UNKNOWN for one without."""
    calls = [
        node
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(), filename=str(path)))
        if isinstance(node, ast.Call)
    ]
    keys = {_key(call) for call in calls if _called(call) == Aim.__name__}
    return sorted(keys)


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _key(call: ast.Call) -> str:
    values = [each.value for each in call.keywords if each.arg == "key"]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            return value.value
    return UNKNOWN
