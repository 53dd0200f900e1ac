"""`python -m scripts.auditing`."""

from scripts.auditing.commands import main

main()
