"""Goods in bulk: a CSV file is taken, and carried out product by product.

A product is made, or brought to what the file says, whole or not at all. The work is a
process that is due until it has ended: after a crash it goes on where its last step
left it, and what it sends again acts once by its id.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.kit.process import Run
from actors.products import show
from actors.products.import_parts import (
    Part,
    chunks,
    part_of,
    warn_of_pictures,
)
from actors.products.sheet_file import (
    Group,
    Sheet,
    Unreadable,
    check_header,
    read_sheet,
)
from actors.products.sheet_rows import RowReader
from bus.kit.addressing import derived_id
from bus.kit.refusals import Refusal, RefusalKind, conflict
from bus.kit.values import Done, Page
from bus.products import (
    OFFERS_MAX,
    PIECE_BYTES_MAX,
    AppendImport,
    ExportProducts,
    GetImport,
    ImportIssue,
    ImportProducts,
    ImportReceipt,
    ImportView,
    ProductView,
    invalid_cursor,
    no_import,
)
from bus.products.sheets import category_paths
from bus.products.steps import (
    CarryOutImport,
    DropImport,
    FinishImport,
    ImportCounts,
    Imported,
    ImportProduct,
    NoteImport,
    ProductSheet,
    TakeUpImport,
)
from persistence import products as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.products import ImportState

AT_ONCE_MAX = 2
"""Imports that one shard carries out at a time; the others wait their turn."""
OPEN_MAX = 20
"""Imports of one person that have not ended."""
TRIES_MAX = 100
"""How often an import is taken up without getting a step further."""
UNBEGUN_SECONDS_MAX = 3600
KEPT_DAYS_MAX = 30


class Importing(Domain):
    """Imports and exports of products."""

    async def start(self) -> None:
        """Let only so many imports run at a time."""
        await super().start()
        self._turns = asyncio.Semaphore(AT_ONCE_MAX)

    @handles(AppendImport)
    async def append_import(self, tx: Tx, m: AppendImport) -> Done:
        """Keep a piece; once the import has begun its file is whole, and stays."""
        end = m.start + len(m.data)
        if m.start < 0 or end > self.settings.upload_bytes_max:
            raise Refusal(RefusalKind.TOO_LARGE, "file-too-large", "The file is large.")
        if len(m.data) > PIECE_BYTES_MAX:
            raise Refusal(
                RefusalKind.TOO_LARGE, "piece-too-large", "Send less at once."
            )
        if await store.has_import(tx, m.import_id):
            return Done()
        await store.append_piece(tx, m.import_id, m.start, m.data)
        self._drop_later(tx, m.import_id, timedelta(seconds=UNBEGUN_SECONDS_MAX))
        return Done()

    @handles(ImportProducts)
    async def import_products(self, tx: Tx, m: ImportProducts) -> ImportReceipt:
        """Take a file whose columns are those of products; the work is due at once."""
        if await store.count_open_imports(tx, m.owner_id) >= OPEN_MAX:
            detail = f"At most {OPEN_MAX} imports at once."
            raise Refusal(RefusalKind.TOO_MANY, "too-many-imports", detail)
        if await store.count_bytes(tx, m.import_id, m.bytes_total) != m.bytes_total:
            raise conflict("upload-incomplete", "Send the file again.")
        check_header(await store.read_file(tx, m.import_id, pieces_max=1))
        await store.cut_file(tx, m.import_id, m.bytes_total)
        await store.insert_import(tx, m)
        tx.due(f"import:{m.import_id}", tx.now, CarryOutImport(import_id=m.import_id))
        self._drop_later(tx, m.import_id, timedelta(days=KEPT_DAYS_MAX))
        return ImportReceipt(
            id=m.import_id, version=1, created_at=tx.now, status="PENDING"
        )

    @handles(CarryOutImport)
    async def carry_out_import(self, run: Run, m: CarryOutImport) -> Done:
        """Go through the file from where the import stands."""
        async with self._turns:
            state = await run.step(TakeUpImport(import_id=m.import_id))
            error = None
            if state is not None and state.status in ("PENDING", "RUNNING"):
                error = await self._carry(run, state)
            finish = FinishImport(import_id=m.import_id, error=error)
            return await run.settle(finish, last=True)

    # --- queries ---------------------------------------------------------------

    @handles(GetImport)
    async def get_import(self, db: Db, query: GetImport) -> ImportView:
        """How far an import is, for whoever began it and for administrators."""
        cursor = query.cursor or "-1"
        if not cursor.removeprefix("-").isdecimal() or len(cursor) > 9:
            raise invalid_cursor()
        found = await store.find_import(
            db, query.import_id, query.viewer_id, int(cursor), query.limit
        )
        if found is None:
            raise no_import()
        return found

    @handles(ExportProducts)
    async def export_products(self, db: Db, query: ExportProducts) -> Page[ProductView]:
        """A page of whole products by id, which no edit moves."""
        limit = min(query.limit, OFFERS_MAX)
        products = await store.load_catalogue(
            db, query.seller_id, query.status, query.after, limit
        )
        base = self.settings.files_cdn_url
        views = tuple(show.shown(each, base) for each in products)
        return Page(views, str(views[-1].id) if len(views) == limit else None)

    # --- the process and its steps ----------------------------------------------

    async def _carry(self, run: Run, state: ImportState) -> ImportIssue | None:
        """Import what is left of the file; the reason why none of it can be."""
        if state.tries > TRIES_MAX:
            return ImportIssue(
                line=0, column="", code="given-up", detail="It did not get on."
            )
        async with self.read() as db:
            data = await store.read_file(db, state.id)
            categories = category_paths(await store.list_categories(db))
        try:
            sheet = await read_sheet(data)
        except Unreadable as end:
            return end.issue
        del data
        if state.place < 0:
            note = NoteImport(
                import_id=state.id,
                begin=-1,
                end=0,
                counts=ImportCounts(),
                warnings=sheet.warnings,
                rows_total=sheet.rows_total,
            )
            await run.step(note)
        for begin, groups in chunks(sheet.groups, max(0, state.place)):
            part = await self._import_groups(run, state, sheet, groups, categories)
            note = NoteImport(
                import_id=state.id,
                begin=begin,
                end=begin + len(groups),
                counts=part.counts,
                errors=part.errors,
                warnings=part.warnings,
            )
            await run.step(note)
        return None

    async def _import_groups(
        self,
        run: Run,
        state: ImportState,
        sheet: Sheet,
        groups: Sequence[Group],
        categories: Mapping[str, UUID],
    ) -> Part:
        """Import some products at once; lanes make few transactions of them."""
        currency = self.settings.currency
        readers = [RowReader(group, sheet, currency, categories) for group in groups]
        sheets = [reader.read() for reader in readers]
        wanted = [
            None if reader.errors else each
            for reader, each in zip(readers, sheets, strict=True)
        ]
        slugs = [each.slug for each in wanted if each is not None]
        async with self.read() as db:
            found = await store.find_slugs(db, slugs)
        for reader in readers:
            warn_of_pictures(reader, found)
        ends = await asyncio.gather(
            *(self._import_one(run, state, each, found) for each in wanted if each),
            return_exceptions=True,
        )
        # What is neither done nor refused is done again: the import is still due.
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, Refusal):
                raise end
        rest = iter(ends)
        return part_of(
            readers, [None if each is None else next(rest) for each in wanted]
        )

    async def _import_one(
        self,
        run: Run,
        state: ImportState,
        sheet: ProductSheet,
        found: Mapping[str, tuple[UUID, Any, Any]],
    ) -> Imported:
        """Import one product; if somebody has just taken its handle, look once more."""
        known = found.get(sheet.slug)
        try:
            return await self._send(run, state, sheet, known and known[0])
        except Refusal as refusal:
            if refusal.code not in ("handle-taken", "not-found"):
                raise
            async with self.read() as db:
                now = (await store.find_slugs(db, [sheet.slug])).get(sheet.slug)
            if (now and now[0]) == (known and known[0]):
                raise
            return await self._send(run, state, sheet, now and now[0])

    async def _send(
        self, run: Run, state: ImportState, sheet: ProductSheet, known: UUID | None
    ) -> Imported:
        new = derived_id(state.id, f"product:{sheet.slug}", sheet.slug)
        product_id = known or new
        message = ImportProduct(
            product_id=product_id,
            editor_id=state.editor_id,
            seller_id=state.seller_id,
            actor_id=state.owner_id,
            sheet=sheet,
        )
        command_id = derived_id(
            state.id, f"import:{sheet.slug}:{product_id}", product_id
        )
        imported: Imported = await run.ask(message, id=command_id)
        return imported

    @handles(TakeUpImport)
    async def take_up_import(self, tx: Tx, m: TakeUpImport) -> ImportState | None:
        """The import as it stands."""
        return await store.take_up_import(tx, m.import_id)

    @handles(NoteImport)
    async def note_import(self, tx: Tx, m: NoteImport) -> Done:
        """Write how far an import has come, by its place once."""
        await store.note_import(tx, m)
        return Done()

    @handles(FinishImport)
    async def finish_import(self, tx: Tx, m: FinishImport) -> Done:
        """End an import; the file is needed no more."""
        await store.finish_import(tx, m.import_id, m.error)
        return Done()

    @handles(DropImport)
    async def drop_import(self, tx: Tx, m: DropImport) -> Done:
        """Forget an import; what it has done to products stays."""
        await store.drop_import(tx, m.import_id)
        return Done()

    def _drop_later(self, tx: Tx, import_id: UUID, after: timedelta) -> None:
        message = DropImport(import_id=import_id)
        tx.due(f"import:{import_id}:drop", tx.now + after, message)
