"""What files remembers: which files there are, and where their contents lie."""

from collections.abc import Iterable
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
    """A file.

    One that is not `stored` yet is waiting for its contents; a deleted one keeps its
    row until its contents are gone.
    """

    __tablename__ = "files"
    __table_args__ = (sa.Index("ix_files_owner_day", "owner_id", "created_at"),)

    id: UUID = Field(primary_key=True)
    owner_id: UUID | None
    entity_type: str = Field(sa_type=sa.Text)
    entity_id: str = Field(sa_type=sa.Text)
    media_type: str = Field(sa_type=sa.Text)
    size_bytes: int = Field(sa_type=sa.BigInteger)
    renditions: dict[str, Any] = Field(sa_type=pg.JSONB)
    stored: bool
    deleted: bool
    created_at: datetime = Field(sa_type=sa.DateTime(timezone=True))


class File(Value, frozen=True, kw_only=True):
    """A row of the table as the domain reads it."""

    id: UUID
    owner_id: UUID | None
    entity_type: str
    entity_id: str
    media_type: str
    size_bytes: int
    renditions: dict[str, Rendition]
    stored: bool
    deleted: bool
    created_at: datetime

    @property
    def is_there(self) -> bool:
        """Whether it can be seen: its contents are stored, and it is not deleted."""
        return self.stored and not self.deleted


class Kept(Value, frozen=True):
    """What one person's files of some time add up to."""

    files: int = 0
    size_bytes: int = 0


_COLUMNS = """id, owner_id, entity_type, entity_id, media_type, size_bytes,
  renditions, stored, deleted, created_at"""
_read_renditions = msgspec.json.Decoder(dict[str, Rendition]).decode


async def load_file(db: Db | Tx, file_id: UUID) -> File | None:
    """One file, deleted and expected ones included, or None."""
    return (await load_files(db, [file_id])).get(file_id)


async def load_files(db: Db | Tx, file_ids: Iterable[UUID]) -> dict[UUID, File]:
    """Those of the files that have a row, by id."""
    rows = await db.fetch(
        f"SELECT {_COLUMNS} FROM files WHERE id = ANY($1)", sorted(file_ids)
    )
    return {row["id"]: _file(dict(row)) for row in rows}


async def private_files_of(
    db: Db, owner_id: UUID, *, after: UUID | None, limit: int
) -> list[File]:
    """A person's files that are there and the public does not see, by their ids."""
    rows = await db.fetch(
        f"""SELECT {_COLUMNS} FROM files
           WHERE owner_id = $1 AND stored AND NOT deleted
             AND NOT entity_type = ANY($2::text[])
             AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4""",
        owner_id,
        sorted(PUBLIC_ENTITY_TYPES),
        after,
        limit,
    )
    return [_file(dict(row)) for row in rows]


async def known_ids(db: Db, file_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the ids that have a row, whatever its state."""
    rows = await db.fetch(
        "SELECT id FROM files WHERE id = ANY($1)", sorted(set(file_ids))
    )
    return {row["id"] for row in rows}


async def insert_files(tx: Tx, files: Iterable[File]) -> None:
    """Write files once each; one that has a row stays as it is."""
    rows = sorted(files, key=lambda file: file.id)
    await tx.execute(
        """INSERT INTO files (id, owner_id, entity_type, entity_id, media_type,
             size_bytes, renditions, stored, deleted, created_at)
           SELECT id, owner_id, entity_type, entity_id, media_type, size_bytes,
             renditions, false, false, $8
           FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
             $6::bigint[], $7::jsonb[]) AS new (id, owner_id, entity_type, entity_id,
             media_type, size_bytes, renditions)
           ON CONFLICT (id) DO NOTHING""",
        [row.id for row in rows],
        [row.owner_id for row in rows],
        [row.entity_type for row in rows],
        [row.entity_id for row in rows],
        [row.media_type for row in rows],
        [row.size_bytes for row in rows],
        [msgspec.json.encode(row.renditions).decode() for row in rows],
        tx.now,
    )


async def hold_kept(
    tx: Tx, owner_ids: Iterable[UUID], since: datetime
) -> dict[UUID, Kept]:
    """What each owner has kept since then; nobody adds to it before the commit.

    Expected files count, deleted ones count until their contents are gone.
    """
    owners = sorted(set(owner_ids))
    # The rows that are counted may not be there yet, so the owner itself is locked; in
    # one order, for shards that lock in two kill each other's transactions.
    await tx.fetch(
        """SELECT pg_advisory_xact_lock(hashtextextended(owner::text, 0))
           FROM (SELECT owner FROM unnest($1::uuid[]) AS owner ORDER BY owner)
             AS sorted""",
        owners,
    )
    rows = await tx.fetch(
        """SELECT owner_id, count(*) AS files, sum(size_bytes)::bigint AS size_bytes
           FROM files WHERE owner_id = ANY($1) AND created_at > $2
           GROUP BY owner_id ORDER BY owner_id""",
        owners,
        since,
    )
    return {row["owner_id"]: Kept(row["files"], row["size_bytes"]) for row in rows}


async def mark_stored(tx: Tx, file_ids: Iterable[UUID]) -> set[UUID]:
    """The contents of these are stored; returns those that were only expected."""
    rows = await tx.fetch(
        """UPDATE files SET stored = true
           WHERE id IN (SELECT id FROM files WHERE id = ANY($1)
                        AND NOT stored AND NOT deleted ORDER BY id FOR UPDATE)
           RETURNING id""",
        sorted(file_ids),
    )
    return {row["id"] for row in rows}


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


async def is_due(tx: Tx, name: str) -> bool:
    """Whether a message of this name waits for its time."""
    return bool(
        await tx.fetchval("SELECT EXISTS (SELECT FROM due WHERE name = $1)", name)
    )


def _file(values: dict[str, Any]) -> File:
    renditions = _read_renditions(values["renditions"])
    return File(**values | {"renditions": renditions})
