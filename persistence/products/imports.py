"""Imports: the pieces of a file, how far it is, and what was wrong in it."""

from collections.abc import Sequence
from uuid import UUID

from bus.kit.values import Value
from bus.products import (
    ISSUES_MAX,
    ImportIssue,
    ImportProducts,
    ImportStatus,
    ImportView,
)
from bus.products.steps import NoteImport
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

WARNINGS_SHOWN_MAX = 100


class ImportState(Value, frozen=True, kw_only=True):
    """What whoever carries an import out must know of it."""

    id: UUID
    owner_id: UUID
    editor_id: UUID | None
    seller_id: UUID | None
    status: ImportStatus
    place: int
    tries: int


async def append_piece(tx: Tx, import_id: UUID, start: int, data: bytes) -> None:
    """Keep a piece at its place; sent again, by whoever, it is the newer one."""
    await tx.execute(
        """INSERT INTO import_pieces (import_id, start, data) VALUES ($1, $2, $3)
           ON CONFLICT (import_id, start) DO UPDATE SET data = excluded.data""",
        import_id,
        start,
        data,
    )


async def count_bytes(tx: Tx, import_id: UUID, end_max: int) -> int:
    """How far the file's pieces before `end_max` follow each other without a gap."""
    rows = await tx.fetch(
        """SELECT start, length(data) AS length FROM import_pieces
           WHERE import_id = $1 AND start < $2 ORDER BY start""",
        import_id,
        end_max,
    )
    end = 0
    for row in rows:
        if row["start"] != end:
            break
        end += row["length"]
    return end


async def cut_file(tx: Tx, import_id: UUID, bytes_total: int) -> None:
    """Drop what an earlier, longer file of this id has left."""
    await tx.execute(
        "DELETE FROM import_pieces WHERE import_id = $1 AND start >= $2",
        import_id,
        bytes_total,
    )


async def read_file(
    db: Db | Tx, import_id: UUID, pieces_max: int | None = None
) -> bytes:
    """The file's bytes, or those of its first pieces."""
    rows = await db.fetch(
        """SELECT data FROM import_pieces WHERE import_id = $1
           ORDER BY start LIMIT $2""",
        import_id,
        pieces_max,
    )
    return b"".join(row["data"] for row in rows)


async def count_open_imports(tx: Tx, owner_id: UUID) -> int:
    """How many imports of a person have not ended."""
    count: int = await tx.fetchval(
        """SELECT count(*) FROM imports
           WHERE owner_id = $1 AND status IN ('PENDING', 'RUNNING')""",
        owner_id,
    )
    return count


async def has_import(tx: Tx, import_id: UUID) -> bool:
    """Whether an import has begun."""
    known: bool = await tx.fetchval(
        "SELECT EXISTS (SELECT FROM imports WHERE id = $1)", import_id
    )
    return known


async def insert_import(tx: Tx, asked: ImportProducts) -> None:
    """Write an import that is to be carried out, insert-once."""
    await tx.execute(
        """INSERT INTO imports (id, owner_id, editor_id, seller_id, status, place,
             tries, rows_done, created, updated, unchanged, failed, errors_total,
             warnings_total, version, created_at, updated_at)
           VALUES ($1, $2, $3, $4, 'PENDING', -1, 0, 0, 0, 0, 0, 0, 0, 0, 1, $5, $5)
           ON CONFLICT DO NOTHING""",
        asked.import_id,
        asked.owner_id,
        asked.editor_id,
        asked.seller_id,
        tx.now,
    )


async def take_up_import(tx: Tx, import_id: UUID) -> ImportState | None:
    """The import, once more taken up; None where there is none any more."""
    row = await tx.fetchrow(
        """UPDATE imports SET tries = tries + 1 WHERE id = $1
           RETURNING id, owner_id, editor_id, seller_id, status, place, tries""",
        import_id,
    )
    return ImportState(**row) if row else None


async def note_import(tx: Tx, note: NoteImport) -> None:
    """Move an import on, if it stands where the note begins; else it was noted."""
    counts = note.counts
    issues_before = await tx.fetchval(
        """UPDATE imports SET place = $3, tries = 0, version = version + 1,
             status = 'RUNNING', updated_at = $4,
             rows_total = coalesce($5, rows_total), rows_done = rows_done + $6,
             created = created + $7, updated = updated + $8,
             unchanged = unchanged + $9, failed = failed + $10,
             errors_total = errors_total + $11, warnings_total = warnings_total + $12
           WHERE id = $1 AND place = $2 AND status IN ('PENDING', 'RUNNING')
           RETURNING errors_total + warnings_total - $11 - $12""",
        note.import_id,
        note.begin,
        note.end,
        tx.now,
        note.rows_total,
        counts.rows,
        counts.created,
        counts.updated,
        counts.unchanged,
        counts.failed,
        len(note.errors),
        len(note.warnings),
    )
    if issues_before is not None:
        marked = [(issue, False) for issue in note.errors]
        marked += [(issue, True) for issue in note.warnings]
        await _insert_issues(tx, note.import_id, issues_before, marked)


async def finish_import(tx: Tx, import_id: UUID, error: ImportIssue | None) -> None:
    """End an import once, and drop its file."""
    issues = await tx.fetchval(
        """UPDATE imports SET status = $2, version = version + 1, updated_at = $3,
             errors_total = errors_total + $4
           WHERE id = $1 AND status IN ('PENDING', 'RUNNING')
           RETURNING errors_total + warnings_total - $4""",
        import_id,
        "DONE" if error is None else "FAILED",
        tx.now,
        int(error is not None),
    )
    if issues is not None and error is not None:
        # Why it failed is kept, however many lines were wrong before.
        place = min(issues, ISSUES_MAX - 1)
        await _insert_issues(tx, import_id, place, [(error, False)])
    await tx.execute("DELETE FROM import_pieces WHERE import_id = $1", import_id)


async def drop_import(tx: Tx, import_id: UUID) -> None:
    """Forget all of an import."""
    await tx.execute("DELETE FROM import_pieces WHERE import_id = $1", import_id)
    await tx.execute("DELETE FROM import_issues WHERE import_id = $1", import_id)
    await tx.execute("DELETE FROM imports WHERE id = $1", import_id)


async def find_import(
    db: Db, import_id: UUID, viewer_id: UUID | None, after: int, limit: int
) -> ImportView | None:
    """How far an import is, with a page of its errors after number `after`."""
    row = await db.fetchrow(
        """SELECT id, version, created_at, updated_at, status, rows_total, rows_done,
             created, updated, unchanged, failed, errors_total, warnings_total
           FROM imports WHERE id = $1 AND ($2::uuid IS NULL OR owner_id = $2)""",
        import_id,
        viewer_id,
    )
    if row is None:
        return None
    errors = await _find_issues(db, import_id, after, limit + 1, warning=False)
    warnings = await _find_issues(db, import_id, -1, WARNINGS_SHOWN_MAX, warning=True)
    more = len(errors) > limit
    errors = errors[:limit]
    return ImportView(
        **row,
        errors=tuple(issue for _, issue in errors),
        warnings=tuple(issue for _, issue in warnings),
        next_cursor=str(errors[-1][0]) if more else None,
    )


async def _find_issues(
    db: Db, import_id: UUID, after: int, limit: int, *, warning: bool
) -> list[tuple[int, ImportIssue]]:
    rows = await db.fetch(
        """SELECT number, line, field, code, detail FROM import_issues
           WHERE import_id = $1 AND warning = $2 AND number > $3
           ORDER BY number LIMIT $4""",
        import_id,
        warning,
        after,
        limit,
    )
    return [
        (
            row["number"],
            ImportIssue(
                line=row["line"],
                column=row["field"],
                code=row["code"],
                detail=row["detail"],
            ),
        )
        for row in rows
    ]


async def _insert_issues(
    tx: Tx, import_id: UUID, first: int, marked: Sequence[tuple[ImportIssue, bool]]
) -> None:
    kept = list(marked)[: max(0, ISSUES_MAX - first)]
    if not kept:
        return
    await tx.execute(
        """INSERT INTO import_issues (import_id, number, warning, line, field, code,
             detail)
           SELECT $1, * FROM unnest($2::int[], $3::boolean[], $4::int[], $5::text[],
             $6::text[], $7::text[])
           ON CONFLICT (import_id, number) DO UPDATE SET warning = excluded.warning,
             line = excluded.line, field = excluded.field, code = excluded.code,
             detail = excluded.detail""",
        import_id,
        list(range(first, first + len(kept))),
        [warning for _, warning in kept],
        [issue.line for issue, _ in kept],
        [issue.column for issue, _ in kept],
        [issue.code for issue, _ in kept],
        [issue.detail for issue, _ in kept],
    )
