"""The newest figures of all scenes, kept in one file beside the page that shows them.

`docs/performance/figures.json` is written by `bench aims` from reports, and the page
from it: so a tree without reports still knows what was measured, when and how.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from scripts.benching.aims import Aim
from scripts.benching.keeping import Origin, write_whole
from scripts.benching.limits import Limit
from scripts.benching.profiling import Profile
from scripts.benching.stated import UNKNOWN, stated_keys
from scripts.launcher.failures import Failure

REPORT_BYTES_MAX = 50 << 20
REPORTS_MAX = 1_000


class KeptAim(msgspec.Struct, frozen=True, kw_only=True):
    """An aim as it was measured last, and why that did not count where it did not."""

    aim: Aim
    faults: list[str]
    origin: Origin


class KeptScene(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a scene that stand on the page; see `Measured`."""

    scene: str
    clients: int
    asked_per_second: float
    per_second: float
    ratio: float
    p50_ms: float
    p99_ms: float
    cpu_ms_each: dict[str, float]
    wal_bytes_each: float
    fsyncs_each: float
    event_lag_p99_ms: float
    faults: list[str] = []
    origin: Origin

    @property
    def name(self) -> str:
        """What tells it from others: `orders, 64 clients, 100/s`."""
        rate = f", {self.asked_per_second:g}/s" if self.asked_per_second else ""
        return f"{self.scene}, {self.clients} clients{rate}"


class KeptProfiles(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time goes, under which load."""

    scene: str
    clients: int
    per_second: float
    profiles: list[Profile]
    faults: list[str]
    origin: Origin


class KeptLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine can do."""

    cpus: int
    limits: list[Limit]
    faults: list[str]
    origin: Origin


class KeptDurability(msgspec.Struct, frozen=True, kw_only=True):
    """What each database said of its settings while it was measured last."""

    durability: dict[str, dict[str, str]]
    origin: Origin


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows; aims by key, scenes by name."""

    aims: dict[str, KeptAim] = {}
    scenes: dict[str, KeptScene] = {}
    profiles: KeptProfiles | None = None
    limits: KeptLimits | None = None
    durability: KeptDurability | None = None


def read_reports(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """Every report of the bench in these folders, the oldest first.

    What has no origin is something else, or older than origins are: it is left out.
    """
    paths = [path for folder in folders for path in sorted(folder.glob("*.json"))]
    if len(paths) > REPORTS_MAX:
        raise Failure(f"more than {REPORTS_MAX} files in the folders of reports")
    reports = [found for path in paths if (found := _report(path)) is not None]
    return sorted(reports, key=lambda each: str(each["origin"]["at"]))


def read_figures(path: Path) -> Figures:
    """What was kept; nothing where there is no such file yet."""
    if not path.exists():
        return Figures()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Figures)
    except msgspec.DecodeError as error:
        raise Failure(f"{path} is not readable: {error}") from None


def write_figures(path: Path, figures: Figures) -> None:
    """Keep them, sorted, so that a change of one is a change of few lines."""
    text = msgspec.json.format(msgspec.json.encode(figures, order="sorted"))
    write_whole(path, text + b"\n")


def collect(
    kept: Figures, reports: Sequence[dict[str, Any]], keys: Sequence[str] | None = None
) -> Figures:
    """The newest of both of every figure; of aims those only that the code states."""
    keys = stated_keys() if keys is None else keys
    if UNKNOWN in keys:
        raise Failure("an `Aim(...)` has no key written where it is made")
    found = kept
    for report in reports:
        try:
            found = _added(found, report)
        except (msgspec.ValidationError, KeyError, TypeError) as error:
            whose = report["origin"]["command"]
            raise Failure(f"the report of `{whose}` is not readable: {error}") from None
    aims = {key: each for key, each in found.aims.items() if key in keys}
    return msgspec.structs.replace(found, aims=aims)


def _added(kept: Figures, report: dict[str, Any]) -> Figures:
    beside = {"origin": report["origin"], "faults": report.get("faults", [])}
    aims = {
        each["key"]: msgspec.convert({"aim": each, **beside}, KeptAim)
        for each in report.get("aims", [])
    }
    scenes = {one.name: one for one in _scenes(report, beside)}
    changed: dict[str, Any] = {
        "aims": _newest(kept.aims, aims),
        "scenes": _newest(kept.scenes, scenes),
    }
    for name, kind in (
        ("profiles", KeptProfiles),
        ("limits", KeptLimits),
        ("durability", KeptDurability),
    ):
        if report.get(name):
            now = msgspec.convert({**report, **beside}, kind)
            old = getattr(kept, name)
            changed[name] = now if old is None or _is_newer(now, old) else old
    return msgspec.structs.replace(kept, **changed)


def _scenes(report: dict[str, Any], beside: dict[str, Any]) -> Iterator[KeptScene]:
    for one in report.get("measured", []):
        if "cpu_ms_each" in one:
            yield msgspec.convert({**one, **beside}, KeptScene)


def _newest(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    later = {k: one for k, one in new.items() if k not in old or _is_newer(one, old[k])}
    return old | later


def _is_newer(one: Any, old: Any) -> bool:
    return bool(one.origin.at >= old.origin.at)


def _report(path: Path) -> dict[str, Any] | None:
    if path.stat().st_size > REPORT_BYTES_MAX:
        raise Failure(f"{path} is too big to be a report")
    try:
        found = msgspec.json.decode(path.read_bytes())
    except msgspec.DecodeError as error:
        raise Failure(f"{path} is not readable: {error}") from None
    if not isinstance(found, dict):
        return None
    try:
        msgspec.convert(found.get("origin"), Origin)
    except msgspec.ValidationError:
        return None
    return found
