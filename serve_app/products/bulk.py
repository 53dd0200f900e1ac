"""Routes of goods in bulk: a CSV of products taken in, and given out.

They stand before those of single products, whose addresses have an id or a slug where
these have `import` and `export`.
"""

import asyncio
import codecs
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import StreamingResponse

from bus.kit.addressing import derived_id
from bus.kit.refusals import FieldError
from bus.products import (
    PIECE_BYTES_MAX,
    AppendImport,
    ExportProducts,
    GetImport,
    ImportProducts,
    ImportReceipt,
    ImportView,
    ListCategories,
    ProductStatus,
)
from bus.products.sheets import category_names
from serve_app.kit.bodies import invalid_request
from serve_app.kit.problems import Problem
from serve_app.kit.routing import SELLER, Answer, Caller, Pages, accepted, ask
from serve_app.products.router import editor_of, router
from serve_app.products.sheets import header, lines_of
from serve_app.products.views import with_availability

UPLOAD_SECONDS_MAX = 300
EXPORT_PRODUCTS_MAX = 50
"""Products that an export holds in memory at once."""

Seller = Annotated[
    UUID | None, Query(description="Whose products: for administrators.")
]


@router.post(
    "/products/import",
    access=SELLER,
    idempotent=True,
    upload=True,
    status=202,
    also=(400, 408, 429),
)
async def import_products(
    request: Request, caller: Caller, seller: Seller = None
) -> Answer[ImportReceipt]:
    """Import a CSV of products, as Shopify exports it.

    The file is the body (`text/csv`) or the `file` of a form: UTF-8, commas, at most
    50 000 rows, columns in any order under Shopify's older or newer names. Handle,
    Title, Variant SKU and Variant Price must be there (422 `missing-columns`). Rows of
    one handle are one product: it is made, or brought to what the file says, whole or
    not at all; every error names its line. What has no column, and variants that are
    not named, stay as they are. The same file again changes nothing.

    A seller's file touches own products alone (else `handle-taken`, `sku-taken`); an
    administrator's new products are the shop's, or `seller`'s. Prices are exact
    decimals of the shop's currency, descriptions become plain text, `archived` becomes
    a draft, pictures are not fetched (`image-not-fetched`). `Variant Inventory Qty`
    opens the stock of a SKU that is new; other stock is never touched.

    The work goes on after the answer: `GET /products/import/{id}` says how far it is.
    """
    command_id = caller.command_id()
    import_id = derived_id(command_id, "import")
    if seller is not None and not caller.is_admin and seller != caller.user_id:
        raise Problem(403, "forbidden", "You import only what is your own.")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS_MAX), _file_of(request) as pieces:
            length, digest = await _send(import_id, pieces)
    except TimeoutError:
        raise Problem(408, "request-timeout", "The file did not come.") from None
    caller.body_hash = digest
    editor = editor_of(caller)
    command = ImportProducts(
        import_id=import_id,
        owner_id=caller.person,
        editor_id=editor,
        seller_id=seller if caller.is_admin else editor,
        bytes_total=length,
    )
    receipt = await ask(command, id=command_id)
    return accepted(receipt, f"/products/import/{receipt.id}")


@router.get("/products/import/{import_id}", access=SELLER)
async def get_import(import_id: UUID, caller: Caller, pages: Pages) -> ImportView:
    """Show how far an import is, and what was wrong in its lines.

    `PENDING`, `RUNNING`, `DONE`, or `FAILED`: the file could not be read and nothing of
    it was imported (its error says why), or the work could not go on (`given-up`; what
    was done stays). `created`, `updated`, `unchanged` and `failed` count products.
    `errors` come in pages; of errors and warnings 2 000 are kept, for 30 days. Only for
    whoever began it, and administrators.
    """
    query = GetImport(
        import_id=import_id,
        viewer_id=editor_of(caller),
        limit=pages.limit,
        cursor=pages.cursor,
    )
    return await ask(query)


@router.get("/products/export", access=SELLER)
async def export_products(
    request: Request,
    caller: Caller,
    status: ProductStatus | None = None,
    seller: Seller = None,
) -> StreamingResponse:
    """Export products as a CSV in Shopify's columns: a seller's own, or all.

    Without `status` all that are not archived. Each product is whole and as it stood
    at one moment. Texts that a spreadsheet would take for a formula have an apostrophe
    before them, which an import takes away again: importing an export changes nothing.
    """
    if seller is not None and not caller.is_admin and seller != caller.user_id:
        raise Problem(403, "forbidden", "You export only what is your own.")
    whose = seller if caller.is_admin else caller.person
    first = await _page(whose, status, None)  # while a refusal can still be answered
    names = category_names((await ask(ListCategories())).items)

    async def lines() -> AsyncIterator[bytes]:
        yield header()
        items, cursor = first
        while True:
            base = str(request.base_url).rstrip("/")
            for product in await with_availability(items):
                yield lines_of(product, names, base)
            if cursor is None:
                return
            items, cursor = await _page(whose, status, UUID(cursor))

    headers = {
        "Content-Disposition": 'attachment; filename="products_export.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(lines(), 200, headers, "text/csv; charset=utf-8")


async def _page(
    whose: UUID | None, status: ProductStatus | None, after: UUID | None
) -> tuple[tuple, str | None]:  # type: ignore[type-arg]
    query = ExportProducts(
        seller_id=whose, status=status, after=after, limit=EXPORT_PRODUCTS_MAX
    )
    page = await ask(query)
    return page.items, page.next_cursor


@asynccontextmanager
async def _file_of(request: Request) -> AsyncIterator[AsyncIterator[bytes]]:
    """The file's bytes as they come; raises Problem 400, 415 or 422."""
    kind, _, rest = request.headers.get("content-type", "").partition(";")
    kind, charset = kind.strip().lower(), rest.lower().partition("charset=")[2]
    if kind == "text/csv" and charset.strip(' "') in ("", "utf-8", "utf8", "us-ascii"):
        yield request.stream()
        return
    if kind != "multipart/form-data":
        detail = "Send text/csv in UTF-8, or a form with the file."
        raise Problem(415, "unsupported-media-type", detail)
    try:
        form = await request.form(max_files=1, max_fields=1)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Problem(400, "malformed-form", str(error.detail)) from None
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile) or len(form) != 1:
            raise invalid_request([FieldError("file", "required", "Send the file.")])
        yield _pieces_of(file)
    finally:
        await form.close()


async def _pieces_of(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE_BYTES_MAX):
        yield piece


async def _send(import_id: UUID, pieces: AsyncIterator[bytes]) -> tuple[int, bytes]:
    """Hand a file on in pieces as it comes; its length, and its hash."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    digest, start, waiting = hashlib.sha256(), 0, bytearray()

    async def flush(least: int) -> None:
        nonlocal start
        while len(waiting) > least:
            piece = bytes(waiting[:PIECE_BYTES_MAX])
            del waiting[:PIECE_BYTES_MAX]
            await ask(AppendImport(import_id=import_id, start=start, data=piece))
            start += len(piece)

    try:
        async for piece in pieces:
            decoder.decode(piece)
            digest.update(piece)
            waiting += piece
            await flush(PIECE_BYTES_MAX)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise Problem(422, "not-utf-8", "The file must be text in UTF-8.") from None
    await flush(0)
    if start == 0:
        raise Problem(422, "empty-file", "The file is empty.")
    return start, digest.digest()
