"""The load client, a process of its own: a closed loop, or a fixed rate.

`python -m scripts.benching.load FILE` reads a `Task` from its input and writes a
`Load` into the file.
"""

import asyncio
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec
import uvloop

from scripts.benching.desk import ANSWER_SECONDS_MAX, Desk, Stopped, Tally
from scripts.benching.marketplace.journal import Journal
from scripts.benching.marketplace.scene import Marketplace
from scripts.benching.scenes import SCENES, Scene, Task
from scripts.benching.series import Moment, Series

Key = TypeVar("Key", int, str)


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered; `order_ids` are those of the 201s, latencies are in ms.

    `milliseconds` are of whole operations that went well, in an open loop from when
    each was due; `by_kind` are those of single requests, refusals by who refused.
    `journal` is a marketplace's.
    `begun_at` and `ended_at` are in seconds since the epoch, for another process.
    `series` is the same over time. `pids` are the processes that the load ran in.
    """

    statuses: dict[int, int]
    errors: dict[str, int]
    milliseconds: list[float]
    order_ids: list[str]
    begun_at: float
    ended_at: float
    cpu_seconds: float
    by_kind: dict[str, list[float]] = {}
    series: Series = msgspec.field(default_factory=Series)
    pids: list[int] = []
    journal: Journal = []

    @property
    def seconds(self) -> float:
        """From the first request to the last answer."""
        return self.ended_at - self.begun_at

    @property
    def good(self) -> int:
        """How many operations went well."""
        return len(self.milliseconds)

    def at(self, share: float) -> float:
        """The latency that this share of the operations stayed under, in ms."""
        return share_of(self.milliseconds, share)

    def moments(self) -> list[Moment]:
        """Rate and latency over time."""
        return self.series.moments(self.seconds)


def share_of(milliseconds: list[float], share: float) -> float:
    """The latency that this share of those given stayed under; 0 of none."""
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


class Starts:
    """When each next operation is to begin; shared by all clients of a task.

    In a closed loop at once. At a fixed rate the n-th is due `n / rate` seconds after
    the first, whether the ones before are answered or not: a slow answer delays no
    start, and one that had to wait for a free client has waited all the same.
    """

    def __init__(self, task: Task, begun: float) -> None:
        self.begun = begun
        self._rate = task.rate
        self._until = begun + task.seconds
        self._count, self._max = 0, task.requests_max

    def take(self, now: float) -> float | None:
        """When the next one is due; None when there is no next one."""
        due = self.begun + self._count / self._rate if self._rate else now
        if due >= self._until or self._count >= self._max:
            return None
        self._count += 1
        return due


async def run(task: Task) -> Load:
    """All clients until the time or the count is up, and their last answers."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS_MAX)
    scene = _scene(task)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        before = cpu_seconds()
        desk = Desk(task.url, session, Tally())
        begun_at = time.time()
        starts = Starts(task, time.perf_counter())
        dice = (
            random.Random(f"{task.seed}/{number}")  # noqa: S311 - no secret
            for number in range(task.clients)
        )
        await asyncio.gather(*(_client(scene, desk, starts, each) for each in dice))
        tally = desk.tally
        return Load(
            statuses=dict(tally.statuses),
            errors=dict(tally.errors),
            milliseconds=tally.milliseconds,
            order_ids=tally.order_ids,
            begun_at=begun_at,
            ended_at=time.time(),
            cpu_seconds=cpu_seconds() - before,
            by_kind=tally.by_kind,
            series=tally.series,
            pids=[os.getpid()],
            journal=scene.journal if isinstance(scene, Marketplace) else [],
        )


def _scene(task: Task) -> Scene:
    return Marketplace(task) if task.market else SCENES[task.scene](task)


async def _client(
    scene: Scene, desk: Desk, starts: Starts, dice: random.Random
) -> None:
    """One client: its next operation begins when its last one is answered and due."""
    while (due := starts.take(time.perf_counter())) is not None:
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        taken = None
        try:
            await scene.act(desk, dice)
        except Stopped:
            pass  # the desk has counted who refused it, and as what
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            desk.tally.errors[type(error).__name__] += 1
        else:
            taken = (time.perf_counter() - due) * 1000
            desk.tally.milliseconds.append(taken)
        desk.tally.series.note(time.perf_counter() - starts.begun, taken)


async def in_process(task: Task) -> Load:
    """The same in a process of its own, so that it costs nobody else's loop."""
    with tempfile.NamedTemporaryFile(prefix="souk-load-") as file:
        # A file, for a pipe was seen to lose what is past its first 196 608 bytes.
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "scripts.benching.load",
            file.name,
            stdin=asyncio.subprocess.PIPE,
        )
        await process.communicate(msgspec.json.encode(task))
        if process.returncode:
            raise RuntimeError(f"the load client ended with {process.returncode}")
        return msgspec.json.decode(file.read(), type=Load)


async def in_processes(task: Task, count: int) -> Load:
    """The same shared out over so many processes."""
    return merged(await asyncio.gather(*map(in_process, shared_out(task, count))))


def shared_out(task: Task, count: int) -> list[Task]:
    """Tasks that together have the clients, the operations and the rate of one."""
    count = max(1, min(count, task.clients, task.requests_max))
    return [
        msgspec.structs.replace(
            task,
            clients=_part(task.clients, count, number),
            requests_max=_part(task.requests_max, count, number),
            rate=task.rate / count,
            seed=task.seed + number,
            number=number,
            processes=count,
        )
        for number in range(count)
    ]


def merged(loads: list[Load]) -> Load:
    """What several processes counted, as one."""
    begun_at = min(load.begun_at for load in loads)
    series = Series()
    for load in loads:
        series.add(load.series, load.begun_at - begun_at)
    return Load(
        statuses=_summed([load.statuses for load in loads]),
        errors=_summed([load.errors for load in loads]),
        milliseconds=[each for load in loads for each in load.milliseconds],
        order_ids=[each for load in loads for each in load.order_ids],
        begun_at=begun_at,
        ended_at=max(load.ended_at for load in loads),
        cpu_seconds=sum(load.cpu_seconds for load in loads),
        by_kind=_joined([load.by_kind for load in loads]),
        series=series,
        pids=[pid for load in loads for pid in load.pids],
        journal=[entry for load in loads for entry in load.journal],
    )


def _part(whole: int, count: int, number: int) -> int:
    return whole // count + (number < whole % count)


def _summed(counts: list[dict[Key, int]]) -> dict[Key, int]:
    keys = {key for each in counts for key in each}
    return {key: sum(each.get(key, 0) for each in counts) for key in keys}


def _joined(times: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    keys = {key for each in times for key in each}
    return {key: [one for each in times for one in each.get(key, ())] for key in keys}


def cpu_seconds() -> float:
    """What this process has spent so far."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(file: Path) -> None:
    """Do the task on the input."""
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Task)
    file.write_bytes(msgspec.json.encode(uvloop.run(run(task))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
