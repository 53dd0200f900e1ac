"""`scripts/dead`: list what is parked, or deliver it again."""

from scripts.replaying.commands import app

app(prog_name="scripts/dead")
