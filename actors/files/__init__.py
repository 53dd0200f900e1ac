"""What files does: take pictures in, clean and resize them, and give them out."""

import asyncio
import io
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import BinaryIO
from uuid import UUID

from actors.files.erasing import Erasing
from actors.files.pictures import MEDIA_TYPE, Encoded, render
from actors.files.store import Store, folder_of
from actors.files.uploads import Uploads
from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from bus.files import (
    ENTITY_TYPES,
    PICTURE_SIZES,
    PUBLIC_ENTITY_TYPES,
    AppendUpload,
    Content,
    DeleteFile,
    DropFile,
    ExpectFile,
    FileDeleted,
    FileUploaded,
    FileView,
    GetContent,
    GetFile,
    ListFiles,
    RecordFile,
    RemoveContents,
    Rendition,
    StorePicture,
    content_url,
    no_file,
    picture_too_large,
    size_urls,
    too_many_uploads,
    unknown_size,
)
from bus.kit.cursors import id_of
from bus.kit.refusals import Refusal, Unavailable, invalid
from bus.kit.values import Done, Page
from persistence.files import (
    File,
    drop_file,
    insert_files,
    load_file,
    mark_deleted,
    private_files_of,
)
from persistence.kit.database import Db
from persistence.kit.erased import erased_among
from persistence.kit.transaction import Tx

WORKERS_MAX = 2
WAITING_MAX = 256
RENDER_SECONDS_MAX = 30.0
UNRECORDED_MINUTES_MAX = 10


class Files(Erasing):
    """Pictures: their rows here, their bytes in the store."""

    name = "files"

    async def start(self) -> None:
        """Open the store, and start the threads that decode."""
        self.store = Store(self.settings)
        self.uploads = Uploads(
            self.settings.data_dir / "uploads",
            self.settings.upload_bytes_max,
            asyncio.get_running_loop().time,
        )
        self.waiting = 0
        self.workers = ThreadPoolExecutor(min(WORKERS_MAX, os.cpu_count() or 1))

    async def stop(self) -> None:
        """Drop what was not finished."""
        self.workers.shutdown(wait=False, cancel_futures=True)
        self.uploads.close()

    @handles(AppendUpload)
    async def append_upload(self, run: Run, message: AppendUpload) -> Done:
        """Take a piece of an upload; it is in no database, so nothing is stepped."""
        del run
        self.uploads.append(message.file_id, message.offset, message.data)
        return Done()

    @handles(StorePicture)
    async def store_picture(self, run: Run, message: StorePicture) -> FileView:
        """Render a picture, store its sizes, then write it down.

        What is stored and not written down (a crash) is removed when it is due.
        """
        if message.entity_type not in ENTITY_TYPES:
            raise invalid("unknown-entity-type", f"One of {sorted(ENTITY_TYPES)}.")
        async with self.read() as db:
            known = await load_file(db, message.file_id)
        if known is not None:
            if known.deleted:
                raise no_file()
            return self._view(known)
        with self._source(message) as source:
            sizes = await self._render(source)
        await run.step(ExpectFile(file_id=message.file_id))
        renditions = _renditions(message.file_id, sizes)
        objects = {renditions[name].object_key: sizes[name].data for name in sizes}
        await self.store.put(objects.items())
        return await run.step(
            RecordFile(
                file_id=message.file_id,
                owner_id=message.owner_id,
                entity_type=message.entity_type,
                entity_id=message.entity_id,
                renditions=renditions,
            )
        )

    @handles_many(ExpectFile)
    async def expect_file(self, tx: Tx, messages: list[ExpectFile]) -> list[Done]:
        """Have contents removed, should nobody write them down."""
        at = tx.now + timedelta(minutes=UNRECORDED_MINUTES_MAX)
        for message in messages:
            removal = RemoveContents(file_id=message.file_id)
            tx.due(_removal(message.file_id), at, removal)
        return [Done()] * len(messages)

    @handles_many(RecordFile)
    async def record_file(
        self, tx: Tx, messages: list[RecordFile]
    ) -> list[FileView | Refusal]:
        """Write pictures down, insert-once, and tell of the new ones.

        Those of somebody who is gone are not: their contents are removed when due.
        """
        gone = await erased_among(tx, [m.owner_id for m in messages if m.owner_id])
        kept = [message for message in messages if message.owner_id not in gone]
        files = {message.file_id: _file(tx, message) for message in kept}
        new = await insert_files(tx, list(files.values())) if files else set()
        for file in files.values():
            tx.cancel_due(_removal(file.id))
            if file.id in new:
                tx.tell(
                    FileUploaded(
                        file_id=file.id,
                        owner_id=file.owner_id,
                        entity_type=file.entity_type,
                    )
                )
        return [
            no_file() if m.file_id not in files else self._view(files[m.file_id])
            for m in messages
        ]

    @handles(DeleteFile)
    async def delete_file(self, tx: Tx, message: DeleteFile) -> Done:
        """Take a file out of sight at once; its contents follow."""
        file = await load_file(tx, message.file_id)
        if file is None or file.deleted or not _owns(file, message.owner_id):
            raise no_file()
        await mark_deleted(tx, file.id)
        tx.due(_removal(file.id), tx.now, RemoveContents(file_id=file.id))
        tx.tell(
            FileDeleted(
                file_id=file.id, owner_id=file.owner_id, entity_type=file.entity_type
            )
        )
        return Done()

    @handles(RemoveContents)
    async def remove_contents(self, run: Run, message: RemoveContents) -> Done:
        """Remove contents from the store; comes again until that has worked."""
        async with self.read() as db:
            file = await load_file(db, message.file_id)
        if file is not None and not file.deleted:
            return Done()
        await self.store.remove(folder_of(message.file_id))
        return await run.step(DropFile(file_id=message.file_id))

    @handles(DropFile)
    async def drop_file(self, tx: Tx, message: DropFile) -> Done:
        """Drop a deleted file's row."""
        await drop_file(tx, message.file_id)
        return Done()

    @handles(GetFile)
    async def get_file(self, db: Db, query: GetFile) -> FileView:
        """What is known of a file."""
        return self._view(await self._seen(db, query))

    @handles(ListFiles)
    async def list_files(self, db: Db, query: ListFiles) -> Page[FileView]:
        """A person's private files."""
        after, limit = id_of(query.cursor), query.limit
        found = await private_files_of(db, query.owner_id, after=after, limit=limit + 1)
        cursor = str(found[limit - 1].id) if len(found) > limit else None
        return Page(tuple(self._view(file) for file in found[:limit]), cursor)

    @handles(GetContent)
    async def get_content(self, db: Db, query: GetContent) -> Content:
        """The bytes of one size."""
        if query.size not in PICTURE_SIZES:
            raise unknown_size(query.size)
        file = await self._seen(db, query)
        rendition = file.renditions[query.size]
        return Content(
            data=await self.store.get(rendition.object_key),
            media_type=MEDIA_TYPE,
            etag=rendition.etag,
            public=file.entity_type in PUBLIC_ENTITY_TYPES,
        )

    async def _seen(self, db: Db, query: GetFile | GetContent) -> File:
        file = await load_file(db, query.file_id)
        if file is None or file.deleted:
            raise no_file()
        public = file.entity_type in PUBLIC_ENTITY_TYPES
        own = query.viewer_id is not None and file.owner_id == query.viewer_id
        if not (public or own or query.viewer_is_admin):
            raise no_file()
        return file

    def _source(self, message: StorePicture) -> BinaryIO:
        if message.data is None:
            return self.uploads.take(message.file_id)
        if len(message.data) > self.settings.upload_bytes_max:
            raise picture_too_large("The file is too large.")
        return io.BytesIO(message.data)

    async def _render(self, source: BinaryIO) -> dict[str, Encoded]:
        """Render in one of the few threads; those that wait are bounded too."""
        if self.waiting >= WAITING_MAX:
            raise too_many_uploads()
        self.waiting += 1
        loop = asyncio.get_running_loop()
        pixels_max = self.settings.upload_pixels_max
        try:
            async with asyncio.timeout(RENDER_SECONDS_MAX):
                return await loop.run_in_executor(
                    self.workers, render, source, pixels_max
                )
        except TimeoutError:
            raise Unavailable("too many pictures are being decoded") from None
        finally:
            self.waiting -= 1

    def _view(self, file: File) -> FileView:
        base = self.settings.files_cdn_url
        largest = file.renditions["large"]
        return FileView(
            id=file.id,
            version=1,
            created_at=file.created_at,
            updated_at=file.created_at,
            owner_id=file.owner_id,
            entity_type=file.entity_type,
            entity_id=file.entity_id,
            public=file.entity_type in PUBLIC_ENTITY_TYPES,
            media_type=MEDIA_TYPE,
            width=largest.width,
            height=largest.height,
            url=content_url(file.id, base_url=base),
            sizes=size_urls(file.id, base),
        )


def _renditions(file_id: UUID, sizes: dict[str, Encoded]) -> dict[str, Rendition]:
    """Where each size will lie; sizes of the same bytes lie in one place."""
    return {
        name: Rendition(
            object_key=f"{folder_of(file_id)}/{size.etag}.webp",
            width=size.width,
            height=size.height,
            size_bytes=len(size.data),
            etag=size.etag,
        )
        for name, size in sizes.items()
    }


def _file(tx: Tx, message: RecordFile) -> File:
    return File(
        id=message.file_id,
        owner_id=message.owner_id,
        entity_type=message.entity_type,
        entity_id=message.entity_id,
        renditions=message.renditions,
        deleted=False,
        created_at=tx.now,
    )


def _owns(file: File, owner_id: UUID | None) -> bool:
    """Whether one may delete it; None is an administrator."""
    return owner_id is None or file.owner_id == owner_id


def _removal(file_id: UUID) -> str:
    return f"contents:{file_id}"


__all__ = ["Files"]
