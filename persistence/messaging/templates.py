"""The shop's own mail templates, by name and locale."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.values import Value
from bus.messaging import TemplateText, TemplateView
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

TEMPLATES_MAX = 500

_COLUMNS = """name, locale, subject, mjml, text, description, sample, version,
  created_at, updated_at"""


class TemplateKey(Value, frozen=True):
    """Which version of which template."""

    name: str
    locale: str
    version: int


async def own_versions(db: Db, names: Collection[str]) -> list[TemplateKey]:
    """The shop's own versions of these templates."""
    rows = await db.fetch(
        """SELECT name, locale, version FROM email_templates
           WHERE name = ANY($1) AND NOT removed ORDER BY name, locale""",
        sorted(names),
    )
    return [TemplateKey(*row) for row in rows]


async def own_templates(db: Db, names: Collection[str] | None) -> list[TemplateView]:
    """The shop's own templates of these names (None: all), by name and locale."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM email_templates
            WHERE ($1::text[] IS NULL OR name = ANY($1)) AND NOT removed
            ORDER BY name, locale""",
        None if names is None else sorted(names),
    )
    return [_view(row) for row in rows]


async def count_own(db: Db) -> int:
    """How many templates the shop has of its own."""
    count: int = await db.fetchval(
        "SELECT count(*) FROM email_templates WHERE NOT removed"
    )
    return count


async def create_template(
    tx: Tx, name: str, locale: str, content: TemplateText, actor_id: UUID
) -> int | None:
    """Insert one, or bring back a removed one as its next version; None: it is there.

    Returns the version.
    """
    version: int | None = await tx.fetchval(
        """INSERT INTO email_templates AS own (name, locale, subject, mjml, text,
             description, sample, actor_id, removed, version, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, false, 1, $9, $9)
           ON CONFLICT (name, locale) DO UPDATE SET subject = excluded.subject,
             mjml = excluded.mjml, text = excluded.text,
             description = excluded.description, sample = excluded.sample,
             actor_id = excluded.actor_id, removed = false, version = own.version + 1,
             created_at = excluded.created_at, updated_at = excluded.updated_at
           WHERE own.removed RETURNING version""",
        *_values(name, locale, content, actor_id),
        tx.now,
    )
    return version


async def change_template(
    tx: Tx,
    name: str,
    locale: str,
    content: TemplateText,
    actor_id: UUID,
    *,
    version: int | None,
) -> int | None:
    """Bring one a version further; None: it is not there, or not at `version`."""
    changed: int | None = await tx.fetchval(
        """UPDATE email_templates SET subject = $3, mjml = $4, text = $5,
             description = $6, sample = $7, actor_id = $8, version = version + 1,
             updated_at = $9
           WHERE name = $1 AND locale = $2 AND NOT removed
             AND ($10::int IS NULL OR version = $10) RETURNING version""",
        *_values(name, locale, content, actor_id),
        tx.now,
        version,
    )
    return changed


async def remove_template(
    tx: Tx, name: str, locale: str, actor_id: UUID, *, version: int | None
) -> int | None:
    """Remove one; None: it is not there, or not at `version`."""
    removed: int | None = await tx.fetchval(
        """UPDATE email_templates SET removed = true, version = version + 1,
             actor_id = $3, updated_at = $4
           WHERE name = $1 AND locale = $2 AND NOT removed
             AND ($5::int IS NULL OR version = $5) RETURNING version""",
        name,
        locale,
        actor_id,
        tx.now,
        version,
    )
    return removed


def _values(name: str, locale: str, content: TemplateText, actor_id: UUID) -> list[Any]:
    return [
        name,
        locale,
        content.subject,
        content.mjml,
        content.text,
        content.description,
        msgspec.json.encode(content.sample).decode(),
        actor_id,
    ]


def _view(row: Any) -> TemplateView:
    values = dict(row)
    sample = msgspec.json.decode(values.pop("sample"))
    return TemplateView(source="own", required=(), sample=sample, **values)
