"""Files kept: gathered, told by their content, written down, stored, recorded."""

import asyncio
import math
import tempfile
from datetime import datetime, timedelta
from typing import BinaryIO
from uuid import UUID

from actors.files.documents import is_document, read_document
from actors.files.shelf import Shelf
from actors.files.store import folder_of
from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from bus.files import (
    DOCUMENT_ENTITY_TYPES,
    DOCUMENT_TYPE,
    ENTITY_TYPES,
    PICTURE_TYPE,
    WHOLE,
    AppendUpload,
    ExpectFile,
    FileUploaded,
    FileView,
    RecordFile,
    RemoveContents,
    Rendition,
    StoreFile,
    file_too_large,
    no_file,
    unsupported_media,
    upload_limit,
    upload_lost,
)
from bus.kit.refusals import Refusal, invalid
from bus.kit.values import Done
from persistence.files import (
    File,
    Kept,
    hold_kept,
    insert_files,
    load_file,
    load_files,
    mark_stored,
)
from persistence.kit.erased import erased_among
from persistence.kit.transaction import Tx

UNRECORDED_MINUTES_MAX = 10
"""How long contents may take from their row to their being recorded."""
DAY = timedelta(days=1)


class Keeping(Shelf):
    """How a file comes in."""

    @handles(AppendUpload)
    async def append_upload(self, run: Run, message: AppendUpload) -> Done:
        """Take a piece of an upload; it is in no database, so nothing is stepped."""
        del run
        self.uploads.append(message.file_id, message.offset, message.data)
        return Done()

    @handles(StoreFile)
    async def store_file(self, run: Run, message: StoreFile) -> FileView:
        """Write the row, store the contents, then record that they are there.

        The row comes first, so that whatever dies after it leaves something to be
        found: what is not recorded in time is removed, contents before the row.
        """
        if message.entity_type not in ENTITY_TYPES:
            raise invalid("unknown-entity-type", f"One of {sorted(ENTITY_TYPES)}.")
        async with self.read() as db:
            known = await load_file(db, message.file_id)
        if known is not None and known.deleted:
            raise no_file()
        if known is not None and known.stored:
            return self._view(known, signed=True)
        with self._source(message) as source:
            if await asyncio.to_thread(is_document, source):
                await self._store_document(run, message, source)
            else:
                await self._store_picture(run, message, source)
        return await run.step(RecordFile(file_id=message.file_id))

    @handles_many(ExpectFile)
    async def expect_file(
        self, tx: Tx, messages: list[ExpectFile]
    ) -> list[Done | Refusal]:
        """Write files down, insert-once, as far as their owners may keep more.

        Should nobody record one, it is removed. None is written of who is gone.
        """
        gone = await erased_among(tx, [m.owner_id for m in messages if m.owner_id])
        known = await load_files(tx, {message.file_id for message in messages})
        owners = {m.owner_id for m in messages if m.owner_id is not None}
        kept = await hold_kept(tx, owners, tx.now - DAY) if owners else {}
        new: dict[UUID, File] = {}
        answers: list[Done | Refusal] = []
        for message in messages:
            file = known.get(message.file_id) or new.get(message.file_id)
            if file is None and message.owner_id in gone:
                answers.append(no_file())
                continue
            if file is None:
                file = _expected(message, tx.now)
                refused = self._beyond(kept, file)
                if refused is not None:
                    answers.append(refused)
                    continue
                new[file.id] = file
            answers.append(no_file() if file.deleted else Done())
            if not file.stored and not file.deleted:
                at = tx.now + timedelta(minutes=UNRECORDED_MINUTES_MAX)
                tx.due(removal(file.id), at, RemoveContents(file_id=file.id))
        await insert_files(tx, new.values())
        return answers

    @handles_many(RecordFile)
    async def record_file(
        self, tx: Tx, messages: list[RecordFile]
    ) -> list[FileView | Refusal]:
        """Show files whose contents are stored, and tell of each once.

        One that has been given up meanwhile, or deleted, is not brought back; nor is
        one of somebody who is gone: its contents are removed when that is due.
        """
        files = await load_files(tx, {message.file_id for message in messages})
        owners = {file.owner_id for file in files.values()}
        gone = await erased_among(tx, [owner for owner in owners if owner])
        kept = [one.id for one in files.values() if one.owner_id not in gone]
        new = await mark_stored(tx, kept)
        files |= await load_files(tx, new)
        for file_id in sorted(new):
            file = files[file_id]
            tx.cancel_due(removal(file_id))
            tx.tell(
                FileUploaded(
                    file_id=file_id,
                    owner_id=file.owner_id,
                    entity_type=file.entity_type,
                )
            )
        answers: list[FileView | Refusal] = []
        for message in messages:
            found = files.get(message.file_id)
            if found is not None and found.is_there:
                answers.append(self._view(found, signed=True))
            elif found is not None and found.owner_id in gone:
                answers.append(no_file())
            else:
                answers.append(upload_lost())
        return answers

    async def _store_picture(
        self, run: Run, message: StoreFile, source: BinaryIO
    ) -> None:
        sizes = await self.decoders.render(source)
        folder = folder_of(message.file_id)
        renditions = {
            name: Rendition(
                object_key=f"{folder}/{size.width}x{size.height}-{size.etag}.webp",
                width=size.width,
                height=size.height,
                size_bytes=len(size.data),
                etag=size.etag,
            )
            for name, size in sizes.items()
        }
        await run.step(_expect(message, PICTURE_TYPE, renditions))
        objects = {renditions[name].object_key: sizes[name].data for name in sizes}
        await self.store.put(objects, PICTURE_TYPE)

    async def _store_document(
        self, run: Run, message: StoreFile, source: BinaryIO
    ) -> None:
        if message.entity_type not in DOCUMENT_ENTITY_TYPES:
            allowed = ", ".join(sorted(DOCUMENT_ENTITY_TYPES))
            raise unsupported_media(f"Documents are taken for: {allowed}.")
        document = await asyncio.to_thread(read_document, source)
        key = f"{folder_of(message.file_id)}/{WHOLE}-{document.etag}.pdf"
        whole = Rendition(
            object_key=key,
            width=None,
            height=None,
            size_bytes=document.size_bytes,
            etag=document.etag,
        )
        await run.step(_expect(message, DOCUMENT_TYPE, {WHOLE: whole}))
        await self.store.put_file(key, source, DOCUMENT_TYPE)

    def _source(self, message: StoreFile) -> BinaryIO:
        """The bytes as a file, for a decoder reads them from there."""
        if message.data is None:
            return self.uploads.take(message.file_id)
        if len(message.data) > self.settings.upload_bytes_max:
            raise file_too_large(self.settings.upload_bytes_max)
        folder = self.uploads.folder
        source: BinaryIO = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        source.write(message.data)
        return source

    def _beyond(self, kept: dict[UUID, Kept], file: File) -> Refusal | None:
        """Count a new file as its owner's; a refusal when it is one too many."""
        if file.owner_id is None:
            return None
        before = kept.get(file.owner_id, Kept())
        after = Kept(before.files + 1, before.size_bytes + file.size_bytes)
        if (
            after.files > self.settings.upload_day_files_max
            or after.size_bytes > self.settings.upload_day_bytes_max
        ):
            return upload_limit(math.ceil(DAY.total_seconds()))
        kept[file.owner_id] = after
        return None


def removal(file_id: UUID) -> str:
    """The name of what is due for a file that goes, or may have to."""
    return f"contents:{file_id}"


def _expect(
    message: StoreFile, media_type: str, renditions: dict[str, Rendition]
) -> ExpectFile:
    return ExpectFile(
        file_id=message.file_id,
        owner_id=message.owner_id,
        entity_type=message.entity_type,
        entity_id=message.entity_id,
        media_type=media_type,
        renditions=renditions,
    )


def _expected(message: ExpectFile, now: datetime) -> File:
    # Sizes that came out alike share one object.
    objects = {each.object_key: each.size_bytes for each in message.renditions.values()}
    return File(
        id=message.file_id,
        owner_id=message.owner_id,
        entity_type=message.entity_type,
        entity_id=message.entity_id,
        media_type=message.media_type,
        size_bytes=sum(objects.values()),
        renditions=message.renditions,
        stored=False,
        deleted=False,
        created_at=now,
    )
