"""Finding the processes of a shop: an actor's, a replica's, a server's."""

import asyncio
from collections.abc import Iterable

import aiohttp
import asyncpg
import psutil

from actors import DOMAINS
from scripts.auditing.place import Place
from scripts.breaking.proxy import Proxy
from scripts.breaking.world import World
from scripts.embedded.process import Identity
from scripts.launcher.record import Run

LOOK_SECONDS_MAX = 2.0
TITLES = {"gateway": "ServeReplica", "standby": "StandbyActor"}
"""Parts that are known by their process' title, and hold no session of their own."""
_SESSIONS = """SELECT client_port FROM pg_stat_activity
  WHERE application_name LIKE 'souk:' || $1 || ':%' AND client_port > 0"""


class Finder:
    """Looks where a target's process is now, by the connections that it holds."""

    def __init__(self, place: Place, world: World | None) -> None:
        self._place, self._world = place, world
        run = place.run
        self._ports = dict(run.ports) if world is None else dict(world.ports)
        self._monitor = self._ports["nats_monitor" if world is None else "monitor"]

    async def find(self, target: str) -> Identity | None:
        """The process; None where there is none just now, or it cannot be asked for."""
        part, _, number = target.partition("/")
        try:
            async with asyncio.timeout(LOOK_SECONDS_MAX):
                if part in TITLES:
                    return await asyncio.to_thread(self._titled, part, int(number))
                if part in DOMAINS:
                    ports = await self._shard_ports(part, target)
                    found = await asyncio.to_thread(_at, ports)
                    # A standby that holds it just now is a target of its own.
                    return None if found and _is(found.pid, "standby") else found
                if part == "bridge":
                    ports = await self._bridge_ports(target)
                    return await asyncio.to_thread(_at, ports)
                return await asyncio.to_thread(_listening, self._ports[part])
        except (TimeoutError, OSError, asyncpg.PostgresError, aiohttp.ClientError):
            return None

    async def _shard_ports(self, domain: str, target: str) -> list[int]:
        url = self._place.urls[domain]
        connection = await asyncpg.connect(url, timeout=LOOK_SECONDS_MAX)
        try:
            rows = await connection.fetch(_SESSIONS, target)
        finally:
            await connection.close(timeout=LOOK_SECONDS_MAX)
        return self._near(f"postgres/{domain}", (row["client_port"] for row in rows))

    async def _bridge_ports(self, target: str) -> list[int]:
        url = f"http://127.0.0.1:{self._monitor}/connz?limit=1024"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            clients = (await answer.json(content_type=None))["connections"]
        own = (one["port"] for one in clients if one.get("name") == target)
        return self._near("nats", own)

    def _near(self, through: str, ports: Iterable[int]) -> list[int]:
        """The clients' own ports, where a server sees those of the proxy."""
        if self._world is None:
            return list(ports)
        proxy: Proxy = self._world.proxies[through]
        return [near for port in ports if (near := proxy.near_port(port))]

    def _titled(self, part: str, number: int) -> Identity | None:
        """A gateway replica, or a standby, by its age."""
        run = Run.read(self._place.settings.data_dir)
        if run is None:
            return None
        try:
            children = psutil.Process(run.keeper.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        pids = [child.pid for child in children if _is(child.pid, part)]
        found = [one for pid in pids if (one := Identity.of(pid))]
        found.sort(key=lambda each: each.started)
        return found[number % len(found)] if found else None


def _is(pid: int, part: str) -> bool:
    """Whether Ray has given a process the title of such a part."""
    try:
        return TITLES[part] in " ".join(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _at(ports: list[int]) -> Identity | None:
    """Who holds the client's end of one of these connections."""
    for connection in psutil.net_connections("tcp"):
        port = getattr(connection.laddr, "port", None)
        if connection.raddr and connection.pid and port in ports:
            return Identity.of(connection.pid)
    return None


def _listening(port: int) -> Identity | None:
    """Who listens there; of a server with many processes the first."""
    pids = [
        connection.pid
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and getattr(connection.laddr, "port", None) == port
        and connection.pid
    ]
    found = [one for pid in pids if (one := Identity.of(pid))]
    return min(found, key=lambda each: each.started) if found else None
