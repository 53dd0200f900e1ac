"""A shop of the bench's own: free ports, a folder of its own, ended after."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bus.kit.settings import Settings
from scripts.embedded.postgres import Postgres
from scripts.launcher import servers
from scripts.launcher.checks import free_port
from scripts.launcher.environment import ROOT
from scripts.launcher.failures import Failure

START_SECONDS_MAX = 300.0


class OwnShop:
    """A shop in a folder: started, ended, or with nothing but its databases."""

    def __init__(self, folder: Path, besides: Mapping[str, str] | None = None) -> None:
        """`besides` are settings that the environment may still say otherwise."""
        self.environ = {
            **(besides or {}),
            **os.environ,
            "SOUK_DATA_DIR": str(folder),
            "SOUK_HTTP_PORT": str(free_port()),
            "SOUK_PG_PORT": str(free_port()),
            "SOUK_NATS_PORT": str(free_port()),
            "SOUK_NATS_MONITOR_PORT": "0",
        }

    @property
    def settings(self) -> Settings:
        """As its processes read them."""
        return Settings.load(self.environ)

    def up(self) -> float:
        """Start it; how many seconds that took, from the command to its return."""
        begun = time.monotonic()
        self._run("up", "--detach")
        return time.monotonic() - begun

    def down(self, *, purge: bool = False) -> None:
        """End it; with `purge` its data goes as well."""
        self._run("down", *(("--purge",) if purge else ()))

    @contextmanager
    def databases(self) -> Iterator[Postgres]:
        """Its Postgres alone, while the shop does not run."""
        server = servers.postgres(self.settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.launcher", *words],
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            timeout=START_SECONDS_MAX,
            check=False,
        )
        if done.returncode:
            raise Failure(f"`{' '.join(words)}` ended with {done.returncode}")


@contextmanager
def own_shop(besides: Mapping[str, str] | None = None) -> Iterator[Settings]:
    """Start one with the environment's settings, but for what is its own."""
    with tempfile.TemporaryDirectory(prefix="souk-bench-") as folder:
        shop = OwnShop(Path(folder, "data"), besides)
        try:
            shop.up()
            yield shop.settings
        finally:
            shop.down(purge=True)
