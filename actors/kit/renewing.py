"""Renewing: an actor gets a new process, and a standby answers meanwhile."""

import asyncio
import time
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from actors.kit.reach import NAMESPACE
from actors.kit.standby import IDLE_SECONDS_MAX
from bus.kit import logs

START_SECONDS_MAX = 180.0
POLL_SECONDS = 0.1
PID_SECONDS_MAX = 5.0
HAND_OVER_SECONDS_MAX = 6.0
READY_SECONDS_MAX = 30.0
READY_POLL_SECONDS = 0.5

log = logs.get("pool")


async def renew(name: str, *, standbys: bool) -> float | None:
    """Give an actor a new process; returns when that has taken over.

    It runs the code as it is on the disk now. With `standbys` one of them answers for a
    shard meanwhile, and it is returned for how many seconds nobody did before. None:
    nobody answers meanwhile. Then whoever asks waits in a lane, and what was unanswered
    is sent again with its id: it acts once. Raises TimeoutError when the new process
    does not take over in time; a standby goes on until it does.
    """
    handle: Any = await asyncio.to_thread(ray.get_actor, name, NAMESPACE)
    before = await _pid_of(handle)
    seconds = None
    try:
        if name.startswith("standby/"):
            await _idle(handle)
        elif standbys:
            seconds = await _hand_over(handle)
    except (RayActorError, RayTaskError, TimeoutError) as error:
        # It costs time: who asks finds a standby, too, when the process has died.
        log.warning("not-handed-over", actor=name, error=repr(error))
    ray.kill(handle, no_restart=False)
    async with asyncio.timeout(START_SECONDS_MAX):
        pid = before
        while pid in (before, None):
            await asyncio.sleep(POLL_SECONDS)
            pid = await _pid_of(handle)
        await handle.start.remote()
    return seconds


async def _hand_over(handle: Any) -> float | None:
    """Have a standby answer for a shard; one that is being started is waited for."""
    if not hasattr(handle, "hand_over"):
        return None  # a bridge, or made by a release that knew nothing of it
    until = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < until:
        async with asyncio.timeout(HAND_OVER_SECONDS_MAX):
            seconds: float | None = await handle.hand_over.remote()
        if seconds is not None:
            return seconds
        await asyncio.sleep(READY_POLL_SECONDS)
    return None


async def _idle(handle: Any) -> None:
    """Wait until a standby holds nothing, so that nobody misses it."""
    if hasattr(handle, "idle"):
        async with asyncio.timeout(IDLE_SECONDS_MAX + PID_SECONDS_MAX):
            await handle.idle.remote()


async def _pid_of(handle: Any) -> int | None:
    """The actor's process; None while it is being started, or is frozen."""
    try:
        async with asyncio.timeout(PID_SECONDS_MAX):
            pid: int = await handle.pid.remote()
    except (RayActorError, TimeoutError) as error:
        log.info("being-started", reason=type(error).__name__)
        return None
    return pid
