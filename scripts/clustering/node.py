"""One node: the variables that Ray's processes inherit, and its start."""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from bus.kit.settings import Settings
from scripts.launcher.environment import RAY_AT_REST, ROOT
from scripts.launcher.failures import Failure
from scripts.launcher.keys import RAY_TOKEN, write_private
from scripts.launcher.scheduling import run_in_batches
from serve_app.kit.serving import environment

USAGE = "usage: scripts/cluster head|worker [options of ray start]"


def start(settings: Settings, arguments: list[str]) -> NoReturn:
    """Become `ray start`; raises Failure when that cannot be."""
    if not arguments or arguments[0] not in ("head", "worker"):
        raise Failure(USAGE)
    part, *options = arguments
    token = settings.data_dir / RAY_TOKEN
    if not token.exists():
        if part == "worker":
            raise Failure(f"{token} is not there: copy the head's")
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        write_private(token, secrets.token_hex(32))
    ray = Path(sys.executable).with_name("ray")
    run_in_batches()
    head = ["--head"] if part == "head" else []
    os.execve(  # noqa: S606 - it takes our place
        ray, [str(ray), "start", *head, *options], variables(settings, token)
    )


def variables(settings: Settings, token: Path) -> Mapping[str, str]:
    """What every process of Ray on this node must know before it starts."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        **environment(settings),
        **RAY_AT_REST,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
