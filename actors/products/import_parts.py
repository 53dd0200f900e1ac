"""Parts of a file that is imported: cut, counted, and what was wrong in them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from actors.products.sheet_file import Group
from actors.products.sheet_rows import RowReader
from bus.kit.refusals import Refusal
from bus.products import ImportIssue
from bus.products.sheets import column_name, picture_of
from bus.products.steps import ImportCounts, Imported

CHUNK_PRODUCTS_MAX = 64
CHUNK_ROWS_MAX = 128


class Part(NamedTuple):
    """What became of some products of a file."""

    counts: ImportCounts
    errors: tuple[ImportIssue, ...]
    warnings: tuple[ImportIssue, ...]


def chunks(
    groups: Sequence[Group], place: int
) -> Iterator[tuple[int, Sequence[Group]]]:
    """Parts of the file from `place` on, each with its place: few rows at a time."""
    while place < len(groups):
        end, rows = place, 0
        while end < len(groups) and end - place < CHUNK_PRODUCTS_MAX:
            rows += len(groups[end].rows)
            if end > place and rows > CHUNK_ROWS_MAX:
                break
            end += 1
        yield place, groups[place:end]
        place = end


def warn_of_pictures(
    reader: RowReader, found: Mapping[str, tuple[UUID, Any, list[str]]]
) -> None:
    """A picture is only named: a shop that fetched it would ask wherever it is told.

    One of the shop's own that hangs already is no matter.
    """
    known = found.get(reader.group.slug)
    for row in reader.group.rows:
        if row["image"] and str(picture_of(row["image"])) not in (
            known[2] if known else ()
        ):
            detail = "Pictures are not fetched; upload them and add them by their id."
            reader.warn(row, "image", "image-not-fetched", detail)


def part_of(
    readers: Sequence[RowReader], ends: Sequence[Imported | BaseException | None]
) -> Part:
    """Count what became of products, and name the lines that were wrong."""
    counts: dict[str, int] = {}
    errors: list[ImportIssue] = []
    warnings: list[ImportIssue] = []
    for reader, end in zip(readers, ends, strict=True):
        if isinstance(end, Refusal):
            errors += _refused(reader, end)
        outcome = end.outcome if isinstance(end, Imported) else "failed"
        counts[outcome] = counts.get(outcome, 0) + 1
        errors += reader.errors
        warnings += reader.warnings
    rows = sum(len(reader.group.rows) for reader in readers)
    return Part(ImportCounts(rows=rows, **counts), tuple(errors), tuple(warnings))


def _refused(reader: RowReader, refusal: Refusal) -> Iterator[ImportIssue]:
    """A refusal by the lines that it is about: those of its SKUs, else the first."""
    lines = {row["sku"]: row.line for row in reversed(reader.group.rows)}
    first = reader.group.rows[0].line
    named = [error for error in refusal.data.errors if error.field in lines]
    for error in named:
        yield ImportIssue(
            line=lines[error.field],
            column=column_name("sku"),
            code=error.code,
            detail=error.detail,
        )
    if not named:
        column = column_name("handle") if refusal.code == "handle-taken" else ""
        yield ImportIssue(
            line=first, column=column, code=refusal.code, detail=refusal.data.detail
        )
