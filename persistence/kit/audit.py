"""The audit log: written in the change's own transaction, never changed after."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.audit import AuditEntry, AuditQuery
from persistence.kit.database import Db
from persistence.kit.handled import born_on

DAYS_MAX = 400
FACTS_BYTES_MAX = 16_384
DAYS_AT_ONCE = 8

Facts = Mapping[str, Any]

_encoder = msgspec.json.Encoder()


def entry(
    id_: UUID,
    at: datetime,
    who: tuple[str, str | None],
    what: tuple[str, object],
    before: Facts | None,
    after: Facts | None,
) -> AuditEntry:
    """An entry of the actor and the request id, and of the action and its entity.

    Of a change the facts that differ are kept.
    """
    if before is not None and after is not None:
        same = {name for name in before if before[name] == after.get(name, object)}
        before = {name: value for name, value in before.items() if name not in same}
        after = {name: value for name, value in after.items() if name not in same}
    return AuditEntry(
        id=id_,
        at=at,
        actor=who[0],
        request_id=who[1],
        action=what[0],
        entity=str(what[1]),
        before=_bounded(before),
        after=_bounded(after),
    )


def names_changed(before: object, after: object, *names: str) -> list[str]:
    """Which of these fields differ: what an entry tells of what is a person's."""
    return [name for name in names if getattr(before, name) != getattr(after, name)]


async def write(connection: Any, entries: Sequence[AuditEntry]) -> None:
    """Add entries; a change that is rolled back takes its own with it."""
    await connection.execute(
        """INSERT INTO audit
             (id, day, at, action, actor, entity, before, after, request_id)
           SELECT id, (at AT TIME ZONE 'UTC')::date, at, action, actor, entity,
                  before::jsonb, after::jsonb, request_id
           FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[],
                       $5::text[], $6::text[], $7::text[], $8::text[])
             AS added (id, at, action, actor, entity, before, after, request_id)""",
        [each.id for each in entries],
        [each.at for each in entries],
        [each.action for each in entries],
        [each.actor for each in entries],
        [each.entity for each in entries],
        [_json(each.before) for each in entries],
        [_json(each.after) for each in entries],
        [each.request_id for each in entries],
    )


async def read(db: Db, query: AuditQuery) -> tuple[AuditEntry, ...]:
    """The newest entries that are asked for; ids are in the order of time.

    A day is a partition, and planning alone costs the same for each: so first is read
    which days hold what is asked for, and of those so many as fill the page.
    """
    found: list[Any] = []
    below = date.max
    while len(found) < query.limit:
        days = await _days(db, query, below)
        if not days:
            break
        found += await _read_days(db, query, days, query.limit - len(found))
        below = days[-1]
    return tuple(
        AuditEntry(
            **{**row, "before": _plain(row["before"]), "after": _plain(row["after"])}
        )
        for row in found
    )


async def _days(db: Db, query: AuditQuery, below: date) -> list[date]:
    """The newest days before `below` that hold all that is asked for, DAYS_AT_ONCE."""
    wanted = {"entity": query.entity, "actor": query.actor}
    given = {kind: name for kind, name in wanted.items() if name is not None}
    given = given or {"any": ""}
    since = date.min if query.since is None else query.since.astimezone(UTC).date()
    newest = date.max if query.before is None else born_on(query.before, date.max)
    rows = await db.fetch(
        """SELECT day FROM audit_days
           WHERE (kind, name) IN (SELECT * FROM unnest($1::text[], $2::text[]))
             AND day < $3 AND day BETWEEN $4 AND $5
           GROUP BY day HAVING count(*) = cardinality($1)
           ORDER BY day DESC LIMIT $6""",
        list(given),
        list(given.values()),
        below,
        since,
        newest,
        DAYS_AT_ONCE,
    )
    return [row["day"] for row in rows]


async def _read_days(
    db: Db, query: AuditQuery, days: Sequence[date], limit: int
) -> list[Any]:
    return await db.fetch(
        """SELECT id, at, action, actor, entity, before::text, after::text, request_id
           FROM audit
           WHERE day = ANY($1::date[])
             AND ($2::text IS NULL OR entity = $2)
             AND ($3::text IS NULL OR actor = $3)
             AND ($4::timestamptz IS NULL OR at >= $4)
             AND ($5::uuid IS NULL OR id < $5)
           ORDER BY id DESC LIMIT $6""",
        days,
        query.entity,
        query.actor,
        query.since,
        query.before,
        limit,
    )


def _bounded(facts: Facts | None) -> dict[str, Any] | None:
    """The facts, or, where they are too many, what they were about."""
    if facts is None:
        return None
    if len(_encoder.encode(facts)) > FACTS_BYTES_MAX:
        return {"too_long": sorted(facts)}
    return dict(facts)


def _json(facts: Mapping[str, Any] | None) -> str | None:
    return None if facts is None else _encoder.encode(facts).decode()


def _plain(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    plain: dict[str, Any] = msgspec.json.decode(text)
    return plain
