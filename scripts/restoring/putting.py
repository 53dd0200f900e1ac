"""`scripts/restore`: a shop made of a backup, ready to be started."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

from bus.kit.settings import Settings
from scripts.embedded.copying import check_copy, put_cluster
from scripts.embedded.place import find_binaries
from scripts.launcher import ending, servers
from scripts.launcher.checks import free_port
from scripts.launcher.failures import Failure
from scripts.launcher.record import RESTORED, RESTORING, sole_keeper
from scripts.restoring.backing import must_be_embedded
from scripts.restoring.folder import (
    BACKUPS,
    CLUSTER,
    FILES,
    About,
    copy_private,
    read_about,
)

OUTBOX_DAYS_MAX = 7
"""How long events wait in the outboxes for a stream that is made anew."""
_NOT_DATA = {"keeper.lock", BACKUPS}


def restore(settings: Settings, folder: Path) -> About:
    """Make the shop of a backup in the empty data folder; raises Failure else.

    A backup that is not whole changes nothing. A restore that was killed begins anew
    when it is repeated; until then the shop does not start.
    """
    about = read_about(folder)
    must_be_embedded(settings)
    data_dir = settings.data_dir
    with sole_keeper(data_dir):
        killed = (data_dir / RESTORING).exists()
        if not killed:
            _must_be_empty(data_dir)
        asyncio.run(check_copy(find_binaries(settings.pg_bin), folder / CLUSTER))
        (data_dir / RESTORING).touch()
        if killed:
            ending.empty(data_dir)
        copy_private(folder, data_dir)
        if (folder / FILES).is_dir():
            shutil.copytree(folder / FILES, data_dir / FILES)
        server = servers.postgres(settings.changed(pg_port=free_port()))
        put_cluster(server, folder / CLUSTER)
        (data_dir / RESTORED).touch()
        (data_dir / RESTORING).unlink()
    return about


def days_old(about: About) -> int:
    """Whole days since the backup."""
    return (datetime.now(UTC) - about.point_at).days


def _must_be_empty(data_dir: Path) -> None:
    kept = sorted({path.name for path in data_dir.iterdir()} - _NOT_DATA)
    if kept:
        raise Failure(
            f"{data_dir} is not empty ({', '.join(kept[:3])} …): restore into a new "
            "folder, or delete this one's data with scripts/down --purge"
        )
