"""What lies in the folder of a backup, and what its `backup.json` tells."""

from datetime import datetime
from pathlib import Path

import msgspec

from scripts.launcher.failures import Failure
from scripts.launcher.keys import CREDENTIALS, SECRETS

ABOUT = "backup.json"
CLUSTER, FILES = "postgres", "files"
PRIVATE = (SECRETS, CREDENTIALS, "postgres.password")
"""Secrets and accounts: without them nobody opens the databases again."""
BACKUPS = "backups"
FORM = 1


class About(msgspec.Struct, frozen=True, kw_only=True):
    """A backup in a few words; it is written last, so that a folder with it is whole.

    Everything that was acknowledged before `point_at` is in it, and nothing that was
    begun after `ended_at`.
    """

    form: int
    began_at: datetime
    point_at: datetime
    ended_at: datetime
    databases: list[str]
    files: int
    """How many; none where they are kept in a bucket outside."""


def read_about(folder: Path) -> About:
    """What the backup tells of itself; raises Failure where there is none."""
    try:
        about = msgspec.json.decode((folder / ABOUT).read_bytes(), type=About)
    except OSError as error:
        raise Failure(f"{folder} is no whole backup: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise Failure(f"{folder / ABOUT} is not readable: {error}") from None
    if about.form != FORM:
        raise Failure(f"{folder} was made by another version (form {about.form})")
    for name in (CLUSTER, *PRIVATE):
        if not (folder / name).exists():
            raise Failure(f"{folder} is no whole backup: {name} is missing")
    return about


def copy_private(source: Path, target: Path) -> None:
    """Copy secrets and accounts, readable by their owner only (mode 0600)."""
    for name in PRIVATE:
        copy = target / name
        copy.touch(mode=0o600)
        copy.chmod(0o600)
        copy.write_bytes((source / name).read_bytes())
