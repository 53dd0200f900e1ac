"""Routes that any shop has, whatever it sells: health, measures, keys, yardstick."""

import asyncio

import msgspec
from starlette.responses import Response

from serve_app.kit.gateway import Gateway
from serve_app.kit.keys import SETTLE_SECONDS
from serve_app.kit.problems import Problem
from serve_app.kit.routing import PUBLIC, Router

HEALTH_SECONDS_MAX = 5


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str = "ok"


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an order needs answers."""

    status: str
    domains: dict[str, dict[str, bool]]
    bus: bool


def operations(gateway: Gateway) -> Router:
    """The routes about this gateway; `/dev/noop` is absent in production."""
    router = Router("operations")

    @router.get("/health/live", access=PUBLIC)
    async def live() -> Live:
        """Say that the process answers."""
        return Live()

    @router.get("/health/ready", access=PUBLIC)
    async def ready() -> Ready:
        """Say whether the shop can sell.

        Lists each domain's pool and database, and the bus; 503 names what is down.
        """
        return await readiness(gateway)

    @router.get("/metrics", access=PUBLIC)
    async def metrics() -> Response:
        """Tell what this replica, all shards and bridges count, for Prometheus.

        Text format 0.0.4. A shard that does not answer within a second is missing
        (`souk_shard_up` is 0); the rest is told all the same. Shards are asked at most
        once a second. Each replica tells its own requests under its `replica`.
        """
        others = await gateway.collected.samples() if gateway.collected else ()
        text = gateway.measures.text(gateway.near.bytes, others)
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.get("/.well-known/jwks.json", access=PUBLIC)
    async def jwks() -> Response:
        """List the keys that verify access tokens.

        A new key is listed for ten seconds before it signs: keep the list no longer.
        """
        age = f"public, max-age={SETTLE_SECONDS:.0f}"
        return Response(
            msgspec.json.encode(gateway.tokens.keys.jwks()),
            headers={"Cache-Control": age},
            media_type="application/jwk-set+json",
        )

    if gateway.settings.profile != "production":

        @router.get("/dev/noop", access=PUBLIC, status=204)
        async def noop() -> None:
            """Do nothing, as any other route would: the yardstick of the bench."""

    return router


async def readiness(gateway: Gateway) -> Ready:
    """Ask every part whether it works; raises Problem 503 naming those that do not."""
    try:
        async with asyncio.timeout(HEALTH_SECONDS_MAX):
            health = await gateway.asker.health()
    except TimeoutError:
        health = {}
    domains = {name: dict(parts) for name, parts in sorted(health.items())}
    bridges = domains.pop("bus", {})
    down = [
        f"{name}.{part}"
        for name, parts in domains.items()
        for part, works in parts.items()
        if not works
    ]
    # The bus is up when the bridges are on it and this replica hears it.
    bus = all(bridges.values()) and gateway.bus_connected()
    if not bus:
        down.append("bus")
    if not domains:
        down.append("pools")
    if gateway.draining:
        down.append("gateway")
    if down:
        raise Problem(
            503,
            "not-ready",
            f"Down: {', '.join(down)}.",
            headers={"Retry-After": "1"},
            domains=domains,
            bus=bus,
            down=down,
        )
    return Ready(status="ok", domains=domains, bus=bus)
