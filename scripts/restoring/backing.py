"""`scripts/backup`: all databases at one point, the files and the secrets."""

import asyncio
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bus.kit.settings import Settings
from scripts.embedded.copying import check_copy, copy_cluster
from scripts.embedded.postgres import Postgres
from scripts.launcher import servers
from scripts.launcher.environment import embedded_databases
from scripts.launcher.failures import Exit, Failure
from scripts.launcher.record import Run, alone
from scripts.restoring.folder import (
    ABOUT,
    BACKUPS,
    CLUSTER,
    FILES,
    FORM,
    About,
    copy_private,
)

PARTIAL = ".backup-partial-"
ROOM_BYTES_MIN = 1 << 30  # for the log that is written while the copy is made


def back_up(settings: Settings, run: Run, target: Path | None) -> tuple[Path, About]:
    """Copy the running shop into `target`, a new folder; nobody waits meanwhile.

    The folder appears whole or not at all. One backup at a time.
    """
    data_dir = settings.data_dir
    began_at = datetime.now(UTC)
    folder = target or data_dir / BACKUPS / f"{began_at:%Y%m%dT%H%M%SZ}"
    must_be_embedded(settings)
    with alone(data_dir, "backup"):
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
        for left in folder.parent.glob(f"{PARTIAL}*"):
            shutil.rmtree(left)  # of one that was killed
        server = servers.postgres(settings.changed(pg_port=run.ports["postgres"]))
        _must_have_room(server, data_dir, folder)
        partial = folder.parent / f"{PARTIAL}{folder.name}"
        partial.mkdir(mode=0o700)
        try:
            about = _fill(partial, settings, server, began_at)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    return folder, about


def must_be_embedded(settings: Settings) -> None:
    """Raise Failure where a database lies outside: that server has its own backup."""
    outside = sorted(settings.database_urls)
    if outside:
        raise Failure(
            f"the databases of {', '.join(outside)} are outside: back up that server"
            " (see docs/how-to/back-up-and-restore.md)",
            Exit.BAD_SETTING,
        )


def _fill(
    partial: Path, settings: Settings, server: Postgres, began_at: datetime
) -> About:
    # Files never change and come before the row that tells of them. Copied before and
    # after, those that are removed meanwhile are there too, and those that are new.
    files = settings.data_dir / FILES
    if not settings.files_url:
        _copy_files(files, partial / FILES)
    point_at = asyncio.run(_copy_databases(server, partial / CLUSTER))
    if not settings.files_url:
        _copy_files(files, partial / FILES)
    copy_private(settings.data_dir, partial)
    about = About(
        form=FORM,
        began_at=began_at,
        point_at=point_at,
        ended_at=datetime.now(UTC),
        databases=embedded_databases(settings),
        files=sum(path.is_file() for path in (partial / FILES).rglob("*")),
    )
    (partial / ABOUT).write_bytes(msgspec.json.format(msgspec.json.encode(about)))
    os.sync()
    return about


async def _copy_databases(server: Postgres, target: Path) -> datetime:
    point_at = await copy_cluster(server, target)
    await check_copy(server.home().binaries, target)
    return point_at


def _copy_files(source: Path, target: Path) -> None:
    """Copy what is not there yet; a file that goes away meanwhile is left out."""
    target.mkdir(exist_ok=True)
    for path in source.rglob("*"):
        copy = target / path.relative_to(source)
        if path.is_dir() or copy.exists():
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, copy)
        except FileNotFoundError:
            copy.unlink(missing_ok=True)


def _must_have_room(server: Postgres, data_dir: Path, folder: Path) -> None:
    if folder.exists():
        raise Failure(f"{folder} is already there: name a new folder")
    wanted = _bytes_of(server.home().cluster) + _bytes_of(data_dir / FILES)
    wanted += ROOM_BYTES_MIN
    free = shutil.disk_usage(folder.parent).free
    if free < wanted:
        raise Failure(
            f"{folder.parent} has {free >> 20} MiB free, the backup needs "
            f"{wanted >> 20} MiB",
            Exit.NO_ROOM,
        )


def _bytes_of(folder: Path) -> int:
    """How much lies in a folder; what goes away while we look does not count."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(base, name).lstat().st_size
            except FileNotFoundError:
                continue
    return total
