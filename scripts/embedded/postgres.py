"""The embedded Postgres 18: one cluster in the data folder, a role a database."""

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import asyncpg
import psutil

from scripts.embedded.place import Place, PostgresError, place
from scripts.embedded.process import Identity, launch, wait_until

__all__ = ["Postgres", "PostgresError"]

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 20.0
ORPHAN_SECONDS_MAX = 1.0
CONNECT_SECONDS_MAX = 10.0
HOST = "127.0.0.1"
Result = TypeVar("Result")

_CONFIGURATION = "souk.conf"
# For a small machine that must not lose an acknowledged commit.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "track_commit_timestamp": "on",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "max_wal_size": "1GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "10min",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_scale_factor": "0.1",
    "max_locks_per_transaction": "256",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "default_text_search_config": "pg_catalog.english",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgres-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_age": "1d",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%u@%d %a ",
}


class Postgres:
    """One cluster: `start()`, `ensure()` a database a domain, `stop()`.

    Raises `PostgresError` with one line wherever it cannot go on.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        user: str | None = None,
        binaries: str = "",
        connections_max: int = 200,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.port = port
        self.connections_max = connections_max
        self._user, self._binaries = user or "", binaries
        self._place: Place | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def superuser_url(self) -> str:
        """Address of the maintenance database, for the launcher and tests only."""
        return self.url("postgres", self.superuser_password())

    def url(self, name: str, password: str) -> str:
        """Address of the database `name` for its own role."""
        secret = quote(password, safe="")
        return f"postgresql://{name}:{secret}@{HOST}:{self.port}/{name}"

    def start(self) -> None:
        """Make the cluster if there is none, start it, wait until it answers."""
        self.prepare()
        self.launch()
        self.wait()

    def prepare(self) -> None:
        """Everything before the start: folders, a new cluster, its configuration."""
        here = self.home()
        if not (here.cluster / _CONFIGURATION).exists():  # the last thing written
            self._make_cluster(here)
        if running := self.running():
            raise PostgresError(
                f"Postgres already runs on {here.cluster} (process {running.pid})"
            )
        self._end_orphans(here)
        self._configure(here)
        # A pid that now belongs to another program would make Postgres refuse.
        (here.cluster / "postmaster.pid").unlink(missing_ok=True)

    def launch(self) -> None:
        """Start the server; returns at once. See `process.launch` about threads."""
        here = self.home()
        with self._log().open("ab") as log:
            self._process = launch(
                [
                    here.binaries / "postgres",
                    *("-D", here.cluster),
                    *("-c", f"config_file={here.cluster / _CONFIGURATION}"),
                ],
                log=log,
                account=here.account,
                folder=here.cluster,
                at_our_end=signal.SIGINT,
            )

    def wait(self, seconds_max: float = START_SECONDS_MAX) -> None:
        """Wait until the server takes connections; a copy replays its log before."""
        process = self._process
        if process is None:
            raise PostgresError("Postgres was not started")
        status = self.home().cluster / "postmaster.pid"

        def settled() -> bool:
            return process.poll() is not None or _is_ready(status, process.pid)

        if not wait_until(settled, seconds_max) or process.poll() is not None:
            self.stop()
            raise PostgresError(f"Postgres did not start: {self._last_words()}")

    def stop(self) -> None:
        """End the server: its sessions are cut, what is committed is on disk."""
        running = self.running()
        if self._process is not None and running is None:
            running = Identity.of(self._process.pid)
        if running and not running.end(signal.SIGINT, STOP_SECONDS_MAX):
            raise PostgresError(f"Postgres (process {running.pid}) does not end")
        if self._process is not None:
            self._process.wait()
            self._process = None

    def running(self) -> Identity | None:
        """The server of this very cluster, whoever started it."""
        cluster = self.home().cluster
        try:
            pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            process = psutil.Process(pid)
            ours = "postgres" in process.name()
            ours = ours and Path(process.cwd()).samefile(cluster)
        except (FileNotFoundError, ValueError, psutil.Error):
            return None
        return Identity.of(pid) if ours else None

    def ensure(self, domain: str, password: str) -> str:
        """The address of the domain's database, made with its role if need be.

        No role can open another's database. Safe to repeat.
        """
        return _finished(self.ensure_all({domain: password}))[domain]

    async def ensure_all(self, passwords: Mapping[str, str]) -> dict[str, str]:
        """The same for several databases, by name."""
        connection = await asyncpg.connect(
            self.superuser_url, timeout=CONNECT_SECONDS_MAX
        )
        try:
            for name in ("postgres", "template1"):
                await connection.execute(
                    f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"
                )
            for name, password in sorted(passwords.items()):
                await _ensure(connection, name, password)
        finally:
            await connection.close()
        return {name: self.url(name, word) for name, word in passwords.items()}

    def home(self) -> Place:
        """Where the cluster lives; made where it is missing."""
        if self._place is None:
            self._place = place(self.data_dir, self._user, self._binaries)
        return self._place

    def superuser_password(self) -> str:
        """For the launcher and its commands only."""
        return (self.data_dir / "postgres.password").read_text()

    def _make_cluster(self, here: Place) -> None:
        """A new cluster, made beside and moved when whole."""
        word = self.data_dir / "postgres.password"
        descriptor = os.open(word, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
        with tempfile.NamedTemporaryFile("w") as given:
            given.write(word.read_text())
            given.flush()
            if here.account:
                os.chown(given.name, here.account.uid, here.account.gid)
            self._initdb(here, Path(given.name))

    def _end_orphans(self, here: Place) -> None:
        """End the sessions that have outlived a server that was killed.

        They write on until they look up. Without the dead server's `postmaster.pid`
        the next one would not see them, and both would write the same files.
        """
        for process in psutil.process_iter(["name"]):
            with contextlib.suppress(psutil.Error, OSError):
                if "postgres" not in process.info["name"]:
                    continue
                if not Path(process.cwd()).samefile(here.cluster):
                    continue
                left = Identity.of(process.pid)
                if left and not left.end(signal.SIGQUIT, ORPHAN_SECONDS_MAX):
                    raise PostgresError(f"process {left.pid} of Postgres does not end")

    def _initdb(self, here: Place, password_file: Path) -> None:
        # initdb empties the folder again when it fails, but not when it is killed.
        here.cluster.mkdir(mode=0o700, exist_ok=True)
        _clear(here.cluster)
        made = subprocess.run(
            [
                str(here.binaries / "initdb"),
                *("-D", str(here.cluster), "-U", "postgres"),
                *("--auth=scram-sha-256", f"--pwfile={password_file}"),
                *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
                *("--builtin-locale=C.UTF-8", "--no-instructions"),
            ],
            user=here.account.uid if here.account else None,
            group=here.account.gid if here.account else None,
            extra_groups=[] if here.account else None,
            cwd=here.cluster,
            capture_output=True,
            text=True,
            timeout=START_SECONDS_MAX,
            check=False,
        )
        if made.returncode != 0:
            _clear(here.cluster)
            lines = made.stderr.strip().splitlines() or ["initdb failed"]
            raise PostgresError(f"cannot make the database: {lines[-1]}")

    def _configure(self, here: Place) -> None:
        """Write our whole configuration; nothing of `postgresql.conf` counts."""
        values = {
            **_SETTINGS,
            "port": str(self.port),
            "max_connections": str(self.connections_max),
        }
        path = here.cluster / _CONFIGURATION
        path.write_text("".join(f"{key} = '{v}'\n" for key, v in values.items()))
        if here.account:
            os.chown(path, here.account.uid, here.account.gid)

    def _log(self) -> Path:
        folder = self.data_dir / "logs"
        folder.mkdir(exist_ok=True)
        return folder / "postgres-start.log"

    def _last_words(self) -> str:
        """The line in which the server said why it ended."""
        logs = [self._log(), *(self.home().cluster / "log").glob("*.log")]
        newest = max(logs, key=lambda log: log.stat().st_mtime)
        said = newest.read_text(errors="replace").strip().splitlines()[-20:]
        fatal = [line for line in said if "FATAL" in line or "could not" in line]
        return (fatal or said or ["no reason given"])[-1]


async def _ensure(connection: asyncpg.Connection, name: str, password: str) -> None:
    """One role and the database that only it can open."""
    role, word = _quoted(name), password.replace("'", "''")
    known = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname=$1", name)
    verb = "ALTER" if known else "CREATE"
    await connection.execute(f"{verb} ROLE {role} LOGIN PASSWORD '{word}'")
    if not await connection.fetchval(
        "SELECT 1 FROM pg_database WHERE datname=$1", name
    ):
        await connection.execute(f"CREATE DATABASE {role} OWNER {role}")
    await connection.execute(f"REVOKE ALL ON DATABASE {role} FROM PUBLIC")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_ready(status: Path, pid: int) -> bool:
    """Whether this server's status file says so (its first and its eighth line)."""
    try:
        lines = status.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _clear(folder: Path) -> None:
    """Delete what is in the folder; the folder itself may not be ours to make."""
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _finished(work: Coroutine[None, None, Result]) -> Result:
    """Run to the end in a thread of its own, since the caller may have a loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
