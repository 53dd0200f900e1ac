"""How a process lets others go first where there are more of them than processors."""

import contextlib
import os
from pathlib import Path

NICE_MAX = 19
_THREADS = Path("/proc/self/task")


def give_way(nice: int) -> None:
    """Have every thread of this process wait for those that are less nice.

    Pools give way to the edge: on a full machine it still reads and refuses at once,
    and what waits meanwhile shares the next batch. On an idle one it makes no
    difference. It adds to how the process was started; on Linux niceness is a thread's
    (`nice(7)`), and a thread that is started later has that of its starter.
    """
    if nice <= 0:
        return
    if not _THREADS.exists():
        os.nice(nice)
        return
    for thread in (int(entry.name) for entry in _THREADS.iterdir()):
        with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
            now = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(NICE_MAX, now + nice))
