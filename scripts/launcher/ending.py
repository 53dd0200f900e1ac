"""`down`: end a running shop, clean what is left, and with `--purge` its data."""

import os
import shutil
import signal
from pathlib import Path

from scripts.embedded import place
from scripts.embedded.process import Identity, wait_until
from scripts.launcher.failures import Failure
from scripts.launcher.keys import CREDENTIALS, RAY_TOKEN, SECRETS
from scripts.launcher.record import RESTORED, RESTORING, RUN, Run, sole_keeper

STOP_SECONDS_MAX = 120.0
# Only what a shop makes: the folder may hold other things too.
_OURS = ("nats", "files", "uploads", "logs", "mailbox")
_OUR_FILES = (
    *(RUN, SECRETS, CREDENTIALS, RAY_TOKEN, RESTORED),
    *("postgres.password", "backup.lock", "roll.lock"),
)


def end(data_dir: Path) -> bool:
    """End the shop of this folder; whether there was anything to end."""
    run = Run.read(data_dir)
    if run is None:
        return False
    was_running = run.keeper.alive()
    if was_running:
        _tell(run.keeper)
    count = run.end_leftovers()
    if Path(run.temp_dir).name.startswith("souk-"):
        shutil.rmtree(run.temp_dir, ignore_errors=True)
    (data_dir / RUN).unlink(missing_ok=True)
    return was_running or count > 0


def purge(data_dir: Path) -> None:
    """Delete everything that the shop keeps; it must have ended."""
    if not data_dir.exists():
        return
    with sole_keeper(data_dir):
        empty(data_dir)
        (data_dir / RESTORING).unlink(missing_ok=True)
        (data_dir / "keeper.lock").unlink(missing_ok=True)
    if not any(data_dir.iterdir()):
        data_dir.rmdir()


def empty(data_dir: Path) -> None:
    """Delete the data, for whoever holds the folder; backups stay."""
    place.purge(data_dir)
    for name in _OURS:
        shutil.rmtree(data_dir / name, ignore_errors=True)
    for name in _OUR_FILES:
        (data_dir / name).unlink(missing_ok=True)


def _tell(keeper: Identity) -> None:
    """Ask the keeper to end everything; it has a bound for each part."""
    os.kill(keeper.pid, signal.SIGTERM)
    if not wait_until(lambda: not keeper.alive(), STOP_SECONDS_MAX):
        keeper.end(signal.SIGKILL, 1)
        if keeper.alive():
            raise Failure(f"the keeper (process {keeper.pid}) does not end")
