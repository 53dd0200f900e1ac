"""`scripts/roll` and `scripts/resize`."""

from scripts.rolling.commands import app

app(prog_name="scripts")
