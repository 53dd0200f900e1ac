"""What all that files does needs: the store, the decoders, and how a file is shown."""

import asyncio

from actors.files.decoding import Decoders
from actors.files.links import Links, moment
from actors.files.store import Store
from actors.files.uploads import Uploads
from actors.kit.domain import Domain
from bus.files import (
    PICTURE_SIZES,
    PUBLIC_ENTITY_TYPES,
    WHOLE,
    FileView,
    RenditionView,
    ScheduleSweep,
    SignedLinks,
    content_url,
    size_urls,
)
from bus.kit.refusals import Unavailable
from bus.kit.tasks import end_tasks
from persistence.files import File

SWEEP_AFTER_START_SECONDS = 600.0
BEGIN_TRIES_MAX = 3
BEGIN_AGAIN_SECONDS = 5.0


class Shelf(Domain):
    """The store and what stands around it."""

    async def start(self) -> None:
        """Open the store; processes that decode are started by the first picture."""
        folder = self.settings.data_dir / "uploads"
        self.store = Store(self.settings)
        self.uploads = Uploads(
            folder, self.settings.upload_bytes_max, asyncio.get_running_loop().time
        )
        self.decoders = Decoders.of(self.settings, folder)
        self.links = Links(
            self.settings.encryption_keys, self.settings.files_link_minutes * 60
        )
        self._begun = [asyncio.create_task(self._begin())]

    async def stop(self) -> None:
        """Drop what was not finished."""
        await end_tasks(self._begun)
        self.decoders.close()
        self.uploads.close()

    async def _begin(self) -> None:
        """See to it that the store is swept; of all shards only one can."""
        sweep = ScheduleSweep(seconds=SWEEP_AFTER_START_SECONDS, first=True)
        for _ in range(BEGIN_TRIES_MAX):
            try:
                await self.send(sweep)
                return
            except Unavailable:  # another shard's, or not ours yet
                await self.clock.sleep(BEGIN_AGAIN_SECONDS)

    def _view(self, file: File, *, signed: bool) -> FileView:
        """How a file is shown; `signed` with links, to those who may see it."""
        public = file.entity_type in PUBLIC_ENTITY_TYPES
        base = self.settings.files_cdn_url if public else ""
        is_picture = WHOLE not in file.renditions
        largest = file.renditions["large" if is_picture else WHOLE]
        bare = f"/files/{file.id}/content"
        return FileView(
            id=file.id,
            version=1,
            created_at=file.created_at,
            updated_at=file.created_at,
            owner_id=file.owner_id,
            entity_type=file.entity_type,
            entity_id=file.entity_id,
            public=public,
            media_type=file.media_type,
            width=largest.width,
            height=largest.height,
            size_bytes=largest.size_bytes,
            url=content_url(file.id, base_url=base) if is_picture else bare,
            sizes=size_urls(file.id, base) if is_picture else {},
            renditions={
                name: RenditionView(one.width, one.height, one.size_bytes)
                for name, one in file.renditions.items()
            },
            signed=self._signed(file) if signed and not public else None,
        )

    def _signed(self, file: File) -> SignedLinks | None:
        expires = self.links.expiry(self.clock.now())
        if expires is None:
            return None

        def link(size: str, query: str) -> str:
            signature = self.links.sign(file.id, size, expires)
            signed = f"{query}expires={expires}&signature={signature}"
            return f"/files/{file.id}/content?{signed}"

        if WHOLE in file.renditions:
            return SignedLinks(moment(expires), link(WHOLE, ""), {})
        sizes = {size: link(size, f"size={size}&") for size in PICTURE_SIZES}
        return SignedLinks(moment(expires), sizes["large"], sizes)
