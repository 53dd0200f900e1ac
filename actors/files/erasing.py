"""Erasing a person: the files that only they could see go, their contents too.

Pictures of products stay: they are the shop's, whoever has uploaded them.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from actors.files.shelf import Shelf
from actors.kit.domain import handles
from actors.kit.process import Run
from bus.files import DeleteFile, EraseFiles, FileView, ForgetOwner, ListFiles
from bus.kit.cursors import id_of
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.values import Done, Page
from bus.users import UserErased
from persistence.files import private_files_of
from persistence.kit.database import Db
from persistence.kit.erased import SEEN_SECONDS_MAX, note_erased
from persistence.kit.transaction import Tx

FILES_AT_ONCE_MAX = 100


class Erasing(Shelf):
    """Forgets who has uploaded what, and lists it for the person's export."""

    @handles(UserErased)
    async def user_erased(self, run: Run, event: UserErased) -> Done:
        """Write down no more files, then have each one's owner delete it."""
        await run.step(ForgetOwner(user_id=event.user_id, again=True))
        return await self._erase(run, event.user_id)

    @handles(EraseFiles)
    async def erase_files(self, run: Run, m: EraseFiles) -> Done:
        """The same once more, for what was being uploaded meanwhile."""
        await run.step(ForgetOwner(user_id=m.user_id, again=False))
        return await self._erase(run, m.user_id)

    async def _erase(self, run: Run, user_id: UUID) -> Done:
        while True:
            async with self.read() as db:
                found = await private_files_of(
                    db, user_id, after=None, limit=FILES_AT_ONCE_MAX
                )
            await asyncio.gather(*(_delete(run, file.id) for file in found))
            if len(found) < FILES_AT_ONCE_MAX:
                return Done()

    @handles(ForgetOwner)
    async def forget_owner(self, tx: Tx, m: ForgetOwner) -> Done:
        """Note that the person is gone, and look again when that is seen by all."""
        await note_erased(tx, m.user_id)
        if m.again:
            at = tx.now + timedelta(seconds=SEEN_SECONDS_MAX)
            tx.due(f"files:{m.user_id}", at, EraseFiles(user_id=m.user_id))
        return Done()

    @handles(ListFiles)
    async def list_files(self, db: Db, query: ListFiles) -> Page[FileView]:
        """A person's private files, with links that open them."""
        after, limit = id_of(query.cursor), query.limit
        found = await private_files_of(db, query.owner_id, after=after, limit=limit + 1)
        cursor = str(found[limit - 1].id) if len(found) > limit else None
        views = (self._view(file, signed=True) for file in found[:limit])
        return Page(tuple(views), cursor)


async def _delete(run: Run, file_id: UUID) -> None:
    """Delete as an administrator would; one that is gone already is let be."""
    try:
        await run.ask(DeleteFile(file_id=file_id, owner_id=None))
    except Refusal as refusal:
        if refusal.data.kind is not RefusalKind.NOT_FOUND:
            raise
