"""What importers and exporters of goods in bulk say and ask."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from bus.kit.messages import ANY, Command, Query, by
from bus.kit.values import LIMIT_DEFAULT, Done, Page, Value
from bus.products.views import ProductStatus, ProductView

PIECE_BYTES_MAX = 512 * 1024
IMPORT_ROWS_MAX = 50_000
ISSUES_MAX = 2_000
"""Errors and warnings that are kept of one import; all of them are counted."""

ImportStatus = Literal["PENDING", "RUNNING", "DONE", "FAILED"]


class ImportIssue(Value, frozen=True, kw_only=True):
    """What is wrong in a line of the file; the first line, 1, holds the columns."""

    line: int
    column: str
    code: str
    detail: str


class ImportReceipt(Value, frozen=True, kw_only=True):
    """That a file was taken; what becomes of it is asked by its id."""

    id: UUID
    version: int
    created_at: datetime
    status: ImportStatus


class ImportView(Value, frozen=True, kw_only=True):
    """How far an import is; what is counted besides rows are products.

    `rows_total` is None until the file has been read. `failed` products were left as
    they were. Of `errors` and `warnings` at most ISSUES_MAX are kept together;
    `errors` come in pages, `warnings` are the first hundred.
    """

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    status: ImportStatus
    rows_total: int | None
    rows_done: int
    created: int
    updated: int
    unchanged: int
    failed: int
    errors_total: int
    warnings_total: int
    errors: tuple[ImportIssue, ...] = ()
    warnings: tuple[ImportIssue, ...] = ()
    next_cursor: str | None = None


class AppendImport(Command[Done], frozen=True, kw_only=True):
    """Keep a piece of a file that is to be imported; a piece that is there stays.

    `start` is its first byte's place in the file. What is never imported is dropped
    after an hour.
    """

    key = by("import_id")
    remembered = False
    import_id: UUID
    start: int
    data: bytes


class ImportProducts(Command[ImportReceipt], frozen=True, kw_only=True):
    """Import the file of `bytes_total` bytes that was sent; the work goes on after it.

    `editor_id` None is an administrator, else the seller whose products alone it may
    touch; new products are `seller_id`'s (None: the shop's own). Refused at once when
    its columns are not those of a product CSV, or a piece of it is missing.
    """

    key = by("import_id")
    import_id: UUID
    owner_id: UUID
    editor_id: UUID | None
    seller_id: UUID | None
    bytes_total: int


class GetImport(Query[ImportView], frozen=True, kw_only=True):
    """How far an import is; `viewer_id` None is an administrator, else its owner."""

    key = ANY
    import_id: UUID
    viewer_id: UUID | None
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class ExportProducts(Query[Page[ProductView]], frozen=True, kw_only=True):
    """Products whole, by id, after `after`: a seller's, or (None) all.

    Without a status all that are not archived.
    """

    key = ANY
    seller_id: UUID | None
    status: ProductStatus | None = None
    after: UUID | None = None
    limit: int = LIMIT_DEFAULT
