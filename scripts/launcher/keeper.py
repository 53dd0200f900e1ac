"""The process that starts a shop, holds it, and ends it: `up`."""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TextIO

from actors import DOMAINS
from bus.kit.settings import Settings, SettingsError
from scripts.embedded.nats import NatsError
from scripts.embedded.place import PostgresError
from scripts.embedded.process import Identity
from scripts.launcher import servers
from scripts.launcher.checks import check, check_room
from scripts.launcher.environment import (
    ROOT,
    chosen_ports,
    completed,
    embedded_databases,
    install,
    ray_environment,
)
from scripts.launcher.failures import Exit, Failure
from scripts.launcher.keys import ensure_secrets
from scripts.launcher.progress import Progress, own_console
from scripts.launcher.record import RUN, Run, descendants, sole_keeper
from scripts.launcher.scheduling import run_in_batches
from scripts.launcher.shop import Shop
from scripts.launcher.welcome import welcome

ERROR = "error: "
EXIT_SECONDS_MAX = 60.0


def keep(settings: Settings) -> int:
    """Start the shop, hold it until SIGINT or SIGTERM, end it; the exit code."""
    check_room(settings.data_dir)
    log = settings.data_dir / "logs" / "keeper.log"
    with sole_keeper(settings.data_dir):
        show = Progress(own_console(log))
        try:
            _clean(settings.data_dir, show)
            check(settings)
            return _run(settings, show)
        except BaseException as error:  # noqa: BLE001 - becomes one line and a code
            failure = failure_of(error, log)
            traceback.print_exception(error)
            show.line(f"{ERROR}{failure}")
            return failure.code


def detach(settings: Settings) -> int:
    """Start a keeper in a session of its own; return when it is ready or has failed."""
    colour = {"FORCE_COLOR": "1"} if sys.stdout.isatty() else {}
    keeper = subprocess.Popen(
        [sys.executable, "-m", "scripts.launcher", "up"],
        cwd=ROOT,
        env={**os.environ, **settings.export(), **colour},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert keeper.stdout is not None, "it was asked for"  # noqa: S101
    try:
        for line in keeper.stdout:  # it closes its end when it is ready
            print(line, end="", flush=True, file=_stream(line))
        run = Run.read(settings.data_dir)
        if run is not None and run.ready and run.keeper.pid == keeper.pid:
            return 0
        return keeper.wait(EXIT_SECONDS_MAX) or Exit.FAILED
    except KeyboardInterrupt:
        keeper.terminate()
        keeper.wait(EXIT_SECONDS_MAX)
        return 130


def failure_of(error: BaseException, log: Path) -> Failure:
    """The one line about what went wrong, and the exit code."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, Failure):
        return error
    if isinstance(error, SettingsError):
        return Failure(str(error), Exit.BAD_SETTING)
    if isinstance(error, (PostgresError, NatsError)):
        return Failure(str(error))
    lines = str(error).strip().splitlines() or [""]
    # Ray's errors carry the traceback of another process, its reason last.
    said = lines[-1 if type(error).__name__.startswith("RayTaskError") else 0]
    return Failure(f"{type(error).__name__}: {said} (more in {log})")


def _run(settings: Settings, show: Progress) -> int:
    callers = servers.callers(settings)
    keys = ensure_secrets(settings.data_dir, embedded_databases(settings), callers)
    ports = chosen_ports(settings)
    full = completed(settings, keys, ports)
    temp_dir = Path(tempfile.mkdtemp(prefix="souk-"))
    (temp_dir / "edge").mkdir(mode=0o700)
    keeper = Identity.of(os.getpid())
    assert keeper is not None, "we run"  # noqa: S101
    run = Run(
        secrets.token_hex(16),
        keeper,
        temp_dir=str(temp_dir),
        ports=ports,
        shards={domain: full.shards(domain) for domain in DOMAINS},
    )
    run.write(full.data_dir)
    install(full, ray_environment(full, ports, temp_dir), run.mark)
    run_in_batches()
    shop = Shop(full, keys, run, show)
    try:
        return asyncio.run(_hold(shop, settings, run, show))
    finally:
        run.end_leftovers()
        shutil.rmtree(temp_dir, ignore_errors=True)
        (full.data_dir / RUN).unlink(missing_ok=True)


async def _hold(shop: Shop, given: Settings, run: Run, show: Progress) -> int:
    """Start, wait for the signal to end, end."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    ending = asyncio.create_task(told.wait())
    starting = asyncio.create_task(shop.start(given))
    try:
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if told.is_set():
            starting.cancel()
            await asyncio.wait({starting})
            return 130
        await starting
        run.ready, run.descendants = True, descendants()
        run.urls = {"shop": shop.settings.public_url, "local": shop.local_url()}
        run.write(shop.settings.data_dir)
        welcome(shop, show)
        _leave_the_parent(show)
        await told.wait()
        return 0
    finally:
        # Ray, too, hears SIGTERM, and has the alarm end us three seconds later.
        signal.alarm(0)
        show.line("ending …")
        await shop.stop()


def _leave_the_parent(show: Progress) -> None:
    """With no terminal to talk to, close the pipe: our starter takes it as ready."""
    if os.getsid(0) == os.getpid() and not show.on_terminal():
        show.close()


def _clean(data_dir: Path, show: Progress) -> None:
    """End what a killed keeper left here."""
    previous = Run.read(data_dir)
    if previous is None:
        return
    if count := previous.end_leftovers():
        show.line(f"ended {count} processes that an earlier start had left")
    if Path(previous.temp_dir).name.startswith("souk-"):
        shutil.rmtree(previous.temp_dir, ignore_errors=True)
    (data_dir / RUN).unlink(missing_ok=True)


def _stream(line: str) -> TextIO:
    return sys.stderr if line.startswith(ERROR) else sys.stdout
