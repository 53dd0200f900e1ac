"""`scripts/cluster`: start Ray on this node, as `cluster.yaml` does."""

import sys

from bus.kit.settings import Settings, SettingsError
from scripts.clustering.node import start
from scripts.launcher.failures import Exit, Failure


def main(arguments: list[str]) -> int:
    """Start the head or a worker; returns only with the code of what went wrong."""
    try:
        start(Settings.load(), arguments)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return Exit.BAD_SETTING
    except Failure as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code


sys.exit(main(sys.argv[1:]))
