"""The load client as Ray tasks: as many as asked for, spread over a cluster's nodes.

`python -m scripts.benching.ray_load ADDRESS FILE` reads a list of `Task` from its input
and writes the one `Load` of all into the file; it is apart because a process that has
joined one Ray cluster cannot be without it again.
"""

import asyncio
import contextlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from scripts.auditing.place import Place
from scripts.benching.joining import environment, join
from scripts.benching.load import Load, merged, run, shared_out
from scripts.benching.scenes import Task
from scripts.launcher.failures import Failure

START_SECONDS_MAX = 120.0
"""For joining the cluster, for a worker on each node, and for the last answers."""


async def as_ray_tasks(
    task: Task, count: int, place: Place, address: str | None
) -> Load:
    """The load shared out over so many tasks; raises `Failure` where Ray fails it."""
    if not address:
        raise Failure("the load is to run on Ray, and no cluster was found")
    with tempfile.NamedTemporaryFile(prefix="souk-load-") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.benching.ray_load", address, file.name),
            stdin=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(place),
        )
        try:
            async with asyncio.timeout(task.seconds + START_SECONDS_MAX):
                told = msgspec.json.encode(shared_out(task, count))
                _, why = await process.communicate(told)
        except TimeoutError:
            raise Failure("the Ray tasks of the load did not end in time") from None
        finally:
            with contextlib.suppress(ProcessLookupError):  # it has ended by itself
                process.kill()
            await process.wait()
        if process.returncode:
            said = why.decode(errors="replace").strip()[-500:]
            raise Failure(f"the load on Ray ended with {process.returncode}: {said}")
        return msgspec.json.decode(file.read(), type=Load)


def load(told: bytes) -> bytes:
    """One task, in the process of a Ray worker; both sides are JSON."""
    import uvloop  # noqa: PLC0415 - not on every node that only reads this module

    task = msgspec.json.decode(told, type=Task)
    return msgspec.json.encode(uvloop.run(run(task)))


def main(address: str, file: Path) -> None:
    """Join the cluster as a driver, run the input's tasks, add up what they say."""
    import ray  # noqa: PLC0415 - it reads the environment when it is imported

    tasks = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Task])
    join(address)
    # No processor is asked for: the pools hold theirs, and a load may share them.
    # Never again: a task that is run twice has bought twice.
    remote: Any = ray.remote(num_cpus=0, max_retries=0, scheduling_strategy="SPREAD")
    loads = ray.get([remote(load).remote(msgspec.json.encode(each)) for each in tasks])
    whole = merged([msgspec.json.decode(each, type=Load) for each in loads])
    file.write_bytes(msgspec.json.encode(whole))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
