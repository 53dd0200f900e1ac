"""The commands: `backup` and `restore`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bus.kit.settings import Settings, SettingsError
from scripts.embedded.place import PostgresError
from scripts.launcher.failures import Exit, Failure
from scripts.replaying.shop import running
from scripts.restoring.backing import back_up, must_be_embedded
from scripts.restoring.putting import OUTBOX_DAYS_MAX, days_old, restore

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Target = Annotated[
    Path | None, typer.Argument(help="A new folder (else one in SOUK_DATA_DIR).")
]
Folder = Annotated[Path, typer.Argument(help="The folder of a backup.")]


@app.command()
def backup(folder: Target = None) -> None:
    """Copy the running shop: all databases at one point, files and secrets."""

    def work() -> None:
        given = Settings.load()
        must_be_embedded(given)
        _, run = running(given)
        where = None if folder is None else folder.absolute()
        made, about = back_up(given, run, where)
        took = (about.ended_at - about.began_at).total_seconds()
        print(
            f"{made}: {len(about.databases)} databases as they were at "
            f"{about.point_at:%H:%M:%S} UTC and {about.files} files, in {took:.1f} s"
        )
        print("it holds the shop's secrets: keep it as safe as the shop itself")

    _end(work)


@app.command(name="restore")
def restore_command(folder: Folder) -> None:
    """Make a shop of a backup, in an empty SOUK_DATA_DIR."""

    def work() -> None:
        settings = Settings.load()
        about = restore(settings, folder.absolute())
        when = f"{about.point_at:%Y-%m-%d %H:%M:%S} UTC"
        print(f"{settings.data_dir} is as it was at {when}")
        if (days := days_old(about)) >= OUTBOX_DAYS_MAX:
            print(
                f"it is {days} days old: events are kept for {OUTBOX_DAYS_MAX}; those "
                "that had not been handled by then are lost"
            )
        print("start it with scripts/up")

    _end(work)


def _end(work: Callable[[], None]) -> None:
    """Do it, or exit with one line about what stopped it."""
    try:
        work()
    except SettingsError as error:
        code, line = Exit.BAD_SETTING, str(error)
    except Failure as error:
        code, line = error.code, str(error)
    except PostgresError as error:
        code, line = Exit.FAILED, str(error)
    except OSError as error:
        code, line = Exit.NO_ROOM, f"{error.filename}: {error.strerror}"
    else:
        return
    print(f"error: {line}", file=sys.stderr)
    raise typer.Exit(code)
