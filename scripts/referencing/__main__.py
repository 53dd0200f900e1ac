"""`scripts/reference`: write the pages, or with --check say which are stale."""

import sys


def main(arguments: list[str]) -> int:
    """Write or check; the exit code is 1 when a page is stale, or a schema broken."""
    if arguments not in ([], ["--check"]):
        print("usage: scripts/reference [--check]", file=sys.stderr)
        return 2
    from scripts.referencing.pages import ROOT, stale, write  # noqa: PLC0415 - slow
    from scripts.referencing.schemas import (  # noqa: PLC0415 - the same
        FOLDER,
        broken,
        publish,
        told_kinds,
        unpublished,
    )

    kinds = told_kinds()
    if lines := broken(ROOT, kinds):
        print("\n".join(f"broken: {line}" for line in lines), file=sys.stderr)
        return 1
    names = stale()
    if arguments:
        names += [f"{FOLDER}/{name}.json" for name in unpublished(ROOT, kinds)]
    else:
        write()
        names += [f"{FOLDER}/{name}.json" for name in publish(ROOT, kinds)]
    for name in names:
        print(f"{'stale' if arguments else 'written'}: {name}")
    return 1 if arguments and names else 0


sys.exit(main(sys.argv[1:]))
