"""Asks every shard what it counts and which process it is, from a process of its own.

`python -m scripts.benching.probe ADDRESS` writes a JSON document to its output; it is
apart because a process that has joined one Ray cluster cannot be without it again.
"""

import asyncio
import sys

import msgspec

from bus.kit.settings import Settings
from scripts.auditing.place import Place
from scripts.benching.joining import environment, join

PROBE_SECONDS_MAX = 60.0


class Shard(msgspec.Struct, frozen=True, kw_only=True):
    """One actor of the pools: its process, and what it has run so far."""

    pid: int
    messages_total: int = 0
    batches_total: int = 0
    calls_total: int = 0
    entities: int = 0


async def probe(place: Place, address: str | None) -> dict[str, Shard]:
    """Every shard and bridge by its name; nothing when Ray cannot be reached."""
    if address is None:
        return {}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "scripts.benching.probe",
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(place),
    )
    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            said, why = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return {}
    if process.returncode:
        print(why.decode(errors="replace")[-500:], file=sys.stderr)
        return {}
    return msgspec.json.decode(said, type=dict[str, Shard])


async def _ask(settings: Settings) -> dict[str, Shard]:
    from actors.kit.reach import RayTransport, connect  # noqa: PLC0415 - it brings Ray

    reach, asker = RayTransport(), connect(settings)
    found = {
        name: Shard(
            pid=await reach.call(name, "pid"),
            messages_total=report.get("messages_total", 0),
            batches_total=report.get("batches_total", 0),
            calls_total=report.get("calls_total", 0),
            entities=report.get("entities", 0),
        )
        for name, report in (await asker.shards()).items()
    }
    for number, report in enumerate(await asker.bridges()):
        name = f"bridge/{number}"
        found[name] = Shard(
            pid=await reach.call(name, "pid"), calls_total=report.get("calls_total", 0)
        )
    return found


def main(address: str) -> None:
    """Join the cluster as a driver and ask."""
    join(address)
    found = asyncio.run(_ask(Settings.load()))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1])
