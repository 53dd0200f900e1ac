"""Whether what is held grows: samples over time, their slope, and what bounds it."""

from collections.abc import Sequence

import msgspec

from persistence.kit.entities import ENTITIES_MAX
from scripts.benching.aims import Aim, Side

WARM_SHARE = 0.4
"""The first part of a soak, in which caches fill, does not count."""
SAMPLES_MIN = 5
DAY_HOURS = 24
MEMORY_AIM, OPEN_AIM = 1.0, 1.1
MEGABYTE = 1 << 20


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of process holds at one moment, all its processes together.

    `unique` are the bytes that are nobody else's (USS, as the kernel's `smaps` says),
    `resident` those in memory.
    """

    seconds: float
    processes: int
    resident: int
    unique: int
    files: int
    connections: int


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of process went: its last sample, and how fast it grows.

    `slope_mb_per_hour` is that of `unique` by least squares after the warm-up,
    `days_share` what it would come to in a day, by what is held at the end.
    """

    held: Held
    slope_mb_per_hour: float
    days_share: float
    files_ratio: float
    connections_ratio: float
    samples: int


def slope(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the line that fits points best (least squares); 0 of one place."""
    count = len(points)
    mean_x = sum(x for x, _ in points) / count
    mean_y = sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if not spread:
        return 0.0
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def trend_of(samples: Sequence[Held]) -> Trend:
    """The trend after the warm-up; raises `ValueError` for too few samples."""
    until = samples[-1].seconds * WARM_SHARE if samples else 0.0
    warm = [one for one in samples if one.seconds >= until]
    if len(warm) < SAMPLES_MIN:
        raise ValueError(f"{len(warm)} samples after the warm-up are no trend")
    per_second = slope([(one.seconds, float(one.unique)) for one in warm])
    per_hour = per_second * 3_600
    first, last = warm[0], warm[-1]
    most_files = max(one.files for one in warm)
    most_connections = max(one.connections for one in warm)
    return Trend(
        held=last,
        slope_mb_per_hour=per_hour / MEGABYTE,
        days_share=max(0.0, per_hour * DAY_HOURS / max(last.unique, 1)),
        files_ratio=most_files / max(first.files, 1),
        connections_ratio=most_connections / max(first.connections, 1),
        samples=len(warm),
    )


def aims_of(trends: dict[str, Trend], entities: dict[str, int]) -> list[Aim]:
    """Memory bounded: a day adds less than is held. Files and connections: level.

    `entities` are how many states each shard remembers; below its bound it still grows.
    Nothing, where too few samples were taken for any trend.
    """
    if not trends:
        return []
    worst = max(trends, key=lambda name: trends[name].days_share)
    return [
        Aim(
            key="soak-memory",
            what=f"what a day would add to {worst}, which grows most, by what it holds",
            figure=trends[worst].days_share,
            aim=MEMORY_AIM,
            side=Side.AT_MOST,
            reason=_reason(entities.get(worst)),
        ),
        Aim(
            key="soak-files",
            what="most open files of any process, by those after the warm-up",
            figure=max(one.files_ratio for one in trends.values()),
            aim=OPEN_AIM,
            side=Side.AT_MOST,
        ),
        Aim(
            key="soak-connections",
            what="most open connections of any process, by those after the warm-up",
            figure=max(one.connections_ratio for one in trends.values()),
            aim=OPEN_AIM,
            side=Side.AT_MOST,
        ),
    ]


def _reason(entities: int | None) -> str:
    if entities is None or entities >= ENTITIES_MAX:
        return ""
    return f"its cache holds {entities} of at most {ENTITIES_MAX} entities"
