"""`scripts/dead` and `scripts/replay`."""

import typer

from scripts.replaying import commands, positions

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False
)
app.add_typer(commands.app, name="dead")
app.add_typer(positions.app, name="replay")
app(prog_name="scripts")
