"""What a shop is held against, in the same run: servers that do nothing, and Postgres.

`python -m scripts.benching.yardsticks uvicorn|serve|flags PORT` is such a server, in a
process of its own: bare, Ray Serve as it comes, or an empty application in Ray Serve
with the flags and the HAProxy that the shop runs with.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from fastapi import FastAPI

from bus.kit.settings import Settings
from scripts.auditing.place import Place
from scripts.benching.load import in_process
from scripts.benching.postgres_alone import Alone, measure_alone
from scripts.benching.scenes import Task
from scripts.launcher.checks import free_block, free_port
from scripts.launcher.environment import REPLICA_PORTS, ROOT, ray_environment
from scripts.launcher.failures import Failure

HOST = "127.0.0.1"
READY_SECONDS_MAX = 120.0
END_SECONDS_MAX = 30.0
LOOK_SECONDS = 0.1
WARM_SECONDS = 1.0
REQUESTS_MAX = 1_000_000
SERVERS = ("uvicorn", "serve", "flags")
ONGOING_MAX = 2_000
# What of the shop's flags an empty application must not have: its layer, its secrets.
OWN_FLAGS = (
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN_PATH",
)


class Yardsticks(msgspec.Struct, frozen=True, kw_only=True):
    """Answers a second of servers that do nothing, and holds a second of Postgres."""

    clients: int
    uvicorn_per_second: float
    uvicorn_p50_ms: float
    serve_per_second: float
    serve_p50_ms: float
    flags_per_second: float
    flags_p50_ms: float
    postgres: Alone


async def measure_yardsticks(place: Place, clients: int, seconds: float) -> Yardsticks:
    """Each alone, one after another, with as many clients."""
    found: dict[str, float] = {}
    for kind in SERVERS:
        async with _server(kind) as url:
            task = Task(
                url=url,
                clients=clients,
                seconds=WARM_SECONDS,
                requests_max=REQUESTS_MAX,
            )
            await in_process(task)
            load = await in_process(msgspec.structs.replace(task, seconds=seconds))
        if not load.good:
            raise Failure(f"{kind} answered nothing well: {load.errors}")
        found[f"{kind}_per_second"] = load.good / load.seconds
        found[f"{kind}_p50_ms"] = load.at(0.5)
    alone = await measure_alone(place.urls["inventory"], seconds)
    return Yardsticks(clients=clients, postgres=alone, **found)


@asynccontextmanager
async def _server(kind: str) -> AsyncIterator[str]:
    """One that answers, ended afterwards with all that it started."""
    port = free_port()
    # As it comes: none of the shop's own switches.
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("RAY_", "SOUK_"))
    }
    with (
        tempfile.TemporaryFile() as said,
        # Ray's sockets lie in it, and a socket's path is short: not below TMPDIR.
        tempfile.TemporaryDirectory(prefix="souk-yard-", dir="/tmp") as folder,
    ):
        if kind == "flags":
            environ |= _flags(port, Path(folder))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scripts.benching.yardsticks"),
            *(kind, str(port), folder),
            cwd=ROOT,
            env={**environ, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(ROOT)},
            stdin=asyncio.subprocess.PIPE,
            stdout=said,
            stderr=said,
        )
        url = f"http://{HOST}:{port}"
        try:
            if not await _answers(url, process):
                said.seek(0)
                why = said.read().decode(errors="replace")[-500:]
                raise Failure(f"{kind} did not start: {why}")
            yield url
        finally:
            await _end(process)


async def _answers(url: str, process: asyncio.subprocess.Process) -> bool:
    loop = asyncio.get_running_loop()
    end = loop.time() + READY_SECONDS_MAX
    timeout = aiohttp.ClientTimeout(total=READY_SECONDS_MAX)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while loop.time() < end and process.returncode is None:
            try:
                async with session.get(f"{url}/dev/noop") as answer:
                    if answer.status == 204:
                        return True
            except aiohttp.ClientError:  # it does not listen yet
                pass
            await asyncio.sleep(LOOK_SECONDS)
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    """Its input ends, and so does it; killed when it does not."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(END_SECONDS_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _noop() -> FastAPI:
    app = FastAPI()

    @app.get("/dev/noop", status_code=204)
    async def noop() -> None:
        """Do nothing."""

    return app


def _uvicorn(port: int) -> None:
    import uvicorn  # noqa: PLC0415 - the parent does not need it

    async def serve() -> None:
        config = uvicorn.Config(_noop(), HOST, port, log_level="warning")
        server = uvicorn.Server(config)

        async def end_with_input() -> None:
            await asyncio.to_thread(sys.stdin.read)
            server.should_exit = True

        await asyncio.gather(server.serve(), end_with_input())

    asyncio.run(serve())


def _serve(port: int, folder: str) -> None:
    _run_serve(folder, {"host": HOST, "port": port})


def _with_flags(port: int, folder: str) -> None:
    from ray.serve.schema import LoggingConfig  # noqa: PLC0415

    quiet = LoggingConfig(log_level="WARNING", enable_access_log=False)
    _run_serve(folder, {"host": HOST, "port": port}, logging_config=quiet)


def _run_serve(folder: str, http: dict[str, Any], **options: Any) -> None:
    import ray  # noqa: PLC0415 - the parent has a cluster of its own
    from ray import serve  # noqa: PLC0415

    ray.init("local", include_dashboard=False, _temp_dir=folder)
    serve.start(http_options=http, **options)
    app: Any = serve.deployment(serve.ingress(_noop())(type("Noop", (), {})))
    serve.run(app.options(max_ongoing_requests=ONGOING_MAX, **options).bind())
    sys.stdin.read()
    serve.shutdown()  # type: ignore[no-untyped-call]
    ray.shutdown()


def _flags(port: int, folder: Path) -> dict[str, str]:
    """What Ray and Serve of a shop are started with, on ports of its own."""
    names = ("haproxy_stats", "haproxy_metrics", "fallback")
    ports = {name: free_port() for name in names}
    ports["replicas"] = free_block(REPLICA_PORTS)
    (folder / "edge").mkdir(mode=0o700)
    settings = Settings(http_host=HOST, http_port=port, data_dir=folder)
    flags = ray_environment(settings, ports, folder)
    return {name: flags[name] for name in flags if name not in OWN_FLAGS}


if __name__ == "__main__":
    kind_, port_, folder_ = sys.argv[1:4]
    if kind_ == "uvicorn":
        _uvicorn(int(port_))
    else:
        {"serve": _serve, "flags": _with_flags}[kind_](int(port_), folder_)
