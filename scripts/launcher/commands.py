"""The commands: `up`, `down`, `status`, `test`."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from bus.kit.settings import Settings, SettingsError
from scripts.launcher import ending, keeper, proofs, status, trial
from scripts.launcher.failures import Exit, Failure

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)

Detach = Annotated[bool, typer.Option(help="Return when the shop is ready.")]
Purge = Annotated[bool, typer.Option(help="Delete all data of the shop as well.")]
Full = Annotated[bool, typer.Option(help="Run the long proofs, part by part.")]
Part = Annotated[list[str] | None, typer.Option(help="Only this part (repeatable).")]
Fresh = Annotated[bool, typer.Option(help="Run also parts that have passed.")]


@app.command()
def up(detach: Detach = False) -> None:
    """Start the shop; Ctrl-C ends it."""
    start = keeper.detach if detach else keeper.keep
    _end(lambda: start(Settings.load()))


@app.command()
def down(purge: Purge = False) -> None:
    """End the shop; its data stays unless --purge."""

    def work() -> int:
        data_dir = Settings.load().data_dir
        print("ended" if ending.end(data_dir) else "nothing was running")
        if purge:
            ending.purge(data_dir)
            print("all data deleted")
        return 0

    _end(work)


@app.command(name="status")
def show_status() -> None:
    """Show what runs; the exit code is 1 when the shop is not ready."""
    _end(lambda: status.show_status(Settings.load()))


@app.command()
def test(full: Full = False, part: Part = None, fresh: Fresh = False) -> None:
    """Run the fast tier, or with --full the long proofs."""
    if full or part:
        _end(lambda: trial.prove(proofs.PARTS, only=part or [], fresh=fresh))
    _end(trial.fast)


def main() -> None:
    """Run the command that was asked for."""
    app(prog_name="scripts")


def _end(work: Callable[[], int]) -> None:
    """Exit with the code of the work, or with one line about what stopped it."""
    try:
        code = work()
    except SettingsError as error:
        code = _say(str(error), Exit.BAD_SETTING)
    except Failure as error:
        code = _say(str(error), error.code)
    except KeyboardInterrupt:
        code = 130
    raise typer.Exit(code)


def _say(line: str, code: Exit) -> int:
    print(f"error: {line}", file=sys.stderr)
    return code
