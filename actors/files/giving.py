"""Files given out: to whom they are public, theirs, or signed."""

from uuid import UUID

from actors.files.shelf import Shelf
from actors.files.store import ContentMissing
from actors.kit.domain import handles
from bus.files import (
    CHUNK_BYTES_MAX,
    PUBLIC_ENTITY_TYPES,
    WHOLE,
    Content,
    FileView,
    GetContent,
    GetFile,
    Rendition,
    no_file,
    unknown_size,
)
from persistence.files import File, load_file
from persistence.kit.database import Db


class Giving(Shelf):
    """How a file goes out."""

    @handles(GetFile)
    async def get_file(self, db: Db, query: GetFile) -> FileView:
        """What is known of a file."""
        file = await _there(db, query.file_id)
        if not _may_see(file, query.viewer_id, admin=query.viewer_is_admin):
            raise no_file()
        own = query.viewer_is_admin or query.viewer_id is not None
        return self._view(file, signed=own)

    @handles(GetContent)
    async def get_content(self, db: Db, query: GetContent) -> Content:
        """A piece of a size's bytes, or where a bucket gives them all."""
        file = await _there(db, query.file_id)
        size = query.size or (WHOLE if WHOLE in file.renditions else "large")
        seen = _may_see(file, query.viewer_id, admin=query.viewer_is_admin)
        if not (seen or self._link_opens(query, size)):
            raise no_file()
        one = file.renditions.get(size)
        if one is None:
            raise unknown_size()
        public = file.entity_type in PUBLIC_ENTITY_TYPES
        seconds = self.settings.files_presigned_seconds
        location = None
        if seconds and not public and self.store.signs:
            location = await self.store.presign(one.object_key, seconds)
        offset = query.offset
        if offset < 0:
            offset = max(0, one.size_bytes + offset)
        data = b"" if location else await self._read(file, one, offset, query.bytes_max)
        return Content(
            data=data,
            offset=offset,
            size_bytes=one.size_bytes,
            media_type=file.media_type,
            etag=one.etag,
            public=public,
            location=location,
        )

    async def _read(
        self, file: File, one: Rendition, offset: int, bytes_max: int
    ) -> bytes:
        length = min(max(0, bytes_max), CHUNK_BYTES_MAX, one.size_bytes - offset)
        try:
            return await self.store.read(one.object_key, offset, max(0, length))
        except ContentMissing:  # deleted a moment ago, or the store has lost it
            self.log.error("content-missing", file_id=str(file.id))
            raise no_file() from None

    def _link_opens(self, query: GetContent, size: str) -> bool:
        if query.expires is None or query.signature is None:
            return False
        return self.links.check(
            query.file_id, size, query.expires, query.signature, self.clock.now()
        )


async def _there(db: Db, file_id: UUID) -> File:
    file = await load_file(db, file_id)
    if file is None or not file.is_there:
        raise no_file()
    return file


def _may_see(file: File, viewer_id: UUID | None, *, admin: bool) -> bool:
    own = viewer_id is not None and file.owner_id == viewer_id
    return own or admin or file.entity_type in PUBLIC_ENTITY_TYPES
