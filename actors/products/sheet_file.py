"""A CSV file of products as it is read: its columns, and its rows by product."""

import asyncio
import csv
import io
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from slugify import slugify

from bus.kit.refusals import FieldError, invalid
from bus.products import IMPORT_ROWS_MAX, ImportIssue
from bus.products.sheets import COLUMNS, REQUIRED, column_name, unguarded

SLUG_MAX = 100
CELL_CHARACTERS_MAX = 1 << 20
COLUMNS_MAX = 500
ROWS_AT_ONCE = 200
IGNORED_SHOWN_MAX = 60

_NONE: list[str] = []

csv.field_size_limit(CELL_CHARACTERS_MAX)


class _Reader(Protocol):
    """What `csv.reader` makes."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> list[str]: ...


class Row:
    """The cells that are read of a row, by column; `line` is where it begins."""

    __slots__ = ("cells", "line")

    def __init__(self, line: int, cells: dict[str, str]) -> None:
        self.line = line
        self.cells = cells

    def __getitem__(self, column: str) -> str:
        """The cell's text without blanks around it; a column that is not there: ''."""
        return self.cells.get(column, "").strip()


class Group(NamedTuple):
    """The rows of one product, in their order; without a handle `slug` is empty."""

    slug: str
    rows: list[Row]


class Sheet(NamedTuple):
    """A whole file; `owners` has for each SKU the product that names it first."""

    columns: frozenset[str]
    groups: list[Group]
    owners: dict[str, str]
    rows_total: int
    warnings: tuple[ImportIssue, ...]


class Unreadable(Exception):
    """The file cannot be read on; nothing of it is imported."""

    def __init__(self, line: int, code: str, detail: str) -> None:
        super().__init__(code)
        self.issue = ImportIssue(line=line, column="", code=code, detail=detail)


def check_header(start: bytes) -> None:
    """Refuse a file that does not begin with the columns of a product CSV."""
    try:
        reader = _reader(start)
        names = next(reader, _NONE)
    except csv.Error as error:
        raise invalid("malformed-csv", f"Line 1: {error}.") from None
    except UnicodeDecodeError:
        raise invalid("not-utf-8", "The file must be text in UTF-8.") from None
    if not any(name.strip() for name in names):
        raise invalid("empty-file", "The first line must name the columns.")
    if len(names) > COLUMNS_MAX:
        raise invalid("too-many-columns", f"At most {COLUMNS_MAX} columns.")
    known = _known(names)
    missing = [column for column in REQUIRED if column not in known]
    if len(names) == 1 and missing and any(mark in names[0] for mark in ";\t|"):
        raise invalid("wrong-delimiter", "Columns are separated by commas.")
    if missing:
        errors = (
            FieldError(column_name(column), "missing-column") for column in missing
        )
        raise invalid("missing-columns", "The file lacks columns.", *errors)
    named = [column for column in known if column is not None]
    if twice := sorted({column for column in named if named.count(column) > 1}):
        errors = (FieldError(column_name(each), "repeated-column") for each in twice)
        raise invalid("repeated-columns", "A column stands twice.", *errors)


async def read_sheet(data: bytes) -> Sheet:
    """Read a whole file, some rows at a time, so that others get their turn.

    Raises Unreadable.
    """
    reader = _reader(data)
    groups: dict[str, Group] = {}
    owners: dict[str, str] = {}
    total = 0
    try:
        names = next(reader, _NONE)
        known = _known(names)
        for row in _rows(reader, known):
            total += 1
            if total > IMPORT_ROWS_MAX:
                detail = f"At most {IMPORT_ROWS_MAX} rows at once."
                raise Unreadable(row.line, "too-many-rows", detail)
            slug = slugify(row["handle"]) or slugify(row["title"], max_length=SLUG_MAX)
            # A row without a name of its own belongs to nobody: a group of its own.
            key = slug or f"\0{row.line}"
            groups.setdefault(key, Group(slug, [])).rows.append(row)
            owners.setdefault(row["sku"], slug)
            if total % ROWS_AT_ONCE == 0:
                await asyncio.sleep(0)
    except csv.Error as error:
        detail = f"{error}."
        raise Unreadable(reader.line_num, "malformed-csv", detail) from None
    except UnicodeDecodeError:
        raise Unreadable(_undecodable(data), "not-utf-8", "Not UTF-8.") from None
    columns = frozenset(column for column in known if column is not None)
    ignored = _ignored(names, known)
    return Sheet(columns, list(groups.values()), owners, total, ignored)


def _reader(data: bytes) -> _Reader:
    text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    return csv.reader(text, strict=True)


def _known(names: list[str]) -> list[str | None]:
    return [COLUMNS.get(unguarded(name).strip().casefold()) for name in names]


def _rows(reader: _Reader, known: list[str | None]) -> Iterator[Row]:
    """The rows that are not blank; a cell beyond the columns is kept as `beyond`."""
    line = reader.line_num + 1
    for values in reader:
        if any(value.strip() for value in values):
            cells = {
                column: value
                for column, value in zip(known, values, strict=False)
                if column is not None and value
            }
            if any(values[len(known) :]):
                cells["beyond"] = "more cells than columns"
            yield Row(line, cells)
        line = reader.line_num + 1


def _undecodable(data: bytes) -> int:
    """The line of the first byte that is not UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    return 1


def _ignored(names: list[str], known: list[str | None]) -> tuple[ImportIssue, ...]:
    """A warning for each column that nothing is read from."""
    unread = [
        "".join(filter(str.isprintable, name)).strip()
        for name, column in zip(names, known, strict=True)
        if column is None and name.strip()
    ]
    return tuple(
        ImportIssue(
            line=1,
            column=name[:100],
            code="column-ignored",
            detail="Nothing is read from this column.",
        )
        for name in unread[:IGNORED_SHOWN_MAX]
    )
