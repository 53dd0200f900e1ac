"""Who did what to which entity: entries of audit logs, and how they are read."""

import types
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from bus.kit.messages import ANY, Query
from bus.kit.values import LIMIT_DEFAULT, Value

SYSTEM = "system"
"""Who acts when nobody asked: timers, events, reconciliation."""

GUEST = "guest"
"""Who acts without having signed in."""

SERVICE = "nats"
"""Who acts over NATS: it does not say which of its callers that was."""


class AuditEntry(Value, frozen=True, kw_only=True):
    """One change. `actor` is a person's id, or one of the names above.

    `action` is the command that made it, `before` and `after` the facts that differ:
    ids, numbers, states, and `changed`, the names of fields whose values are not told.
    """

    id: UUID
    at: datetime
    action: str
    actor: str
    entity: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    request_id: str | None = None


class AuditPage(Value, frozen=True, kw_only=True):
    """A domain's entries, newest first; as many as were asked for, if there are."""

    items: tuple[AuditEntry, ...]


class AuditQuery(Query[AuditPage], frozen=True, kw_only=True):
    """A domain's entries older than the entry `before`, not older than `since`."""

    entity: str | None = None
    actor: str | None = None
    since: datetime | None = None
    before: UUID | None = None
    limit: int = LIMIT_DEFAULT


@cache
def list_audit(domain: str) -> type[AuditQuery]:
    """The query that a domain's log is asked with; each domain answers its own."""
    return types.new_class(
        "ListAudit",
        (AuditQuery,),
        {"frozen": True, "kw_only": True},
        lambda body: body.update(
            key=ANY,
            __module__=f"bus.{domain}.audit",
            __doc__=f"The audit log of {domain}, newest first.",
        ),
    )
