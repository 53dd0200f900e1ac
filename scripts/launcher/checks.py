"""What must hold before anything is started."""

import os
import random
import shutil
import socket
import tempfile
from pathlib import Path

from bus.kit.settings import Settings
from scripts.launcher.failures import Exit, Failure
from scripts.launcher.record import RESTORING

DISK_FREE_BYTES_MIN = 1 << 30
BLOCK_TRIES_MAX = 50
_BLOCKS = range(20_000, 32_000)  # below the ports that the system gives away itself


def check(settings: Settings) -> None:
    """Raise `Failure` when a port is taken or the data folder is not fit for it."""
    check_room(settings.data_dir)
    if (settings.data_dir / RESTORING).exists():
        raise Failure(
            f"a restore into {settings.data_dir} did not end: repeat scripts/restore"
        )
    for host, port, name in wanted_ports(settings):
        if not is_free(port, host):
            raise Failure(
                f"port {port} is already taken: free it or set {name} to another",
                Exit.PORT_TAKEN,
            )


def wanted_ports(settings: Settings) -> list[tuple[str, int, str]]:
    """The fixed ports of this shop: host, port and the setting that changes it."""
    ports = [(settings.http_host, settings.http_port, "SOUK_HTTP_PORT")]
    if not settings.nats_url:
        ports.append(("127.0.0.1", settings.nats_port, "SOUK_NATS_PORT"))
    ports.append(("127.0.0.1", settings.pg_port, "SOUK_PG_PORT"))
    return ports


def check_room(data_dir: Path) -> None:
    """Raise `Failure` when the data folder cannot be written or the disk is full."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
        free = shutil.disk_usage(data_dir).free
    except OSError as error:
        raise Failure(
            f"cannot write to {data_dir}: {os.strerror(error.errno or 0)}", Exit.NO_ROOM
        ) from error
    if free < DISK_FREE_BYTES_MIN:
        raise Failure(
            f"{data_dir} has {free >> 20} MiB free, at least "
            f"{DISK_FREE_BYTES_MIN >> 20} MiB are needed",
            Exit.NO_ROOM,
        )


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server can listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_block(size: int) -> int:
    """The first of `size` neighbouring ports that nobody has now."""
    for _ in range(BLOCK_TRIES_MAX):
        first = random.choice(_BLOCKS)  # noqa: S311 - two shops should not meet
        if all(is_free(first + offset) for offset in range(size)):
            return first
    raise Failure("no free ports between 20000 and 32000", Exit.PORT_TAKEN)
