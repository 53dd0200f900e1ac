"""The Grafana dashboard, made from a table of panels over the metrics' families."""

import json
from typing import Any, NamedTuple

from bus.kit import families as f
from bus.kit.metrics import Family

WIDTH, HEIGHT, COLUMNS = 8, 8, 3
SOURCE = {"type": "prometheus", "uid": "${source}"}
EVERY = "$__rate_interval"


class Panel(NamedTuple):
    """One picture: its lines (a name and its PromQL), and their unit."""

    title: str
    lines: tuple[tuple[str, str], ...]
    unit: str = "short"


def _rate(family: Family, *by: str) -> tuple[str, str]:
    """How many a second, for each of these labels."""
    labels = ", ".join(by)
    inner = f"rate({family.name}[{EVERY}])"
    name = " ".join(f"{{{{{label}}}}}" for label in by) or family.name
    return name, f"sum by ({labels}) ({inner})" if by else f"sum({inner})"


def _now(family: Family, *by: str) -> tuple[str, str]:
    """How it stands, for each of these labels."""
    name = " ".join(f"{{{{{label}}}}}" for label in by) or family.name
    if not by:
        return name, f"sum({family.name})"
    return name, f"sum by ({', '.join(by)}) ({family.name})"


def _slow(family: Family, *by: str, share: float = 0.95) -> tuple[str, str]:
    """What so many of all stay below."""
    labels = ", ".join((*by, "le"))
    inner = f"sum by ({labels}) (rate({family.name}_bucket[{EVERY}]))"
    name = " ".join(f"{{{{{label}}}}}" for label in by)
    return f"{name} p{share * 100:.0f}", f"histogram_quantile({share}, {inner})"


def _named(name: str, line: tuple[str, str]) -> tuple[str, str]:
    legend = line[0] if "{{" in line[0] else ""
    return f"{name} {legend}".strip(), line[1]


def _mean(family: Family, *by: str) -> tuple[str, str]:
    """The mean of what a histogram counts."""
    labels = ", ".join(by)
    total = f"sum by ({labels}) (rate({family.name}_sum[{EVERY}]))"
    count = f"sum by ({labels}) (rate({family.name}_count[{EVERY}]))"
    return " ".join(f"{{{{{label}}}}}" for label in by), f"{total} / {count}"


def _share(part: Family, whole: Family, *by: str) -> tuple[str, str]:
    """How many of one there are for each of the other."""
    name, upper = _rate(part, *by)
    return name, f"{upper} / {_rate(whole, *by)[1]}"


ROWS: dict[str, tuple[Panel, ...]] = {
    "The edge": (
        Panel("Requests by domain", (_rate(f.HTTP_REQUESTS, "domain"),), "reqps"),
        Panel("Answers by status", (_rate(f.HTTP_REQUESTS, "status"),), "reqps"),
        Panel(
            "Slowest routes",
            (("{{route}}", f"topk(10, {_slow(f.HTTP_SECONDS, 'route')[1]})"),),
            "s",
        ),
        Panel(
            "Under way, refused as busy",
            (_now(f.IN_FLIGHT, "replica"), _named("busy", _rate(f.BUSY, "replica"))),
        ),
        Panel(
            "Refused past a rate limit",
            (
                _rate(f.LIMITED, "limit"),
                _named("replicas alone", _now(f.LIMITS_ALONE)),
            ),
        ),
        Panel(
            "Near cache",
            (
                _named("hits", _rate(f.NEAR_HITS)),
                _named("misses", _rate(f.NEAR_MISSES)),
            ),
            "reqps",
        ),
        Panel("Near cache, bytes", (_now(f.NEAR_BYTES, "replica"),), "bytes"),
        Panel(
            "Event streams",
            (
                _named("open", _now(f.STREAMS_OPEN, "replica")),
                _named("refused", _rate(f.STREAMS_REFUSED, "replica")),
                _named("ended", _rate(f.STREAMS_ENDED, "reason")),
            ),
        ),
        Panel(
            "Events on streams",
            (_named("events", _rate(f.STREAM_EVENTS)), _rate(f.STREAM_LOOKS)),
        ),
    ),
    "Asks and lanes": (
        Panel("Asks by end", (_rate(f.ASKS, "domain", "end"),), "reqps"),
        Panel("Time of an ask", (_slow(f.ASK_SECONDS, "domain"),), "s"),
        Panel(
            "Messages in an envelope",
            (_share(f.LANE_MESSAGES, f.LANE_ENVELOPES, "domain"),),
        ),
        Panel("Envelopes under way", (_now(f.LANE_UNDER_WAY, "domain", "shard"),)),
        Panel("Messages waiting in lanes", (_now(f.LANE_WAITING, "domain", "shard"),)),
        Panel(
            "Bytes waiting in lanes",
            (_now(f.LANE_WAITING_BYTES, "domain", "shard"),),
            "bytes",
        ),
        Panel(
            "Refused, sent again, replaced",
            (
                _named("refused", _rate(f.LANE_REFUSED, "domain")),
                _named("again", _rate(f.LANE_RESENDS, "domain")),
                _named("replaced", _rate(f.LANE_REPLACED, "domain")),
            ),
        ),
    ),
    "Shards": (
        Panel("Up", (_now(f.SHARD_UP, "domain", "shard"),)),
        Panel("Messages by type", (_rate(f.SHARD_MESSAGES, "message"),), "reqps"),
        Panel("Steps waiting", (_now(f.SHARD_QUEUE, "domain", "shard"),)),
        Panel("Batches", (_rate(f.BATCHES, "domain", "shard"),), "ops"),
        Panel("Steps in a batch", (_mean(f.BATCH_MESSAGES, "domain", "shard"),)),
        Panel("Time of a batch", (_slow(f.BATCH_SECONDS, "domain"),), "s"),
        Panel("Time of a transaction", (_slow(f.TRANSACTION_SECONDS, "domain"),), "s"),
        Panel("Time of queries", (_slow(f.QUERY_SECONDS, "domain"),), "s"),
        Panel("Refusals by code", (_rate(f.SHARD_REFUSALS, "domain", "code"),)),
        Panel(
            "Bugs and halves",
            (
                _named("bugs", _rate(f.SHARD_FAILURES, "message")),
                _named("halves", _rate(f.BATCH_HALVINGS, "domain")),
            ),
        ),
        Panel(
            "Owners",
            (
                _named("took over", _rate(f.SHARD_TAKEOVERS, "domain", "shard")),
                _named("fenced", _rate(f.SHARD_FENCED, "domain", "shard")),
                _named("slots", _now(f.SHARD_SLOTS, "domain", "shard")),
            ),
        ),
        Panel(
            "Standbys",
            (
                _named("up", _now(f.STANDBY_UP, "standby")),
                _named("holds", _now(f.STANDBY_HOLDS, "standby")),
                _named("adopted", _rate(f.STANDBY_ADOPTIONS, "domain")),
                _named(
                    "answers", _now(f.STANDBY_ADOPTED, "standby", "domain", "shard")
                ),
            ),
        ),
        Panel(
            "Processes unfinished, entities kept",
            (
                _named("processes", _now(f.SHARD_PROCESSES, "domain", "shard")),
                _named("entities", _now(f.SHARD_ENTITIES, "domain", "shard")),
            ),
        ),
    ),
    "Databases": (
        Panel(
            "Read connections",
            (
                _named("open", _now(f.DATABASE_SIZE, "domain")),
                _named("in use", _now(f.DATABASE_IN_USE, "domain")),
                _named("waited for", _now(f.DATABASE_WAITING, "domain")),
            ),
        ),
        Panel("Wait for a connection", (_slow(f.DATABASE_ACQUIRE, "domain"),), "s"),
        Panel("Write connections lost", (_rate(f.DATABASE_LOST, "domain"),)),
    ),
    "Standing audit": (
        Panel(
            "Findings",
            (
                _named("open", _now(f.AUDIT_OPEN)),
                _named("found", _rate(f.AUDIT_FINDINGS, "check")),
                _named("auditor up", _now(f.AUDITOR_UP)),
            ),
        ),
        Panel(
            "Compared, and still to be",
            (
                _named("compared", _rate(f.AUDIT_LOOKS, "unit")),
                _named("waits", _now(f.AUDIT_WAITING, "unit")),
                _named("away", _rate(f.AUDIT_AWAY, "domain")),
            ),
        ),
        Panel(
            "Rounds and walks",
            (
                _named("round", _slow(f.AUDIT_ROUND_SECONDS)),
                _named("since the last walk", _now(f.AUDIT_WALK_AGE)),
            ),
            "s",
        ),
    ),
    "Facts": (
        Panel("Events not published yet", (_now(f.OUTBOX_WAITING, "domain", "shard"),)),
        Panel("Days past their time", (_now(f.PARTITIONS_OVERDUE, "domain"),)),
        Panel("Commit to stream", (_slow(f.OUTBOX_LAG, "domain"),), "s"),
        Panel("Stream to effect", (_slow(f.CONSUMER_LAG, "domain"),), "s"),
        Panel(
            "Events",
            (
                _named("told by", _rate(f.OUTBOX_PUBLISHED, "domain")),
                _named("stored by bridge", _rate(f.BRIDGE_PUBLISHED, "bridge")),
                _named("handled by", _rate(f.CONSUMER_DELIVERED, "domain")),
            ),
        ),
        Panel(
            "Bridges",
            (
                _named("up", _now(f.BRIDGE_UP, "bridge")),
                _named("connected", _now(f.BRIDGE_CONNECTED, "bridge")),
                _named("under way", _now(f.CONSUMER_UNDER_WAY, "domain")),
            ),
        ),
        Panel("Acknowledgement", (_slow(f.BRIDGE_PUBLISH_SECONDS, "bridge"),), "s"),
        Panel(
            "Tried again",
            (
                _named("publishing", _rate(f.OUTBOX_FAILURES, "domain")),
                _named("handling", _rate(f.CONSUMER_RETRIES, "domain")),
            ),
        ),
        Panel(
            "Dead letters",
            (
                _named("put aside", _rate(f.DEAD_LETTERS, "domain")),
                _named("entities", _now(f.DEAD_ENTITIES, "domain")),
            ),
        ),
        Panel(
            "Requests over NATS",
            (
                _rate(f.SERVICE_REQUESTS, "subject"),
                _named("errors", _rate(f.SERVICE_ERRORS, "subject")),
            ),
        ),
    ),
    "Money": (
        Panel(
            "Differences found",
            (_now(f.MISMATCHES, "provider", "difference"),),
        ),
        Panel("Providers that fail", (_now(f.PROVIDER_FAILING, "provider"),)),
    ),
}


def dashboard_page() -> str:
    """`docs/grafana/souk.json`."""
    return json.dumps(dashboard(), indent=2) + "\n"


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana imports it; it asks for its Prometheus."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_head(len(panels) + 1, title, top))
        top += 1
        for place, panel in enumerate(row):
            at = (place % COLUMNS * WIDTH, top + place // COLUMNS * HEIGHT)
            panels.append(_panel(len(panels) + 1, panel, at))
        top += -(-len(row) // COLUMNS) * HEIGHT
    source = {"name": "source", "label": "Prometheus", "type": "datasource"}
    return {
        "uid": "souk",
        "title": "Souk",
        "description": "Made from the code by `scripts/reference`; do not edit.",
        "tags": ["souk"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source | {"query": "prometheus"}]},
        "panels": panels,
    }


def _head(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": WIDTH * COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "gridPos": place, "panels": []}


def _panel(number: int, panel: Panel, at: tuple[int, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(65 + place), "expr": expr, "legendFormat": name}
        | {"datasource": SOURCE}
        for place, (name, expr) in enumerate(panel.lines)
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": panel.title,
        "datasource": SOURCE,
        "gridPos": {"x": at[0], "y": at[1], "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": targets,
    }
