"""`python -m scripts.benching`."""

from scripts.benching.commands import main

main()
