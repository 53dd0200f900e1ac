"""The gateway on Ray Serve: replicas behind HAProxy, with our layer outermost."""

import asyncio
import logging
import os
import time
import urllib.error
import urllib.request
from importlib import import_module
from typing import Any

from ray import serve
from ray.serve.config import HTTPOptions, ProxyLocation
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from actors.kit.reach import connect
from bus.kit import logs, memory, telemetry
from bus.kit.request_lines import LINES
from bus.kit.settings import Settings
from serve_app.kit.gateway import Gateway
from serve_app.kit.keys import follow_keys
from serve_app.kit.outermost import answer_here
from serve_app.kit.serving import has_haproxy

APPLICATION = "gateway"
ASSEMBLY = "serve_app.app"
SURGE_PERCENT = 50  # a new replica is ready before an old one goes
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20

_log = logs.get("gateway")


def prepare(settings: Settings) -> None:
    """Start Serve and HAProxy, which takes seconds and needs nothing but Ray.

    A launcher that has other things to start calls it meanwhile; `deploy` does so too.
    """
    local = not settings.ray_address
    serve.start(
        proxy_location=ProxyLocation.HeadOnly if local else ProxyLocation.EveryNode,
        http_options=HTTPOptions(
            host=_replica_host(settings),
            port=settings.http_port,
        ),
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )


def deploy(settings: Settings, assembly: str = ASSEMBLY) -> None:
    """Start the gateway and return when it answers; Ray must be initialised.

    `assembly` is the module that puts the routers together. Where a gateway runs
    already its replicas are replaced, one after another, each when its successor is
    ready and its own requests are answered.

    Raises TimeoutError if it does not answer within READY_SECONDS_MAX.
    """
    prepare(settings)
    deployment = serve.deployment(
        name=APPLICATION,
        num_replicas=settings.gateway_replicas,
        max_ongoing_requests=settings.gateway_ongoing_max + 50,
        max_queued_requests=settings.gateway_queued_max,
        max_surge_percent=SURGE_PERCENT,
        ray_actor_options={"num_cpus": settings.replica_cpus},
        graceful_shutdown_timeout_s=STOP_SECONDS_MAX,
        graceful_shutdown_wait_loop_s=0.2,
        logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
    )
    replica = deployment(serve.ingress()(Replica)).bind(settings.export(), assembly)
    serve.run(replica, name=APPLICATION, route_prefix="/")
    _until_it_answers(settings)


def undeploy() -> None:
    """Stop the gateway and what stands before it, when it has answered what it took.

    Serve's own end stops HAProxy beside the replicas, and with it every connection.
    """
    try:
        serve.delete(APPLICATION)
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]


class Replica:
    """One replica: makes its gateway, and gives Serve the application."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, environment: dict[str, str], assembly: str
    ) -> None:
        os.environ.update(environment)
        settings = Settings.load()
        replica = serve.get_replica_context().replica_id.unique_id
        telemetry.start(settings, f"gateway-{replica}")
        logging.getLogger("ray").setLevel(logging.WARNING)
        parts = import_module(assembly)
        domains = parts.routers()
        self._gateway: Gateway = parts.gateway_of(
            settings, connect(settings, f"gateway/{replica}"), replica
        )
        self._hearing = parts.hearing(self._gateway, domains)
        await self._hearing.connect()
        self._gateway.bus_connected = self._hearing.connected
        await self._gateway.epochs.confirm()
        self._following = [asyncio.create_task(self._gateway.epochs.follow())]
        if settings.jwt_keys_file:
            turning = follow_keys(self._gateway.tokens.keys, settings)
            self._following.append(asyncio.create_task(turning))
        if settings.gateway_replicas > 1:
            sharing = self._gateway.sharing.follow(self._hearing)
            self._following.append(asyncio.create_task(sharing))
        self._app: ASGIApp = parts.build(self._gateway, domains)
        answer_here(self._gateway)
        memory.settle()
        _log.info("gateway ready", replica=replica)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """The application; the layer inside it rests when Serve put one outside."""
        return self._app

    def check_health(self) -> None:
        """Serve replaces a replica whose tasks beside the requests have ended."""
        if any(task.done() for task in self._following):
            raise RuntimeError("epochs, keys or limits are not followed")

    async def __del__(self) -> None:
        self._gateway.draining = True
        self._gateway.streams.drain()
        for task in self._following:
            task.cancel()
        await self._hearing.close()
        LINES.flush()


def _replica_host(settings: Settings) -> str:
    """Where replicas listen: HAProxy's own address is set by our wrapper.

    Only on a cluster must they be reachable from another node's HAProxy. Without
    HAProxy this is where Serve's own proxy listens.
    """
    if not has_haproxy():
        return settings.http_host
    return "0.0.0.0" if settings.ray_address else "127.0.0.1"  # noqa: S104


def _until_it_answers(settings: Settings) -> None:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(  # noqa: S104
        settings.http_host, settings.http_host
    )
    url = f"http://{host}:{settings.http_port}/health/live"
    until = time.monotonic() + READY_SECONDS_MAX
    reason: Any = None
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            reason = error
        time.sleep(0.1)
    raise TimeoutError(f"the gateway does not answer at {url}: {reason}")
