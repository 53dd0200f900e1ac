"""A cluster of Postgres copied while it runs, and put in place again."""

import asyncio
import json
import os
import shutil
from datetime import datetime
from pathlib import Path

import asyncpg

from scripts.embedded.place import PostgresError
from scripts.embedded.postgres import HOST, Postgres
from scripts.embedded.process import plain_environ

COPY_SECONDS_MAX = 6 * 3600.0
RECOVER_SECONDS_MAX = 3600.0
CONNECT_SECONDS_MAX = 10.0
LOOK_SECONDS = 0.05

_LOOK = "SELECT clock_timestamp(), (pg_current_wal_flush_lsn() - '0/0')::bigint"


async def copy_cluster(server: Postgres, target: Path) -> datetime:
    """Copy the running cluster into `target`, a folder that is not there yet.

    All its databases come to one point, the end of the copy: it brings along the log
    of what was written meanwhile, and the server that is started on it replays that
    (PostgreSQL manual, "pg_basebackup"). Returns a time before that end, by the
    server's clock: every commit that was acknowledged by then is in the copy.
    """
    options = ("--wal-method=stream", "--checkpoint=fast", "--no-password")
    where = ("-h", HOST, "-p", str(server.port), "-U", "postgres")
    connection = await asyncpg.connect(
        server.superuser_url, timeout=CONNECT_SECONDS_MAX
    )
    try:
        copying = asyncio.create_task(
            _run(
                server.home().binaries / "pg_basebackup",
                *("-D", str(target), *where, *options),
                PGPASSWORD=server.superuser_password(),
            )
        )
        looks = [await connection.fetchrow(_LOOK)]
        while not (await asyncio.wait({copying}, timeout=LOOK_SECONDS))[0]:
            looks.append(await connection.fetchrow(_LOOK))
        await copying
    finally:
        await connection.close()
    end = _end_of(target)
    point: datetime = max(at for at, place in looks if place <= end)
    return point


async def check_copy(binaries: Path, copy: Path) -> None:
    """Raise PostgresError unless every file, and the log up to the end, is whole."""
    await _run(binaries / "pg_verifybackup", "--quiet", str(copy))


def put_cluster(server: Postgres, copy: Path) -> None:
    """Make a copy the server's cluster, and let it replay its log, until it is whole.

    The cluster's folder must be empty; the server must not run, and does not after.
    """
    here = server.home()
    here.cluster.mkdir(mode=0o700, exist_ok=True)
    if any(here.cluster.iterdir()):
        raise PostgresError(f"{here.cluster} is not empty")
    shutil.copytree(copy, here.cluster, symlinks=True, dirs_exist_ok=True)
    here.cluster.chmod(0o700)
    if here.account:
        for path in (here.cluster, *here.cluster.rglob("*")):
            os.chown(path, here.account.uid, here.account.gid, follow_symlinks=False)
    os.sync()
    server.prepare()
    server.launch()
    server.wait(RECOVER_SECONDS_MAX)
    server.stop()


def _end_of(copy: Path) -> int:
    """Up to where the copy's log must be replayed, as the server wrote it there."""
    ranges = json.loads((copy / "backup_manifest").read_bytes())["WAL-Ranges"]
    ends = [each["End-LSN"].split("/") for each in ranges]
    return max((int(high, 16) << 32) + int(low, 16) for high, low in ends)


async def _run(program: Path, *words: str, **variables: str) -> None:
    """Run a program of Postgres' own; raises PostgresError with its last words."""
    try:
        running = await asyncio.create_subprocess_exec(
            program,
            *words,
            env={**plain_environ(), **variables},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError:
        raise PostgresError(f"{program} is not there: set SOUK_PG_BIN") from None
    try:
        async with asyncio.timeout(COPY_SECONDS_MAX):
            _, said = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    if running.returncode != 0:
        lines = said.decode(errors="replace").strip().splitlines()
        raise PostgresError(f"{program.name}: {(lines or ['no reason given'])[-1]}")
