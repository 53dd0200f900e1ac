"""`scripts/backup` and `scripts/restore`."""

from scripts.restoring.commands import app

app(prog_name="scripts")
