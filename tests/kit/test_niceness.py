"""Pools give way to the edge: with all their threads, from where they were started."""

import os
import subprocess
import sys

SCRIPT = """
import os, threading
from pathlib import Path
from bus.kit.niceness import give_way

hold = threading.Event()
thread = threading.Thread(target=hold.wait)
thread.start()
give_way({first})
give_way({then})
tasks = sorted(int(entry.name) for entry in Path("/proc/self/task").iterdir())
print(len(tasks), *{{os.getpriority(os.PRIO_PROCESS, task) for task in tasks}})
hold.set()
"""


def threads_and_nice(first: int, then: int) -> list[int]:
    """How many threads the process had, and the niceness that they had."""
    said = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(first=first, then=then)],
        check=True,
        capture_output=True,
        text=True,
    )
    return [int(word) for word in said.stdout.split()]


def test_every_thread_gives_way_and_never_more_than_there_is() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert threads_and_nice(0, 0) == [2, ours]
    assert threads_and_nice(3, 0) == [2, min(19, ours + 3)]
    assert threads_and_nice(3, 19) == [2, 19]
