"""The Prometheus alert rules: what a person must look at."""

from typing import Any, NamedTuple

import yaml

from bus.kit import families as f
from scripts.referencing.markdown import NOTE


class Alert(NamedTuple):
    """When it fires, after how long, and what to do then."""

    name: str
    expr: str
    minutes: int
    severity: str
    summary: str


ALERTS = (
    Alert(
        "SoukShardDown",
        f"{f.SHARD_UP.name} == 0",
        1,
        "critical",
        "Shard {{ $labels.domain }}/{{ $labels.shard }} does not answer.",
    ),
    Alert(
        "SoukStandbyDown",
        f"{f.STANDBY_UP.name} == 0",
        5,
        "warning",
        "Standby {{ $labels.standby }} does not answer: a shard that dies is away "
        "until it is started again.",
    ),
    Alert(
        "SoukBridgeAway",
        f"{f.BRIDGE_CONNECTED.name} == 0 or {f.BRIDGE_UP.name} == 0",
        2,
        "critical",
        "Bridge {{ $labels.bridge }} is away or without NATS: events wait.",
    ),
    Alert(
        "SoukBugs",
        f"sum by (message) (increase({f.SHARD_FAILURES.name}[10m])) > 0",
        0,
        "warning",
        "{{ $labels.message }} fails by a bug: look for handler-failed in the logs.",
    ),
    Alert(
        "SoukErrors",
        f'sum(rate({f.HTTP_REQUESTS.name}{{status=~"5.."}}[5m]))'
        f" / sum(rate({f.HTTP_REQUESTS.name}[5m])) > 0.01",
        5,
        "critical",
        "More than one request in a hundred is answered 5xx.",
    ),
    Alert(
        "SoukEventsLate",
        f"max by (domain) ({f.OUTBOX_WAITING.name}) > 1000",
        5,
        "warning",
        "{{ $labels.domain }} has events that are not published.",
    ),
    Alert(
        "SoukRowsOverdue",
        f"max by (domain) ({f.PARTITIONS_OVERDUE.name}) > 0",
        0,
        "critical",
        "{{ $labels.domain }} keeps days of events that were never published, or of "
        "processes that do not end.",
    ),
    Alert(
        "SoukDeadLetters",
        f"max by (domain) ({f.DEAD_ENTITIES.name}) > 0",
        0,
        "warning",
        "{{ $labels.domain }} has dead letters: see how to replay them.",
    ),
    Alert(
        "SoukAuditFinds",
        f"{f.AUDIT_OPEN.name} > 0",
        0,
        "critical",
        "The books of two domains disagree: see the alerts, or scripts/audit.",
    ),
    Alert(
        "SoukAuditorDown",
        f"{f.AUDITOR_UP.name} == 0",
        2,
        "warning",
        "The standing audit does not answer: nobody compares.",
    ),
    Alert(
        "SoukQueueGrows",
        f"max by (domain, shard) ({f.SHARD_QUEUE.name}) > 5000",
        2,
        "warning",
        "Shard {{ $labels.domain }}/{{ $labels.shard }} takes in more than it commits.",
    ),
    Alert(
        "SoukReadsWait",
        f"max by (domain, shard) ({f.DATABASE_WAITING.name}) > 50",
        2,
        "warning",
        "Reads of {{ $labels.domain }} wait for a connection.",
    ),
    Alert(
        "SoukProviderFails",
        f"max by (provider) ({f.PROVIDER_FAILING.name}) > 0",
        5,
        "critical",
        "Payments through {{ $labels.provider }} fail.",
    ),
    Alert(
        "SoukMoneyDiffers",
        f"sum by (provider) (increase({f.MISMATCHES.name}[1h])) > 0",
        0,
        "warning",
        "The ledger and {{ $labels.provider }} do not agree.",
    ),
)


def alerts_page() -> str:
    """`docs/grafana/alerts.yml`."""
    text: str = yaml.safe_dump(rules(), sort_keys=False, width=88, allow_unicode=True)
    return f"# {NOTE}\n{text}"


def rules() -> dict[str, Any]:
    """The rules as plain values."""
    return {"groups": [{"name": "souk", "rules": [_rule(one) for one in ALERTS]}]}


def _rule(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": f"{alert.minutes}m",
        "labels": {"severity": alert.severity},
        "annotations": {"summary": alert.summary},
    }
