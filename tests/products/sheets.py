"""CSV files for tests, and what is asked of an import of one."""

import asyncio
import csv
import io
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.products import AppendImport, GetImport, ImportProducts, ImportView

HEADER = (
    "Handle,Title,Body (HTML),Product Category,Published,Option1 Name,Option1 Value,"
    "Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,"
    "Variant Compare At Price,Variant Barcode,Image Src,Image Alt Text,Status"
)
SETTLED_SECONDS_MAX = 60.0
PIECE = 1_000


def sheet(*rows: dict[str, Any], header: str = HEADER, end: str = "\r\n") -> bytes:
    """A file of these rows; columns that a row does not name are empty."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header.split(","), "", lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def row(handle: str, sku: str, price: str = "19.99", **more: Any) -> dict[str, Any]:
    """A product of one variant."""
    named = {"Title": handle.title()} | {
        name.replace("_", " "): value for name, value in more.items()
    }
    return {"Handle": handle, "Variant SKU": sku, "Variant Price": price} | named


async def send(s: Any, data: bytes, **more: Any) -> UUID:
    """Send a file in small pieces and have it imported; its id."""
    import_id = more.pop("import_id", None) or new_id()
    for start in range(0, len(data), PIECE):
        piece = data[start : start + PIECE]
        await s.ask(AppendImport(import_id=import_id, start=start, data=piece))
    editor = more.pop("editor_id", None)
    await s.ask(
        ImportProducts(
            import_id=import_id,
            owner_id=more.pop("owner_id", None) or editor or new_id(),
            editor_id=editor,
            seller_id=more.pop("seller_id", editor),
            bytes_total=len(data),
        ),
        **more,
    )
    return import_id


async def ended(s: Any, import_id: UUID, **more: Any) -> ImportView:
    """The import when it has come to its end."""
    loop = asyncio.get_running_loop()
    end = loop.time() + SETTLED_SECONDS_MAX
    while True:
        query = GetImport(import_id=import_id, viewer_id=None, **more)
        view: ImportView = await s.ask(query)
        if view.status in ("DONE", "FAILED"):
            return view
        assert loop.time() < end, f"the import stands at {view.rows_done} rows"
        await asyncio.sleep(0.02)


async def imported(s: Any, *rows: dict[str, Any], **more: Any) -> ImportView:
    """What becomes of a file of these rows."""
    return await ended(s, await send(s, sheet(*rows), **more))


def counts(view: ImportView) -> tuple[int, int, int, int]:
    """Products created, updated, unchanged, failed."""
    return view.created, view.updated, view.unchanged, view.failed
