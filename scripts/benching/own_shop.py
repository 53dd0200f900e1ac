"""A shop of the bench's own: free ports, an empty folder, ended and deleted after."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bus.kit.settings import Settings
from scripts.launcher.checks import free_port
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure

START_SECONDS_MAX = 300.0


@contextmanager
def own_shop(besides: Mapping[str, str] | None = None) -> Iterator[Settings]:
    """Start it with the environment's settings, but for what is its own.

    `besides` are settings that the environment may still say otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="souk-bench-") as folder:
        environ = {
            **(besides or {}),
            **os.environ,
            "SOUK_DATA_DIR": str(Path(folder, "data")),
            "SOUK_HTTP_PORT": str(free_port()),
            "SOUK_PG_PORT": str(free_port()),
            "SOUK_NATS_PORT": str(free_port()),
            "SOUK_NATS_MONITOR_PORT": "0",
        }
        try:
            _run(environ, "up", "--detach")
            yield Settings.load(environ)
        finally:
            _run(environ, "down", "--purge")


def _run(environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.launcher", *words],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise Failure(f"`{' '.join(words)}` ended with {done.returncode}")
