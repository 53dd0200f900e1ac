"""The audit log of the whole shop: the domains' own logs, read as one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Query

from bus.kit.audit import AuditPage, list_audit
from bus.kit.refusals import Failed, FieldError, Unavailable, Unknown
from bus.kit.values import Page
from serve_app.kit.asking import ask
from serve_app.kit.problems import Problem
from serve_app.kit.routing import ADMIN, Pages, Router

ENTITY_MAX = 128
ACTOR_MAX = 64
ASK_SECONDS_MAX = 5.0


Entity = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=ENTITY_MAX,
        description="Id of a product, order, payment, user …, or a SKU.",
    ),
]
Actor = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=ACTOR_MAX,
        description="A user's id, `system`, `nats` or `guest`.",
    ),
]
Since = Annotated[
    datetime | None, Query(description="RFC 3339; without an offset it is UTC.")
]


class ShopEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change, and the domain that it was made in."""

    id: UUID
    at: datetime
    domain: str
    action: str
    actor: str
    entity: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    request_id: str | None


def auditing(domains: Sequence[str]) -> Router:
    """The route that reads the logs of these domains."""
    router = Router("operations")

    @router.get("/audit", access=ADMIN)
    async def list_audit_log(
        pages: Pages,
        entity: Entity = None,
        actor: Actor = None,
        since: Since = None,
    ) -> Page[ShopEntry]:
        """Tell who did what to which entity, newest first.

        Holds what staff, services and the shop itself have changed: products and
        prices, stock, warehouses, roles, passwords, refunds, and the like. `before` and
        `after` are the facts that differ; of what is a person's own `changed` names the
        fields only. What shoppers do with carts and orders is in the orders' timeline.
        Entries are written with the change itself, never altered, and kept for 400
        days. A domain that does not answer is named by 503 `audit-incomplete`: the list
        is whole or not given.
        """
        wanted = {
            "entity": _printable("entity", entity),
            "actor": _actor(_printable("actor", actor)),
            "since": _aware(since),
            "before": _entry_id(pages.cursor),
            "limit": pages.limit + 1,
        }
        found = await asyncio.gather(*(_read(name, wanted) for name in domains))
        if down := sorted(name for name, some in found if some is None):
            raise Problem(
                503,
                "audit-incomplete",
                f"These domains do not answer: {', '.join(down)}.",
                headers={"Retry-After": "1"},
                down=down,
            )
        return _merged(found, pages.limit)

    return router


async def _read(domain: str, wanted: dict[str, Any]) -> tuple[str, AuditPage | None]:
    try:
        query = list_audit(domain)(**wanted)
        return domain, await ask(query, timeout_seconds=ASK_SECONDS_MAX)
    except (Unavailable, Unknown, Failed):
        return domain, None


def _merged(
    found: Sequence[tuple[str, AuditPage | None]], limit: int
) -> Page[ShopEntry]:
    """One page of all logs: ids are in the order of time."""
    entries = [
        ShopEntry(domain=name, **msgspec.structs.asdict(each))
        for name, some in found
        if some is not None
        for each in some.items
    ]
    entries.sort(key=lambda each: each.id, reverse=True)
    page = tuple(entries[:limit])
    return Page(page, str(page[-1].id) if len(entries) > limit else None)


def _printable(field: str, text: str | None) -> str | None:
    if text is not None and not text.isprintable():
        raise _not(field, "Not a printable text")
    return text


def _actor(text: str | None) -> str | None:
    """A person's id as it is written down; other names as they are."""
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        return text


def _aware(since: datetime | None) -> datetime | None:
    if since is None:
        return None
    try:
        return since.replace(tzinfo=since.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        raise _not("since", "Not a time that can be") from None


def _entry_id(cursor: str | None) -> UUID | None:
    try:
        return None if cursor is None else UUID(cursor)
    except ValueError:
        raise _not("cursor", "Not a cursor of this list") from None


def _not(field: str, why: str) -> Problem:
    return Problem(
        422,
        "invalid-request",
        "Some fields are not acceptable.",
        [FieldError(field, "invalid-cursor" if field == "cursor" else "invalid", why)],
    )
