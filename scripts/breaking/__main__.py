"""`python -m scripts.breaking`."""

from scripts.breaking.commands import main

main()
