"""The running shop of this data folder, as the commands reach it."""

import json
import logging
import os
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from actors import DOMAINS
from bus.kit.settings import Settings
from scripts.launcher.environment import completed
from scripts.launcher.failures import Failure
from scripts.launcher.keys import RAY_TOKEN, SECRETS
from scripts.launcher.record import MARK, Run

GCS = "--gcs-address="


def running(settings: Settings) -> tuple[Settings, Run]:
    """The whole settings of the shop that runs; raises Failure when none does."""
    run = Run.read(settings.data_dir)
    if run is None or not run.keeper.alive() or not run.ready:
        raise Failure(f"the shop in {settings.data_dir} is not running")
    secrets: dict[str, Any] = json.loads((settings.data_dir / SECRETS).read_text())
    return completed(settings, secrets, run.ports), run


def bridge_of(domain: str, bridges: int) -> str:
    """The bridge that pulls a domain's events, as BridgeActor deals them out."""
    if domain not in DOMAINS:
        raise Failure(f"no such domain: {domain} (there are {', '.join(DOMAINS)})")
    return f"bridge/{sorted(DOMAINS).index(domain) % bridges}"


async def call(settings: Settings, run: Run, actor: str, *arguments: Any) -> Any:
    """Call a method of one of the shop's actors: its name, then its arguments."""
    with joined(settings, run):
        from actors.kit.reach import RayTransport  # noqa: PLC0415

        answer: Awaitable[Any] = RayTransport().call(actor, *arguments)
        return await answer


@contextmanager
def joined(settings: Settings, run: Run) -> Iterator[None]:
    """Be a part of the shop's Ray; whatever brings Ray is imported within."""
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(settings.data_dir / RAY_TOKEN)
    import ray  # noqa: PLC0415 - it reads the environment when it is imported

    from actors.kit.reach import NAMESPACE  # noqa: PLC0415

    address = settings.ray_address or _address(run)
    ray.init(
        address,
        namespace=NAMESPACE,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    try:
        yield
    finally:
        ray.shutdown()


def _address(run: Run) -> str:
    """Where Ray of this run listens: its processes are told when they are started."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) != run.mark:
                continue
            words = " ".join(process.cmdline()).split()
        except (psutil.Error, OSError):  # another user's, or gone meanwhile
            continue
        for word in words:
            if word.startswith(GCS):
                return word.removeprefix(GCS)
    raise Failure("Ray of this shop was not found")
