"""A copy of a running cluster, whole at one point; a folder that refuses half ones."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from bus.kit.settings import Settings
from scripts.embedded import place
from scripts.embedded.place import PostgresError
from scripts.embedded.postgres import Postgres
from scripts.embedded.process import Identity
from scripts.launcher.checks import check
from scripts.launcher.failures import Failure
from scripts.launcher.keys import ensure_secrets
from scripts.launcher.record import Run, sole_keeper
from scripts.restoring.backing import back_up
from scripts.restoring.putting import restore
from tests.conftest import free_port, memory
from tests.kit.faults import until

PRIVATE = {"secrets.json", "credentials.json", "postgres.password"}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A folder for two shops, in memory where there is room; Postgres reaches it."""
    folder = Path(memory() or "/tmp") / f"souk-test-{os.getpid()}-{tmp_path.name}"
    folder.mkdir(mode=0o711)
    yield folder
    for shop in ("shop", "again"):
        place.purge(folder / shop)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.mark.full
async def test_a_cluster_comes_back_with_all_that_was_committed_before_its_point(
    home: Path,
) -> None:
    shop, again, copy = home / "shop", home / "again", home / "copy"
    server = Postgres(shop, free_port())
    server.start()
    settings = Settings(data_dir=shop)
    words = ensure_secrets(shop, ["one", "two"])["databases"]
    (shop / "credentials.json").write_text("{}")
    (shop / "files" / "aa").mkdir(parents=True)
    (shop / "files" / "aa" / "picture").write_bytes(b"a picture")
    run = Run("mark", Identity(1, 0.0), ports={"postgres": server.port})
    acknowledged: list[tuple[int, datetime]] = []
    try:
        urls = await server.ensure_all(words)
        writing = asyncio.create_task(_write(urls, acknowledged))
        await until(lambda: acknowledged)
        _, about = await asyncio.to_thread(back_up, settings, run, copy)
        writing.cancel()
    finally:
        server.stop()

    _check_folder(copy)
    assert about.files == 1
    before = {n for n, at in acknowledged if at < about.point_at}
    assert before
    there = Settings(data_dir=again)
    with pytest.raises(Failure, match="is already there"):
        back_up(settings, run, copy)
    await asyncio.to_thread(restore, there, copy)

    assert (again / "files" / "aa" / "picture").read_bytes() == b"a picture"
    with pytest.raises(Failure, match="is not empty"):
        await asyncio.to_thread(restore, there, copy)
    second = Postgres(again, free_port())
    second.start()
    try:
        one, two = [
            await _numbers(second.url(name, words[name])) for name in ("one", "two")
        ]
    finally:
        second.stop()
    assert before <= two
    assert one - two <= {max(one)}
    assert two <= one


def _check_folder(copy: Path) -> None:
    """Everything is there, and nobody else may read it."""
    names = {path.name for path in copy.iterdir()}
    assert names == {*PRIVATE, "postgres", "files", "backup.json"}
    assert {(copy / name).stat().st_mode & 0o777 for name in PRIVATE} == {0o600}
    assert copy.stat().st_mode & 0o777 == 0o700


async def _write(
    urls: dict[str, str], acknowledged: list[tuple[int, datetime]]
) -> None:
    """Write each number into one database and, once it is there, into the other."""
    connections = [await asyncpg.connect(urls[name]) for name in ("one", "two")]
    for each in connections:
        await each.execute("CREATE TABLE numbers (n int PRIMARY KEY)")
    for n in range(1_000_000):
        for each in connections:
            await each.execute("INSERT INTO numbers VALUES ($1)", n)
        acknowledged.append((n, datetime.now(UTC)))


async def _numbers(url: str) -> set[int]:
    connection = await asyncpg.connect(url)
    try:
        return {row["n"] for row in await connection.fetch("TABLE numbers")}
    finally:
        await connection.close()


def test_what_is_no_whole_backup_changes_nothing(home: Path) -> None:
    copy, again = home / "copy", home / "again"
    copy.mkdir()
    with pytest.raises(Failure, match="is no whole backup"):
        restore(Settings(data_dir=again), copy)
    (copy / "backup.json").write_text("{")
    with pytest.raises(Failure, match="is not readable"):
        restore(Settings(data_dir=again), copy)
    assert not again.exists()


def test_a_shop_does_not_start_on_half_a_restore(home: Path) -> None:
    again = home / "again"
    again.mkdir()
    (again / "restoring").touch()
    settings = Settings(
        data_dir=again,
        http_port=free_port(),
        nats_port=free_port(),
        pg_port=free_port(),
    )
    with pytest.raises(Failure, match="did not end: repeat scripts/restore"):
        check(settings)


def test_a_shop_that_runs_is_not_restored_into(home: Path) -> None:
    copy = _empty_backup(home)
    with (
        sole_keeper(home / "shop"),
        pytest.raises(Failure, match="is already running"),
    ):
        restore(Settings(data_dir=home / "shop"), copy)


def test_a_backup_that_was_altered_is_refused_and_changes_nothing(home: Path) -> None:
    copy = _empty_backup(home)
    (copy / "postgres" / "backup_manifest").write_text("{}")
    with pytest.raises(PostgresError, match="pg_verifybackup"):
        restore(Settings(data_dir=home / "again"), copy)
    assert [path.name for path in (home / "again").iterdir()] == ["keeper.lock"]


def test_databases_outside_are_not_half_copied(home: Path) -> None:
    settings = Settings(
        data_dir=home / "shop", database_urls={"orders": "postgresql://elsewhere/x"}
    )
    run = Run("mark", Identity(1, 0.0), ports={"postgres": 1})
    with pytest.raises(Failure, match="the databases of orders are outside"):
        back_up(settings, run, home / "copy")
    assert not (home / "copy").exists()


def _empty_backup(home: Path) -> Path:
    copy = home / "copy"
    (copy / "postgres").mkdir(parents=True)
    for name in PRIVATE:
        (copy / name).write_text("{}")
    now = datetime.now(UTC).isoformat()
    times = dict.fromkeys(("began_at", "point_at", "ended_at"), now)
    about = {"form": 1, **times, "databases": [], "files": 0}
    (copy / "backup.json").write_text(json.dumps(about))
    return copy
