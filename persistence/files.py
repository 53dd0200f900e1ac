"""What files remembers: which pictures there are, and where their sizes lie."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg
from sqlmodel import Field, SQLModel

from bus.files import PUBLIC_ENTITY_TYPES, Rendition
from bus.kit.values import Value
from persistence.kit.database import Db
from persistence.kit.tables import domain_metadata
from persistence.kit.transaction import Tx

metadata = domain_metadata("files")


class Table(SQLModel):
    """A table in this domain's database."""

    metadata = metadata


class FileRow(Table, table=True):
    """A picture; a deleted one keeps its row until its contents are gone."""

    __tablename__ = "files"

    id: UUID = Field(primary_key=True)
    owner_id: UUID | None = Field(index=True)
    entity_type: str = Field(sa_type=sa.Text)
    entity_id: str = Field(sa_type=sa.Text)
    renditions: dict[str, Any] = Field(sa_type=pg.JSONB)
    deleted: bool
    created_at: datetime = Field(sa_type=sa.DateTime(timezone=True))


class File(Value, frozen=True, kw_only=True):
    """A row of the table as the domain reads it."""

    id: UUID
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    renditions: dict[str, Rendition]
    deleted: bool
    created_at: datetime


_COLUMNS = "id, owner_id, entity_type, entity_id, renditions, deleted, created_at"
_read_renditions = msgspec.json.Decoder(dict[str, Rendition]).decode


async def load_file(db: Db | Tx, file_id: UUID) -> File | None:
    """One file, deleted ones included, or None."""
    row = await db.fetchrow(
        f"SELECT {_COLUMNS} FROM files WHERE id = $1",
        file_id,
    )
    return None if row is None else _file(row)


async def private_files_of(
    db: Db, owner_id: UUID, *, after: UUID | None, limit: int
) -> list[File]:
    """A person's files that the public does not see, by their ids."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM files
           WHERE owner_id = $1 AND NOT deleted AND NOT entity_type = ANY($2::text[])
             AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4""",
        owner_id,
        sorted(PUBLIC_ENTITY_TYPES),
        after,
        limit,
    )
    return [_file(row) for row in rows]


async def insert_files(tx: Tx, files: list[File]) -> set[UUID]:
    """Write files once each; returns the ids of those that are new."""
    rows = sorted(files, key=lambda file: file.id)
    inserted = await tx.fetch(
        """INSERT INTO files (id, owner_id, entity_type, entity_id, renditions, deleted,
             created_at)
           SELECT id, owner_id, entity_type, entity_id, renditions, false, $6
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[])
             AS new (id, owner_id, entity_type, entity_id, renditions)
           ON CONFLICT (id) DO NOTHING RETURNING id""",
        [row.id for row in rows],
        [row.owner_id for row in rows],
        [row.entity_type for row in rows],
        [row.entity_id for row in rows],
        [msgspec.json.encode(row.renditions).decode() for row in rows],
        tx.now,
    )
    return {row["id"] for row in inserted}


async def mark_deleted(tx: Tx, file_id: UUID) -> bool:
    """Take a file out of sight; False when it already was."""
    marked = await tx.fetchval(
        "UPDATE files SET deleted = true WHERE id = $1 AND NOT deleted RETURNING id",
        file_id,
    )
    return marked is not None


async def drop_file(tx: Tx, file_id: UUID) -> None:
    """Remove the row of a deleted file."""
    await tx.execute("DELETE FROM files WHERE id = $1 AND deleted", file_id)


def _file(row: Any) -> File:
    values: dict[str, Any] = dict(row)
    return File(**values | {"renditions": _read_renditions(row["renditions"])})
