"""Files removed: deleted ones, those never finished, and what belongs to none."""

from datetime import UTC, datetime, timedelta

from actors.files.keeping import removal
from actors.files.shelf import Shelf
from actors.files.store import FOLDERS, folder_of
from actors.kit.domain import handles
from actors.kit.process import Run
from bus.files import (
    AbandonFile,
    DeleteFile,
    DropFile,
    FileDeleted,
    RemoveContents,
    ScheduleSweep,
    SweepStore,
    no_file,
)
from bus.kit.refusals import Refusal, conflict
from bus.kit.values import Done
from persistence.files import drop_file, is_due, known_ids, load_file, mark_deleted
from persistence.kit.transaction import Tx

GRACE = timedelta(hours=24)
"""How old contents without a row must be: far older than any upload may be."""
FOLDER_SECONDS = 5.0
SWEEP_SECONDS = 24 * 3600.0
SWEEP = "sweep"


class Removing(Shelf):
    """How a file goes away, contents before the row."""

    @handles(DeleteFile)
    async def delete_file(self, tx: Tx, message: DeleteFile) -> Done:
        """Take a file out of sight at once; its contents follow."""
        file = await load_file(tx, message.file_id)
        if file is None or not file.is_there:
            raise no_file()
        if message.owner_id is not None and file.owner_id != message.owner_id:
            raise no_file()
        await mark_deleted(tx, file.id)
        tx.due(removal(file.id), tx.now, RemoveContents(file_id=file.id))
        tx.audit(message, file.id, before={"entity_type": file.entity_type})
        tx.tell(
            FileDeleted(
                file_id=file.id, owner_id=file.owner_id, entity_type=file.entity_type
            )
        )
        return Done()

    @handles(RemoveContents)
    async def remove_contents(self, run: Run, message: RemoveContents) -> Done:
        """Remove contents from the store; comes again until that has worked."""
        try:
            await run.step(AbandonFile(file_id=message.file_id))
        except Refusal:
            return Done()  # it was recorded after all, a moment ago
        await self.store.remove(folder_of(message.file_id))
        return await run.step(DropFile(file_id=message.file_id))

    @handles(AbandonFile)
    async def abandon_file(self, tx: Tx, message: AbandonFile) -> Done:
        """Decide against whoever may still be storing it."""
        file = await load_file(tx, message.file_id)
        if file is not None and file.is_there:
            raise conflict("file-in-use", "The file is stored.")
        await mark_deleted(tx, message.file_id)
        return Done()

    @handles(DropFile)
    async def drop_file(self, tx: Tx, message: DropFile) -> Done:
        """Drop a deleted file's row."""
        await drop_file(tx, message.file_id)
        tx.cancel_due(removal(message.file_id))
        return Done()

    @handles(SweepStore)
    async def sweep_store(self, run: Run, message: SweepStore) -> Done:
        """Sweep one folder, then have the next one swept; after the last, tomorrow.

        What has no row was put there by a process that died, or outlived a database
        that was set back. A kill loses no place: the folder is still due.
        """
        before = datetime.fromtimestamp(self.clock.now(), UTC) - GRACE
        async for page in self.store.list(message.folder):
            old = [each for each in page if each.written_at < before]
            async with self.read() as db:
                known = await known_ids(db, (each.file_id for each in old))
            for each in old:
                if each.file_id not in known:
                    await self.store.remove(each.prefix)
                    self.log.info("orphan-removed", file_id=str(each.file_id))
        last = message.folder + 1 >= FOLDERS
        return await run.step(
            ScheduleSweep(
                folder=0 if last else message.folder + 1,
                seconds=SWEEP_SECONDS if last else FOLDER_SECONDS,
            )
        )

    @handles(ScheduleSweep)
    async def schedule_sweep(self, tx: Tx, message: ScheduleSweep) -> Done:
        """Have a folder swept; a start leaves a sweep under way where it is."""
        if not (message.first and await is_due(tx, SWEEP)):
            at = tx.now + timedelta(seconds=message.seconds)
            tx.due(SWEEP, at, SweepStore(folder=message.folder))
        return Done()
