"""The audit log: written in the change's own transaction, never changed after."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.audit import AuditEntry, AuditQuery
from persistence.kit.database import Db

DAYS_MAX = 400
FACTS_BYTES_MAX = 16_384

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
    """The newest entries that are asked for; ids are in the order of time."""
    rows = await db.fetch(
        """SELECT id, at, action, actor, entity, before::text, after::text, request_id
           FROM audit
           WHERE ($1::text IS NULL OR entity = $1)
             AND ($2::text IS NULL OR actor = $2)
             AND ($3::timestamptz IS NULL
                  OR (at >= $3 AND day >= ($3 AT TIME ZONE 'UTC')::date))
             AND ($4::uuid IS NULL OR id < $4)
           ORDER BY id DESC LIMIT $5""",
        query.entity,
        query.actor,
        query.since,
        query.before,
        query.limit,
    )
    return tuple(
        AuditEntry(
            **{**row, "before": _plain(row["before"]), "after": _plain(row["after"])}
        )
        for row in rows
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
