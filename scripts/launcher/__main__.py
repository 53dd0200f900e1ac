"""`python -m scripts.launcher`: what the commands in `scripts/` run."""

from scripts.launcher.commands import main

main()
