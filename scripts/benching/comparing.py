"""Two reports beside each other: the figures that both have, and how they moved."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from scripts.launcher.failures import Failure

MOVED_MIN = 0.05
"""A figure that moved less is noise, and not shown."""
CONDITIONS = ("clients", "scene", "asked_per_second")
BYTES_MAX = 10 << 20


class Moved(msgspec.Struct, frozen=True):
    """A figure by its path in the report, then and now."""

    name: str
    before: float
    now: float

    @property
    def ratio(self) -> float | None:
        """Now by then; None where it was nothing."""
        return self.now / self.before if self.before else None


def read_report(path: Path) -> dict[str, Any]:
    """An earlier report; raises `Failure` when it is none."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise Failure(f"{path} is too big to be a report")
        found = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise Failure(f"{path} is not readable: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("measured"), list):
        raise Failure(f"{path} is not a report of the bench")
    return found


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Moved]:
    """Figures of measurements under the same conditions that moved by MOVED_MIN."""
    then = dict(_all_figures(before))
    both = (
        Moved(name, then[name], figure)
        for name, figure in _all_figures(now)
        if name in then
    )
    return [one for one in both if _moved(one)]


def differences(moved: list[Moved]) -> Table:
    """For people."""
    title = f"\nmoved by {MOVED_MIN:.0%} or more"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("figure")
    for heading in ("before", "now", "ratio"):
        table.add_column(heading, justify="right")
    for one in moved:
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        table.add_row(one.name, f"{one.before:.4g}", f"{one.now:.4g}", ratio)
    return table


def _all_figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for one in report["measured"]:
        name = f"{one.get('scene', 'browse')}, {one['clients']} clients"
        if rate := one.get("asked_per_second"):
            name += f", {rate:g}/s"
        rest = {key: value for key, value in one.items() if key not in CONDITIONS}
        yield from _figures(name, rest)
    for key in ("rates", "yardsticks"):
        yield from _figures(key, report.get(key) or {})
    for aim in report.get("aims", ()):
        yield f"aim: {aim['key']}", float(aim["figure"])


def _figures(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _figures(f"{path}: {key}", each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, float(value)


def _moved(one: Moved) -> bool:
    least = MOVED_MIN * max(abs(one.before), abs(one.now))
    return one.before != one.now and abs(one.now - one.before) >= least
