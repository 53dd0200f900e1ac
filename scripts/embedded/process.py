"""Processes that belong to a shop: started tied to us, known by pid and start time."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import psutil

POLL_SECONDS = 0.02
KILLED_SECONDS_MAX = 5.0
_PR_SET_PDEATHSIG = 1
# What any program may know; secrets are in the rest. SOUK_RUN tells whose it is.
_PLAIN = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR", "SOUK_RUN")


@dataclass(frozen=True)
class Account:
    """The user that a process runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Identity:
    """A process for certain: a pid alone may have been given to another since."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this pid now, if there is one."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        try:
            process = psutil.Process(self.pid)
            # psutil computes the start time from the boot time, which may drift.
            same = abs(process.create_time() - self.started) < 1.0
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def end(self, first: signal.Signals, patience_seconds: float) -> bool:
        """Ask it to end, wait, then kill it; whether it is gone."""
        for number, seconds in (
            (first, patience_seconds),
            (signal.SIGKILL, KILLED_SECONDS_MAX),
        ):
            if not self.alive():
                return True
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
            if wait_until(lambda: not self.alive(), seconds):
                return True
        return False


def launch(
    command: Sequence[str | Path],
    *,
    log: BinaryIO | int = subprocess.DEVNULL,
    environ: Mapping[str, str] | None = None,
    account: Account | None = None,
    folder: Path | None = None,
    at_our_end: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own that is told when we die.

    Call it from a thread that lives as long as this process: on Linux the signal comes
    when the thread that started the child ends. Elsewhere nobody tells the child.
    Of our environment it gets what is harmless, and `environ` besides.
    """
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={**plain_environ(), **(environ or {})},
        cwd=folder,
        start_new_session=True,
        user=None if account is None else account.uid,
        group=None if account is None else account.gid,
        extra_groups=None if account is None else [],
        preexec_fn=_tie(at_our_end),  # noqa: PLW1509 - it only makes two system calls
    )


def plain_environ() -> dict[str, str]:
    """The part of our environment that holds no secret."""
    return {name: os.environ[name] for name in _PLAIN if name in os.environ}


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    """Poll until `done()` or the time is over; whether it was done."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _tie(number: signal.Signals) -> Callable[[], None] | None:
    """What a child does before it becomes its program, so that it ends with us."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def tie() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # we died before the line above
            os._exit(1)

    return tie
