"""The embedded Postgres: one role a database, and data that outlives every end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from scripts.embedded import place
from scripts.embedded.postgres import Postgres, PostgresError
from scripts.embedded.process import Identity, wait_until
from scripts.launcher.tending import start_again
from tests.conftest import free_port

CONNECT_SECONDS_MAX = 5


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data folder that is not there yet, outside pytest's private folders."""
    folder = Path("/tmp") / f"souk-test-{os.getpid()}-{tmp_path.name}"
    yield folder
    if folder.exists():
        place.purge(folder)
        subprocess.run(["rm", "-rf", str(folder)], check=True)


async def _value(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_no_role_can_open_anothers_database(postgres: Postgres) -> None:
    urls = await postgres.ensure_all({"alone_a": "word-a", "alone_b": "word-b"})
    assert await _value(urls["alone_a"], "SELECT current_database()") == "alone_a"
    for name in ("alone_b", "postgres", "template1"):
        foreign = urls["alone_a"].rsplit("/", 1)[0] + f"/{name}"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _value(foreign, "SELECT 1")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _value(urls["alone_a"].replace("word-a", "word-b"), "SELECT 1")


async def test_making_a_database_again_changes_nothing(postgres: Postgres) -> None:
    first = postgres.ensure("again", "a'b/c")
    await _value(first, "CREATE TABLE kept (id int)")
    assert postgres.ensure("again", "a'b/c") == first
    assert await _value(first, "SELECT count(*) FROM kept") == 0


async def test_commits_are_on_disk_before_they_are_acknowledged(home: Path) -> None:
    server = Postgres(home, free_port())
    server.start()
    try:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await _value(server.superuser_url, f"SHOW {name}") == "on"
    finally:
        server.stop()


async def test_a_restart_keeps_the_data(home: Path) -> None:
    port = free_port()
    for expected in (1, 2):
        server = Postgres(home, port)
        server.start()
        try:
            url = server.ensure("kept", "word")
            await _value(url, "CREATE TABLE IF NOT EXISTS starts (at int)")
            await _value(url, "INSERT INTO starts VALUES (1)")
            assert await _value(url, "SELECT count(*) FROM starts") == expected
        finally:
            server.stop()
        assert server.running() is None


@pytest.mark.full
async def test_a_killed_server_and_a_foreign_pid_do_not_prevent_the_next_start(
    home: Path,
) -> None:
    server = Postgres(home, free_port())
    server.start()
    url = server.ensure("kept", "word")
    await _value(url, "CREATE TABLE committed (id int)")
    running = server.running()
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    assert wait_until(lambda: not running.alive(), 5)
    status = home / "postgres" / "postmaster.pid"
    lines = status.read_text().splitlines()
    status.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    server.stop()  # it is not ours to end: that pid is this test's
    server.start()
    try:
        assert await _value(url, "SELECT count(*) FROM committed") == 0
    finally:
        server.stop()


@pytest.mark.full
async def test_a_session_that_outlives_a_killed_server_is_ended_before_the_next_start(
    home: Path,
) -> None:
    server = Postgres(home, free_port())
    server.start()
    try:
        url = server.ensure("kept", "word")
        session = await asyncpg.connect(url, timeout=CONNECT_SECONDS_MAX)
        orphan = Identity.of(await session.fetchval("SELECT pg_backend_pid()"))
        running = server.running()
        assert orphan is not None
        assert running is not None
        os.kill(orphan.pid, signal.SIGSTOP)  # else it looks up and sees that it is over
        os.kill(running.pid, signal.SIGKILL)
        assert wait_until(lambda: not running.alive(), 5)
        assert orphan.alive()

        start_again(server)

        assert not orphan.alive()
        session.terminate()
        assert await _value(url, "SELECT 1") == 1
    finally:
        server.stop()


@pytest.mark.full
def test_a_second_server_on_the_same_data_is_refused(home: Path) -> None:
    server = Postgres(home, free_port())
    server.start()
    try:
        with pytest.raises(PostgresError, match="already runs"):
            Postgres(home, free_port()).start()
    finally:
        server.stop()


def test_a_server_ends_with_the_process_that_started_it(home: Path) -> None:
    server = Postgres(home, free_port())
    code = (
        "import os, pathlib\n"
        "from scripts.embedded.postgres import Postgres\n"
        f"Postgres(pathlib.Path({str(home)!r}), {server.port}).start()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert ended.returncode == -signal.SIGKILL
    if sys.platform == "linux":
        assert wait_until(lambda: server.running() is None, 10)
    server.stop()


@pytest.mark.full
@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as another")
def test_data_under_a_private_folder_lives_in_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    home.mkdir(mode=0o755)
    monkeypatch.setattr(place, "STATE_FOLDER", home / "state")
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    data_dir = private / "data"
    server = Postgres(data_dir, free_port())
    server.start()
    try:
        assert server.ensure("kept", "word").endswith("/kept")
        link = data_dir / "postgres"
        assert link.is_symlink()
        assert link.resolve().is_relative_to(home / "state")
        assert link.resolve().parent.stat().st_mode & 0o777 == 0o700
        assert private.stat().st_mode & 0o777 == 0o700
    finally:
        server.stop()
    place.purge(data_dir)
    assert not link.is_symlink()
    assert list((home / "state").iterdir()) == []
