"""A whole shop that a test starts, looks into, disturbs and ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import asyncpg
import nats
import psutil
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from bus.kit.settings import Settings
from scripts.auditing import streaming
from scripts.auditing.place import Place, running_place
from scripts.auditing.rest import wait_for_rest
from scripts.launcher.checks import free_port
from tests.e2e.waiting import until

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 420
DOWN_SECONDS_MAX = 150
REST_SECONDS_MAX = 60.0
AUDIT_SECONDS_MAX = 180
COPY_SECONDS_MAX = 300
ROLL_SECONDS_MAX = 400
FETCH_MAX = 500
READ_SECONDS_MAX = 20.0


class LiveShop:
    """One shop in a folder of its own, on ports of its own."""

    def __init__(
        self,
        data_dir: Path,
        *,
        clone: Path = ROOT,
        variables: Mapping[str, str] | None = None,
        python: Path = Path(sys.executable),
        user: int | None = None,
    ) -> None:
        self.data_dir = data_dir
        self._clone = clone
        self._python = str(python)
        self._user = user
        self._variables = {
            "SOUK_DATA_DIR": str(data_dir),
            "SOUK_HTTP_PORT": str(free_port()),
            "SOUK_PG_PORT": str(free_port()),
            "SOUK_NATS_PORT": str(free_port()),
            "SOUK_NATS_MONITOR_PORT": str(free_port()),
            "SOUK_SHARDS": os.environ.get("SOUK_SHARDS", "1"),
            # Tests sign in more often than a person does.
            "SOUK_AUTH_RATE_PER_MINUTE": "100000",
            **(variables or {}),
        }

    @classmethod
    def running(cls, data_dir: Path) -> Self:
        """A shop that was started by somebody else."""
        shop = cls(data_dir)
        ports = shop.run["ports"]
        for name, part in (("HTTP", "http"), ("PG", "postgres"), ("NATS", "nats")):
            shop._variables[f"SOUK_{name}_PORT"] = str(ports[part])
        return shop

    # --- start and end -------------------------------------------------------

    def start(self) -> str:
        """Start it and wait until it is ready; what the command printed."""
        return self._run("up", "--detach", seconds=START_SECONDS_MAX)

    def stop(self, *options: str) -> str:
        """End it; its data stays."""
        return self._run("down", *options, seconds=DOWN_SECONDS_MAX)

    def back_up(self, folder: Path) -> str:
        """Copy it while it runs."""
        return self._run(
            *("backup", str(folder)),
            program="scripts.restoring",
            seconds=COPY_SECONDS_MAX,
        )

    def restore(self, folder: Path) -> str:
        """Make it what it was when the copy was made."""
        return self._run(
            *("restore", str(folder)),
            program="scripts.restoring",
            seconds=COPY_SECONDS_MAX,
        )

    def roll(self) -> str:
        """Renew every process of pools and gateway while it serves."""
        return self._run("roll", program="scripts.rolling", seconds=ROLL_SECONDS_MAX)

    def resize(self, domain: str, count: int) -> str:
        """Grow or shrink a pool while it serves."""
        return self._run(
            *("resize", domain, str(count)),
            program="scripts.rolling",
            seconds=ROLL_SECONDS_MAX,
        )

    def _copy(self, verb: str, folder: Path) -> str:
        return self._run(
            *(verb, str(folder)),
            program="scripts.restoring",
            seconds=COPY_SECONDS_MAX,
        )

    def replay(self, *words: str) -> str:
        """Deliver events again, or make the stream again."""
        return self._run(
            *("replay", *words), program="scripts.replaying", seconds=COPY_SECONDS_MAX
        )

    def audit(self, answered: Mapping[str, str]) -> str:
        """Compare all books, and look for each order that was answered."""
        path = self.data_dir.parent / "answered.txt"
        path.write_text("".join(f"{key} {said}\n" for key, said in answered.items()))
        options = ("--settle-seconds", str(REST_SECONDS_MAX), "--answered", str(path))
        return self._run(
            *options, program="scripts.auditing", seconds=AUDIT_SECONDS_MAX
        )

    def _run(
        self, *command: str, seconds: float, program: str = "scripts.launcher"
    ) -> str:
        done = subprocess.run(
            [self._python, "-m", program, *command],
            cwd=self._clone,
            env={**os.environ, **self._variables},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )
        said = f"{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, f"{command} ended with {done.returncode}: {said}"
        return said

    # --- what it wrote down --------------------------------------------------

    @property
    def run(self) -> dict[str, Any]:
        """What the launcher wrote of this start."""
        return self._read("run.json")

    @property
    def url(self) -> str:
        """Where it answers HTTP."""
        return str(self.run["urls"]["local"])

    @property
    def mark(self) -> str:
        """What every process of this start carries in its environment."""
        return str(self.run["mark"])

    @property
    def credentials(self) -> dict[str, Any]:
        """The accounts that the launcher made."""
        return self._read("credentials.json")

    def _read(self, name: str) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.data_dir / name).read_text())
        return value

    # --- looking into it -----------------------------------------------------

    async def rows(
        self, database: str, sql: str, *values: object
    ) -> list[dict[str, Any]]:
        """What a statement answers in the database of a domain, or of the bank."""
        word = quote(self._read("secrets.json")["databases"][database], safe="")
        port = self.run["ports"]["postgres"]
        url = f"postgresql://{database}:{word}@127.0.0.1:{port}/{database}"
        connection = await asyncpg.connect(url, timeout=READ_SECONDS_MAX)
        try:
            found = await connection.fetch(sql, *values, timeout=READ_SECONDS_MAX)
            return [dict(row) for row in found]
        finally:
            await connection.close()

    async def bank_ledger(self) -> list[dict[str, Any]]:
        """Every charge and refund in the bank's own books."""
        url = f"http://127.0.0.1:{self.run['ports']['bank']}/v1/ledger"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            assert answer.status == 200
            return [json.loads(line) async for line in answer.content]

    async def set_bank(self, **faults: object) -> None:
        """Make the bank slow, silent or wrong; nothing makes it well again."""
        url = f"http://127.0.0.1:{self.run['ports']['bank']}/dev/faults"
        session = aiohttp.ClientSession()
        async with session, session.put(url, json=faults) as answer:
            assert answer.status == 200, await answer.text()

    @asynccontextmanager
    async def nats(self, user: str) -> AsyncIterator[Any]:
        """A connection to NATS as `events` or `services`."""

        async def note(_: Exception) -> None:
            """A refused subject is looked for by the test itself."""

        url = self.credentials[f"nats {user}"]
        client = await nats.connect(url, error_cb=note, connect_timeout=10)
        try:
            yield client
        finally:
            await client.close()

    async def events(self, *subjects: object) -> list[dict[str, Any]]:
        """The stream's events, read as its readers do: all, or of these entities."""
        wanted = {str(each) for each in subjects}
        async with self.nats("events") as client:
            found = await _read_stream(client.jetstream())
        return [one for one in found if not wanted or one["subject"] in wanted]

    async def rest(self) -> None:
        """Wait until nothing is under way: told, delivered, mailed and settled."""
        place = self._place()
        connection = await streaming.connect(place.nats_url)
        try:
            rest = await wait_for_rest(place.urls, connection, REST_SECONDS_MAX)
        finally:
            await connection.close()
        assert rest.reached, rest.words()

    def _place(self) -> Place:
        return running_place(Settings.load(self._variables))

    # --- its processes -------------------------------------------------------

    async def pid(self, actor: str) -> int:
        """The process of a pool actor (`orders/0`) or of a bridge (`bridge/0`)."""

        async def look() -> int | None:
            ports = await (
                self._bridge_ports(actor)
                if actor.startswith("bridge/")
                else self._shard_ports(actor)
            )
            return _process_at(ports)

        return int(await until(look, f"the process of {actor}", seconds=60))

    async def kill(self, actor: str) -> int:
        """End an actor's process with SIGKILL; its pid."""
        pid = await self.pid(actor)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def _shard_ports(self, actor: str) -> list[int]:
        rows = await self.rows(
            actor.partition("/")[0],
            "SELECT client_port FROM pg_stat_activity WHERE application_name LIKE $1",
            f"souk:{actor}:%",
        )
        return [row["client_port"] for row in rows]

    async def _bridge_ports(self, actor: str) -> list[int]:
        url = f"http://127.0.0.1:{self.run['ports']['nats_monitor']}/connz"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            clients = (await answer.json(content_type=None))["connections"]
        return [one["port"] for one in clients if one.get("name") == actor]


async def _read_stream(js: Any) -> list[dict[str, Any]]:
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, mem_storage=True
    )
    pull = await js.pull_subscribe("events.>", stream="EVENTS", config=config)
    found: list[dict[str, Any]] = []
    left = (await pull.consumer_info()).num_pending
    while left > len(found):
        messages = await pull.fetch(FETCH_MAX, timeout=READ_SECONDS_MAX)
        found += [{**json.loads(m.data), "nats_subject": m.subject} for m in messages]
    await pull.unsubscribe()
    return found


def _process_at(ports: Sequence[int]) -> int | None:
    """Who holds the client's end of one of these connections."""
    for connection in psutil.net_connections("tcp"):
        port = getattr(connection.laddr, "port", None)
        if connection.raddr and connection.pid and port in ports:
            return int(connection.pid)
    return None
