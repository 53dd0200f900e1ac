"""The world outside a shop that is broken: its servers, each behind a proxy."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from actors import DOMAINS
from bus.kit.settings import Settings
from scripts.auditing.place import Place, running_place
from scripts.breaking.proxy import HOST, Proxy
from scripts.embedded.postgres import Postgres
from scripts.launcher import servers
from scripts.launcher.checks import check_room, free_port
from scripts.launcher.environment import BANK, ROOT
from scripts.launcher.failures import Failure
from scripts.launcher.keys import ensure_secrets
from scripts.launcher.tending import Server, Tending

START_SECONDS_MAX = 300.0
MAILS_MAX = 1_000_000
PROVIDER_TIMEOUT_SECONDS = 2.0
"""How long the shop waits for the bank: shorter than a process may take."""
_MESSAGE_ID = re.compile(rb"^Message-ID: *<([^>\r\n]+)>", re.IGNORECASE | re.MULTILINE)


class Mails:
    """A mail server that counts what it has taken, by `Message-ID`."""

    def __init__(self) -> None:
        self.taken: Counter[str] = Counter()

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail; from then on it is delivered, whatever the sender hears."""
        if len(self.taken) >= MAILS_MAX:
            return "452 No room"
        content = envelope.content
        assert isinstance(content, bytes), "it is not decoded"  # noqa: S101
        found = _MESSAGE_ID.search(content)
        self.taken[found[1].decode(errors="replace") if found else ""] += 1
        return "250 OK"

    def session(self) -> SMTP:
        """A connection."""
        loop = asyncio.get_running_loop()
        return SMTP(self, hostname="localhost", loop=loop)


class World(msgspec.Struct, frozen=True, kw_only=True):
    """A shop of the breaker's own, and all that it works with.

    `urls` go past the proxies: who checks is not broken. `ports` are those of the
    servers themselves.
    """

    settings: Settings
    environ: dict[str, str]
    urls: dict[str, str]
    nats_url: str
    ports: dict[str, int]
    servers: dict[str, Server]
    proxies: dict[str, Proxy]
    mails: Mails
    tending: Tending

    @property
    def data_dir(self) -> Path:
        """Where it keeps everything."""
        return self.settings.data_dir

    def place(self) -> Place:
        """The shop that runs, past the proxies."""
        found = running_place(self.settings)
        return msgspec.structs.replace(found, urls=self.urls, nats_url=self.nats_url)

    def up(self) -> None:
        """Start the shop; returns when it is ready."""
        _run(self.environ, "up", "--detach")

    def down(self) -> None:
        """End the shop."""
        _run(self.environ, "down")


@asynccontextmanager
async def own_world(*, shards: int, disk_bytes: int = 0) -> AsyncIterator[World]:
    """A shop that runs with servers of its own, ended and deleted afterwards.

    With `disk_bytes` its folder is a file system of that size, where the system lets us
    mount one; see `mounted`.
    """
    home = _new_folder()
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if disk_bytes:
            mount(home, disk_bytes)
            stack.callback(unmount, home)
        world = await _built(stack, home / "data", shards)
        try:
            await asyncio.to_thread(world.up)
            yield world
        finally:
            await asyncio.to_thread(world.down)


def _new_folder() -> Path:
    """A folder that Postgres' own user can reach."""
    home = Path(tempfile.mkdtemp(prefix="souk-chaos-"))
    home.chmod(0o711)
    return home


async def _built(stack: AsyncExitStack, data_dir: Path, shards: int) -> World:
    ports = {name: free_port() for name in ("postgres", "nats", "monitor", "bank")}
    http = free_port()
    base = {
        **os.environ,
        "SOUK_DATA_DIR": str(data_dir),
        "SOUK_HTTP_PORT": str(http),
        "SOUK_PUBLIC_URL": f"http://{HOST}:{http}",
        "SOUK_PG_PORT": str(free_port()),  # of nobody: Postgres is outside
        "SOUK_SHARDS": str(shards),
        "SOUK_RATE_LIMITS": "off",
        "SOUK_DEMO": "0",
        "SOUK_ADMIN_EMAIL": "breaker@souk.example",
        "SOUK_ACCESS_TOKEN_MINUTES": "600",
        "SOUK_PROVIDER_TIMEOUT_SECONDS": str(PROVIDER_TIMEOUT_SECONDS),
    }
    settings = Settings.load(base)
    check_room(data_dir)
    names = [*DOMAINS, BANK]
    words = ensure_secrets(data_dir, names, servers.callers(settings))
    own = settings.changed(
        pg_port=ports["postgres"],
        nats_port=ports["nats"],
        nats_monitor_port=ports["monitor"],
        bank_url=f"http://{HOST}:{ports['bank']}",
        bank_webhook_secret=words["bank_webhook_secret"],
    )
    postgres, nats = servers.postgres(own), servers.nats(own, words)
    urls = {name: postgres.url(name, words["databases"][name]) for name in names}
    bank = servers.Bank(own.changed(database_urls=urls))
    started: dict[str, Server] = {"postgres": postgres, "nats": nats, "bank": bank}
    tending = await _started(stack, started, words["databases"])
    mails = Mails()
    proxies = await _proxied(stack, ports, mails)
    environ = base | _addresses(urls, nats.url(), proxies)
    return World(
        settings=Settings.load(environ),
        environ=environ,
        urls=urls,
        nats_url=nats.url(),
        ports=ports,
        servers=started,
        proxies=proxies,
        mails=mails,
        tending=tending,
    )


async def _started(
    stack: AsyncExitStack, started: dict[str, Server], words: dict[str, str]
) -> Tending:
    """Start the servers in this order, and look after them from then on."""
    threads = ThreadPoolExecutor(4, thread_name_prefix="souk-chaos")
    stack.callback(threads.shutdown)
    loop = asyncio.get_running_loop()

    async def in_thread(work: Callable[..., Any], *values: Any) -> Any:
        return await loop.run_in_executor(threads, work, *values)

    tending = Tending(in_thread, again=lambda *_: None, say=lambda _: None)
    for name, server in started.items():
        stack.push_async_callback(in_thread, server.stop)
        await in_thread(server.prepare)
        await in_thread(server.launch)
        await in_thread(server.wait)
        if isinstance(server, Postgres):
            await server.ensure_all(words)
        tending.tend(name, server)
    stack.push_async_callback(tending.stop)
    return tending


async def _proxied(
    stack: AsyncExitStack, ports: dict[str, int], mails: Mails
) -> dict[str, Proxy]:
    """A proxy before each server, and one before each domain's database."""
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(mails.session, HOST, 0)
    stack.callback(listening.close)
    behind = {f"postgres/{name}": ports["postgres"] for name in DOMAINS}
    behind |= {
        "nats": ports["nats"],
        "smtp": int(listening.sockets[0].getsockname()[1]),
        "provider": ports["bank"],
    }
    return {
        name: await stack.enter_async_context(Proxy(port))
        for name, port in behind.items()
    }


def _addresses(
    urls: dict[str, str], nats_url: str, proxies: dict[str, Proxy]
) -> dict[str, str]:
    """Where the shop finds each server: at its proxy."""
    databases = {
        f"SOUK_{name.upper()}_DATABASE_URL": moved(
            urls[name], proxies[f"postgres/{name}"].port
        )
        for name in DOMAINS
    }
    return {
        **databases,
        "SOUK_NATS_URL": moved(nats_url, proxies["nats"].port),
        "SOUK_BANK_URL": f"http://{HOST}:{proxies['provider'].port}",
        "SOUK_SMTP_URL": f"smtp://{HOST}:{proxies['smtp'].port}",
    }


def moved(url: str, port: int) -> str:
    """The same address at another port."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition(":")[0]
    return parts._replace(netloc=f"{place}:{port}").geturl()


def mount(folder: Path, size_bytes: int) -> None:
    """Make the folder a file system of this size; raises `Failure` where we may not."""
    words = ("mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=711", "tmpfs")
    try:
        _system(*words, str(folder))
    except OSError as error:
        raise Failure(f"disk: no file system can be mounted here ({error})") from error


def unmount(folder: Path) -> None:
    """Take the file system away again."""
    _system("umount", "--lazy", str(folder))


def _system(*words: str) -> None:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=30, check=False
    )
    if done.returncode:
        raise OSError(done.stderr.strip() or f"{words[0]} ended with {done.returncode}")


def _run(environ: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.launcher", *words],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        timeout=START_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise Failure(f"`{' '.join(words)}` ended with {done.returncode}")
