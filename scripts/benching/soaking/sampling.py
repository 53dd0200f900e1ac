"""Samples of what a shop's processes hold, by what each is."""

import asyncio
import time
from collections.abc import Mapping

import psutil

from scripts.benching.processes import group_of
from scripts.benching.soaking.slopes import Held

SAMPLES_MAX = 240
SAMPLE_SECONDS_MIN = 1.0


def sample(keeper: int, names: Mapping[int, str], seconds: float) -> dict[str, Held]:
    """Every kind of process now; `names` are those of the actors' processes."""
    found: dict[str, list[Held]] = {}
    root = psutil.Process(keeper)
    for process in (root, *root.children(recursive=True)):
        try:
            line = " ".join(process.cmdline()) or process.name()
            name = names.get(process.pid) or group_of(line)
            found.setdefault(name, []).append(_of(process, seconds))
        except psutil.NoSuchProcess:  # gone meanwhile
            continue
    return {name: _sum(parts) for name, parts in found.items()}


async def sample_until(
    ended: asyncio.Event, keeper: int, names: Mapping[int, str], seconds: float
) -> dict[str, list[Held]]:
    """A sample now and then, at most SAMPLES_MAX, by kind; ends with the event."""
    every = max(SAMPLE_SECONDS_MIN, seconds / SAMPLES_MAX)
    begun = time.monotonic()
    found: dict[str, list[Held]] = {}
    while not ended.is_set():
        at = time.monotonic() - begun
        for name, held in (await asyncio.to_thread(sample, keeper, names, at)).items():
            found.setdefault(name, []).append(held)
        try:
            async with asyncio.timeout(every):
                await ended.wait()
        except TimeoutError:
            continue
    return found


def _of(process: psutil.Process, seconds: float) -> Held:
    memory = process.memory_full_info()
    return Held(
        seconds=seconds,
        processes=1,
        resident=memory.rss,
        unique=memory.uss,
        files=process.num_fds(),
        connections=len(process.net_connections("inet")),
    )


def _sum(parts: list[Held]) -> Held:
    return Held(
        seconds=parts[0].seconds,
        processes=len(parts),
        resident=sum(one.resident for one in parts),
        unique=sum(one.unique for one in parts),
        files=sum(one.files for one in parts),
        connections=sum(one.connections for one in parts),
    )
