"""`scripts/reference`: write the pages, or with --check say which are stale."""

import sys

from scripts.referencing.pages import stale, write


def main(arguments: list[str]) -> int:
    """Write or check; the exit code is 1 when a page is stale."""
    if arguments not in ([], ["--check"]):
        print("usage: scripts/reference [--check]", file=sys.stderr)
        return 2
    names = stale()
    if not arguments:
        write()
    for name in names:
        print(f"{'stale' if arguments else 'written'}: {name}")
    return 1 if arguments and names else 0


sys.exit(main(sys.argv[1:]))
