"""Has inventory tell events: first counts of new SKUs, at a rate or as fast as it goes.

`python -m scripts.benching.telling ADDRESS` reads a `Telling` from its input and writes
a `Told` to its output; it is apart because a process that has joined one Ray cluster
cannot be without it again, and so that it costs nobody else's loop.
"""

import asyncio
import logging
import os
import sys
import time
from uuid import uuid4

import msgspec

from bus.inventory.steps import OpenStock
from bus.kit.refusals import ENDS
from bus.kit.settings import Settings
from scripts.auditing.place import Place
from scripts.launcher.failures import Failure
from scripts.launcher.keys import RAY_TOKEN

UNDER_WAY_MAX = 2_000
ANSWER_SECONDS_MAX = 30.0
TELLING_SECONDS_MAX = 300.0
PIECES = 0  # with some a second event would say that the SKU is for sale again


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """So many commands, each of which tells one event; `rate` 0: as fast as it goes.

    `mark` begins their SKUs and makes them new.
    """

    mark: str
    count: int
    rate: float = 0.0


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: commands that were done and not, and in how many seconds."""

    done: int
    failed: int
    seconds: float


async def tell(place: Place, address: str | None, telling: Telling) -> Told:
    """The same in a process of its own; raises `Failure` where that cannot be."""
    if address is None:
        raise Failure("the shop's Ray cluster cannot be found")
    environ = {
        **os.environ,
        **place.settings.export(),
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(place.settings.data_dir / RAY_TOKEN),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.benching.telling", address),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environ,
    )
    try:
        async with asyncio.timeout(TELLING_SECONDS_MAX):
            said, why = await process.communicate(msgspec.json.encode(telling))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise Failure(f"no events were told: {why.decode(errors='replace')[-500:]}")
    return msgspec.json.decode(said, type=Told)


async def _tell_all(settings: Settings, telling: Telling) -> Told:
    """In an open loop the n-th is begun when it is due, whatever came of the others."""
    from actors.kit.reach import connect  # noqa: PLC0415 - it brings Ray

    asker = connect(settings)
    room = asyncio.Semaphore(UNDER_WAY_MAX)
    actor_id = uuid4()
    failed = 0

    async def one(number: int) -> None:
        nonlocal failed
        sku = f"{telling.mark}-{number:06}"
        command = OpenStock(sku=sku, on_hand=PIECES, actor_id=actor_id)
        try:
            await asker.ask(command, timeout_seconds=ANSWER_SECONDS_MAX)
        except ENDS:
            failed += 1
        finally:
            room.release()

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(telling.count):
            if telling.rate:
                early = begun + number / telling.rate - time.perf_counter()
                if early > 0:
                    await asyncio.sleep(early)
            await room.acquire()
            tasks.create_task(one(number))
    seconds = time.perf_counter() - begun
    return Told(done=telling.count - failed, failed=failed, seconds=seconds)


def main(address: str) -> None:
    """Join the cluster as a driver and have them told."""
    import ray  # noqa: PLC0415 - it reads the environment when it is imported
    import uvloop  # noqa: PLC0415

    from scripts.launcher.cluster import NAMESPACE  # noqa: PLC0415

    telling = msgspec.json.decode(sys.stdin.buffer.read(), type=Telling)
    ray.init(
        address=address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    told = uvloop.run(_tell_all(Settings.load(), telling))
    sys.stdout.buffer.write(msgspec.json.encode(told))


if __name__ == "__main__":
    main(sys.argv[1])
