"""Ray for one shop: a local cluster of its own, or one outside."""

import logging
import shutil
import socket
from pathlib import Path
from typing import Any

from bus.kit.settings import Settings
from scripts.launcher.failures import Failure

NAMESPACE = "souk"
START_TRIES_MAX = 2
CONNECT_SECONDS_MAX = 5.0
LOG_BYTES_MAX = 5 << 20
OBJECT_STORE_BYTES = 80 << 20  # envelopes are small; Ray's own least is 75 MiB


def start(settings: Settings, temp_dir: Path) -> None:
    """Start Ray, or join the cluster of `SOUK_RAY_ADDRESS`.

    The environment must be complete before: Ray reads it when it is imported.
    """
    import ray  # noqa: PLC0415

    options: dict[str, Any] = {
        "namespace": NAMESPACE,
        "log_to_driver": False,
        "logging_level": logging.WARNING,
    }
    if settings.ray_address:
        _must_answer(settings.ray_address)
        options |= {
            "address": settings.ray_address,
            "runtime_env": {"env_vars": settings.export()},
        }
    else:
        options |= {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
            "_temp_dir": str(temp_dir / "ray"),
        }
    for left in reversed(range(START_TRIES_MAX)):
        try:
            ray.init(**options)
        except Exception as error:
            ray.shutdown()
            # Ray gives a node 30 s, which a machine that is busy may not have.
            if "timed out" in str(error) and left:
                continue
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise Failure(f"Ray did not start: {reason[0]}") from error
        return


def _must_answer(address: str) -> None:
    """Raise where nobody listens: Ray itself would wait for minutes."""
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdigit():
        return  # `auto`, or another word that Ray knows
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS_MAX):
            return
    except (OSError, OverflowError) as error:
        raise Failure(
            f"SOUK_RAY_ADDRESS: nothing answers at {address} ({error})"
        ) from error


def stop(temp_dir: Path, kept_logs: Path) -> None:
    """End the local cluster, or leave the one outside; its logs stay readable."""
    import ray  # noqa: PLC0415

    ray.shutdown()
    written = temp_dir / "ray" / "session_latest" / "logs"
    if written.is_dir():
        shutil.rmtree(kept_logs, ignore_errors=True)
        shutil.copytree(written, kept_logs, ignore=_too_big, dirs_exist_ok=True)


def _too_big(folder: str, names: list[str]) -> list[str]:
    """What is not worth keeping: sockets, links, and logs past the bound."""
    paths = [Path(folder, name) for name in names]
    return [
        path.name
        for path in paths
        if path.is_symlink()
        or not (path.is_dir() or path.is_file())
        or (path.is_file() and path.stat().st_size > LOG_BYTES_MAX)
    ]
