"""The whole environment of a start, known before anything is started."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from actors import DOMAINS
from bus.kit.settings import Settings
from scripts.launcher.checks import free_block, free_port
from scripts.launcher.keys import RAY_TOKEN
from scripts.launcher.record import MARK
from serve_app.kit.serving import environment

ROOT = Path(__file__).resolve().parents[2]
BANK = "bank"
CONNECTIONS_BESIDE = 40
REPLICA_PORTS = 64
# What Ray does for its dashboard, of which the shop shows nothing: an entry for every
# call, a clock around every callback; and what Serve's controller looks at ten times a
# second. Together they took a tenth of an order's CPU.
RAY_AT_REST = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_task_events_report_interval_ms": "0",
    "RAY_event_stats": "0",
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    # A call to a process that dies fails at once. Else Ray lets it wait for the reason,
    # and looks once a second whether it has: 1 to 1.8 s.
    "RAY_timeout_ms_task_wait_for_death_info": "0",
}


def has_bank(settings: Settings) -> bool:
    """Whether a sandbox bank is started here; in production nobody pays with one."""
    return not settings.bank_url and settings.profile != "production"


def embedded_databases(settings: Settings) -> list[str]:
    """The databases that no setting places outside; the bank's is one of them."""
    names = [BANK] if has_bank(settings) else []
    names += list(DOMAINS)
    return [name for name in names if name not in settings.database_urls]


def connections_max(settings: Settings) -> int:
    """Connections that Postgres must hold: all shards' and some beside."""
    shards = sum(settings.shards(domain) for domain in DOMAINS)
    shards += settings.standbys  # while a shard goes from one process to another
    return shards * settings.shard_connections_max + CONNECTIONS_BESIDE


def completed(
    settings: Settings, secrets: dict[str, Any], ports: dict[str, int]
) -> Settings:
    """The settings with everything filled in that is started or made here."""
    # A command that was not told the ports finds those of the shop that runs.
    port = ports.get("postgres", settings.pg_port)
    urls = {
        name: _database_url(name, word, port)
        for name, word in secrets["databases"].items()
    }
    urls.update(settings.database_urls)
    word = secrets["nats"]["souk"]
    everywhere = settings.http_host == "0.0.0.0"  # noqa: S104
    host = "127.0.0.1" if everywhere else settings.http_host
    return settings.changed(
        database_urls=urls,
        nats_url=settings.nats_url or f"nats://souk:{word}@127.0.0.1:{ports['nats']}",
        bank_url=_bank_url(settings, ports),
        smtp_port=settings.smtp_port or ports["smtp"],
        public_url=settings.public_url or f"http://{host}:{settings.http_port}",
        jwt_keys=settings.jwt_keys or secrets["jwt_keys"],
        encryption_keys=settings.encryption_keys or secrets["encryption_keys"],
        bank_webhook_secret=(
            settings.bank_webhook_secret or secrets["bank_webhook_secret"]
        ),
    )


def _bank_url(settings: Settings, ports: dict[str, int]) -> str:
    here = has_bank(settings)
    return f"http://127.0.0.1:{ports['bank']}" if here else settings.bank_url


def chosen_ports(settings: Settings) -> dict[str, int]:
    """The fixed ports and free ones for all others."""
    bank = {"bank": free_port()} if has_bank(settings) else {}
    return {
        "http": settings.http_port,
        "postgres": settings.pg_port,
        "nats": settings.nats_port,
        "nats_monitor": settings.nats_monitor_port,
        **bank,
        "smtp": settings.smtp_port or free_port(),
        "haproxy_stats": free_port(),
        "haproxy_metrics": free_port(),
        "fallback": free_port(),
        "replicas": free_block(REPLICA_PORTS),
    }


def ray_environment(
    settings: Settings, ports: dict[str, int], temp_dir: Path
) -> dict[str, str]:
    """Variables that Ray and Serve read when they are imported."""
    edge = temp_dir / "edge"
    first, last = ports["replicas"], ports["replicas"] + REPLICA_PORTS - 1
    return {
        **environment(settings),
        **RAY_AT_REST,
        "RAY_worker_niceness": "0",  # Ray's 15 would let any other program starve us
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(settings.data_dir / RAY_TOKEN),
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(edge / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(edge / "admin.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(edge),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(edge / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports["haproxy_stats"]),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports["haproxy_metrics"]),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports["fallback"]),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(first),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(last),
        # Workers run elsewhere and import what we import.
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        ),
    }


def install(settings: Settings, variables: dict[str, str], mark: str) -> None:
    """Put all of it into this process' environment, which every child inherits."""
    os.environ.pop("RAY_ADDRESS", None)
    os.environ.update(settings.export())
    os.environ.update(variables)
    os.environ[MARK] = mark


def _database_url(name: str, password: str, port: int) -> str:
    return f"postgresql://{name}:{quote(password, safe='')}@127.0.0.1:{port}/{name}"
