"""One shop from start to end: every part in its order, whatever happens between."""

import asyncio
import inspect
import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from actors import DOMAINS
from bus.kit import logs, streams
from bus.kit.settings import Settings
from scripts.launcher import cluster, servers
from scripts.launcher.administrator import first_administrator
from scripts.launcher.environment import embedded_databases, has_bank
from scripts.launcher.failures import Failure
from scripts.launcher.keys import write_credentials
from scripts.launcher.progress import Progress
from scripts.launcher.record import RESTORED, Run
from scripts.launcher.tending import Server, Tending

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
SETTLE_SECONDS_MAX = 100.0  # the longest of all starts
_POLL_SECONDS = 0.1


class Shop:
    """Starts the parts, remembers how each is ended, ends them in reverse."""

    def __init__(
        self, settings: Settings, secrets: dict[str, Any], run: Run, show: Progress
    ) -> None:
        self.settings = settings
        self.accounts: dict[str, object] = {}
        self._secrets, self._run, self._show = secrets, run, show
        self._embedded = embedded_databases(settings)
        self._stops: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._servers: dict[str, Server] = {}
        # Processes are told of our end when the thread that started them ends: these
        # threads live as long as we do.
        self._working: set[Future[Any]] = set()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="souk-start")
        self._tending = Tending(self._in_thread, again=self._note, say=show.line)

    async def start(self, given: Settings) -> None:
        """Start everything; `given` says what is already there, outside.

        Raises on the first failure; call `stop()` then too.
        """
        self._embedded = embedded_databases(given)
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._start_ray())
            parts.create_task(self._start_nats(given))
            parts.create_task(self._start_databases(given))
        await self._forget_another_future()
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._start_pools())
            parts.create_task(self._start_gateway())
        with self._show.step("ready"):
            await self._until_ready()
        if self.settings.demo:
            await self._load_demo()
        else:
            await self._make_administrator()
        await self._attend()
        write_credentials(self.settings.data_dir, self.accounts)
        for name, server in self._servers.items():
            self._tending.tend(name, server)

    def local_url(self) -> str:
        """Where the gateway answers from this machine."""
        host = self.settings.http_host
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
        return f"http://{host}:{self.settings.http_port}"

    async def stop(self) -> None:
        """End everything that was started, the last first, each within a bound."""
        await self._tending.stop()
        await self._settle()
        while self._stops:
            name, end = self._stops.pop()
            try:
                async with asyncio.timeout(STOP_SECONDS_MAX):
                    await end()
            except Exception as error:  # noqa: BLE001 - the other parts must end too
                self._show.line(f"[yellow]![/] {name}: {error or 'took too long'}")
        self._threads.shutdown(wait=False, cancel_futures=True)
        shutil.rmtree(self._run.temp_dir, ignore_errors=True)

    async def _start_ray(self) -> None:
        with self._show.step("Ray"):
            temp_dir = Path(self._run.temp_dir)
            logs = self.settings.data_dir / "logs" / "ray"
            end = partial(self._in_thread, cluster.stop, temp_dir, logs)
            self._stops.append(("Ray", end))
            await self._in_thread(cluster.start, self.settings, temp_dir)

    async def _start_nats(self, given: Settings) -> None:
        if given.nats_url:
            return
        with self._show.step("NATS"):
            server = servers.nats(self.settings, self._secrets)
            self._ends_with(server, "NATS")
            await self._in_thread(server.launch)
            await self._in_thread(server.wait)
            self._note("nats", server)
            self._run.ports["nats_monitor"] = server.monitor_port
            for user in ("events", *server.callers):
                self.accounts[f"nats {user}"] = server.url(user)

    async def _forget_another_future(self) -> None:
        """After a restore: a stream outside may tell of what never was, so it goes.

        It is made anew and gets from the outboxes what the databases know.
        """
        mark = self.settings.data_dir / RESTORED
        if mark.exists():
            with self._show.step("stream made anew"):
                both = (streams.EVENTS, streams.DEAD)
                await streams.forget(self.settings.nats_url, *both, log=logs.get("up"))
            mark.unlink()

    async def _start_databases(self, given: Settings) -> None:
        if self._embedded:
            await self._start_postgres()
        async with asyncio.TaskGroup() as parts:
            if has_bank(given):
                parts.create_task(self._start_bank())
            parts.create_task(self._migrate())

    async def _start_postgres(self) -> None:
        with self._show.step("Postgres"):
            server = servers.postgres(self.settings)
            self._ends_with(server, "Postgres")
            await self._in_thread(server.prepare)
            await self._in_thread(server.launch)
            await self._in_thread(server.wait)
            self._note("postgres", server)
            words = self._secrets["databases"]
            await server.ensure_all({name: words[name] for name in self._embedded})

    async def _start_bank(self) -> None:
        with self._show.step("sandbox bank"):
            server = servers.Bank(self.settings)
            self._ends_with(server, "sandbox bank")
            await self._in_thread(server.launch)
            await self._in_thread(server.wait)
            self._note("bank", server)

    async def _migrate(self) -> None:
        from persistence.kit.migrations import migrate  # noqa: PLC0415

        with self._show.step("migrations"):
            for domain in DOMAINS:
                url = self.settings.database_url(domain)
                await migrate(domain, url, self.settings.shards(domain))

    async def _start_pools(self) -> None:
        from actors.kit import pool  # noqa: PLC0415

        with self._show.step("pools and bridge"):
            self._stops.append(("pools", lambda: pool.stop(self._resized())))
            await pool.start(self.settings)

    async def _attend(self) -> None:
        from actors.kit import pool  # noqa: PLC0415

        await self._in_thread(pool.attend, self.settings)

    async def _start_gateway(self) -> None:
        from serve_app.kit.deploy import deploy, undeploy  # noqa: PLC0415

        with self._show.step("gateway"):
            self._stops.append(("gateway", lambda: self._in_thread(undeploy)))
            await self._in_thread(deploy, self.settings)

    async def _until_ready(self) -> None:
        url = f"{self.local_url()}/health/ready"
        until = asyncio.get_running_loop().time() + READY_SECONDS_MAX
        ready, said = await self._in_thread(servers.asked, url)
        while not ready:
            if asyncio.get_running_loop().time() > until:
                raise Failure(f"the shop does not become ready: {said}")
            await asyncio.sleep(_POLL_SECONDS)
            ready, said = await self._in_thread(servers.asked, url)

    async def _load_demo(self) -> None:
        from actors.kit.reach import connect  # noqa: PLC0415
        from scripts.demo import load  # noqa: PLC0415

        with self._show.step("demo shop"):
            loaded = load(self.settings, connect(self.settings).ask)
            self.accounts |= await loaded if inspect.isawaitable(loaded) else loaded

    async def _make_administrator(self) -> None:
        from actors.kit.reach import connect  # noqa: PLC0415

        ask = connect(self.settings).ask
        self.accounts |= await first_administrator(self.settings, ask)

    def _resized(self) -> Settings:
        """The settings with the pools as large as they were made meanwhile."""
        run = Run.read(self.settings.data_dir)
        shards = run.shards if run is not None else {}
        return self.settings.changed(
            shard_counts={**self.settings.shard_counts, **shards}
        )

    def _ends_with(self, server: Server, name: str) -> None:
        self._stops.append((name, lambda: self._in_thread(server.stop)))

    def _note(self, name: str, server: Server) -> None:
        """Write down which process it is, for `down`; later it is looked after."""
        self._servers[name] = server
        if process := server.running():
            self._run.processes[name] = process
            self._run.write(self.settings.data_dir)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        working = self._threads.submit(work, *arguments)
        self._working.add(working)
        working.add_done_callback(self._working.discard)
        return await asyncio.wrap_future(working)

    async def _settle(self) -> None:
        """Let starts that were given up come to their end: a thread cannot be ended."""
        if self._working:
            left = [asyncio.wrap_future(each) for each in self._working]
            await asyncio.wait(left, timeout=SETTLE_SECONDS_MAX)
