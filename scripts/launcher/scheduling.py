"""How the operating system shares its processors among the shop's processes."""

import os


def run_in_batches() -> None:
    """Let this process, and all that it will start, not interrupt each other.

    A dozen processes pass each order on. By default Linux lets each one that is woken
    interrupt the one that runs, so that batches stay small and caches cold; as
    `SCHED_BATCH` the woken waits for its turn, milliseconds at most (sched(7)). Its
    share of the processors stays the same, and no right is needed. Elsewhere than on
    Linux nothing changes.
    """
    if hasattr(os, "sched_setscheduler"):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
