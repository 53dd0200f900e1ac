"""Files removed: whatever dies between two steps, nothing is left and nothing lost."""

import asyncio
import os
import time
from contextlib import suppress

import pytest

from actors.files.removing import FOLDERS, GRACE
from actors.files.store import folder_of
from bus.files import (
    AppendUpload,
    DeleteFile,
    GetContent,
    GetFile,
    RecordFile,
    RemoveContents,
    ScheduleSweep,
    SweepStore,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, Unavailable
from bus.kit.settings import Settings
from tests.files.samples import picture
from tests.files.test_files import DUE, refused, store, stored

SMALL = picture(200, 100, "PNG")
HASTEN = "UPDATE due SET at = now() WHERE name LIKE 'contents:%'"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


class Halting:
    """The store of a shard, which stops for ever at one moment of one call."""

    def __init__(self, domain, call: str, moment: str) -> None:
        self.reached = asyncio.Event()
        self._store, self._at = domain.store, (call, moment)
        domain.store = self

    async def put(self, objects, media_type) -> None:
        await self._pass("put", self._store.put(objects, media_type))

    async def put_file(self, key, source, media_type) -> None:
        await self._pass("put_file", self._store.put_file(key, source, media_type))

    async def remove(self, prefix) -> None:
        await self._pass("remove", self._store.remove(prefix))

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def _pass(self, call, doing) -> None:
        if self._at == (call, "before"):
            doing.close()
            await self._halt()
        await doing
        if self._at == (call, "after"):
            await self._halt()

    async def _halt(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


async def killed_at(s, call: str, moment: str, message) -> None:
    """Kill the shard at that moment of what the message leads to."""
    halting = Halting(s.shard("files").domain, call, moment)
    task = asyncio.create_task(s.ask(message))
    async with asyncio.timeout(10):
        await halting.reached.wait()
    await s.kill("files")
    await s.restart("files")
    with suppress(Refusal, Unavailable):
        await task


async def empty(s, tmp_path, objects: int) -> None:
    """Wait until nothing is due any more and so many objects lie in the store."""
    async with asyncio.timeout(15):
        while stored(tmp_path) != objects:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        while await s.rows("files", DUE):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_what_dies_half_way_leaves_nothing(shop, settings, tmp_path) -> None:
    async with shop("files", settings=settings) as s:
        kept = await s.ask(store(SMALL))
        objects = stored(tmp_path)
        for moment, more in (("before", 0), ("after", objects)):
            lost = store(None)
            whole = AppendUpload(file_id=lost.file_id, offset=0, data=SMALL)
            await s.ask(whole)
            await killed_at(s, "put", moment, lost)
            assert stored(tmp_path) == objects + more
            (row,) = await s.rows(
                "files", "SELECT stored, deleted FROM files WHERE id = $1", lost.file_id
            )
            assert row == {"stored": False, "deleted": False}
            for query in (GetFile, GetContent):
                unseen = query(file_id=lost.file_id, viewer_is_admin=True)
                assert (await refused(s, unseen)).code == "not-found"
            delete = DeleteFile(file_id=lost.file_id, owner_id=None)
            assert (await refused(s, delete)).code == "not-found"
            await s.rows("files", HASTEN)
            await empty(s, tmp_path, objects)
        ids = [row["id"] for row in await s.rows("files", "SELECT id FROM files")]
        assert ids == [kept.id]
        assert len(await s.events()) == 1


async def test_what_is_sent_again_after_a_kill_is_there_once(
    shop, settings, tmp_path
) -> None:
    async with shop("files", settings=settings) as s:
        for moment in ("before", "after"):
            message = store(SMALL)
            await killed_at(s, "put", moment, message)  # its lane sends it again
            view = await s.ask(message)
            assert await s.ask(GetFile(file_id=view.id)) == view
        await empty(s, tmp_path, 2 * 2)
        assert len(await s.events()) == 2


async def test_a_deleted_file_is_gone_at_once_and_its_bytes_soon(
    shop, settings, tmp_path
) -> None:
    async with shop("files", settings=settings) as s:
        for moment, left in (("before", 2), ("after", 0)):
            view = await s.ask(store(SMALL, new_id()))
            delete = DeleteFile(file_id=view.id, owner_id=view.owner_id)
            halting = Halting(s.shard("files").domain, "remove", moment)
            await s.ask(delete)
            assert (await refused(s, GetFile(file_id=view.id))).code == "not-found"
            assert (await refused(s, GetContent(file_id=view.id))).code == "not-found"
            assert (await refused(s, delete)).code == "not-found"
            again = store(SMALL, view.owner_id, file_id=view.id)
            assert (await refused(s, again)).code == "not-found"
            async with asyncio.timeout(10):
                await halting.reached.wait()
            assert stored(tmp_path) == left
            await s.kill("files")
            await s.restart("files")
            await empty(s, tmp_path, 0)
        assert await s.rows("files", "SELECT * FROM files") == []
        types = [each["type"] for each in await s.events()]
        assert (
            sorted(types)
            == ["files.file_deleted.v1"] * 2 + ["files.file_uploaded.v1"] * 2
        )


async def test_of_recording_and_giving_up_one_wins(shop, settings, tmp_path) -> None:
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(SMALL))
        await s.ask(RemoveContents(file_id=view.id))  # late: it was recorded
        assert await s.ask(GetFile(file_id=view.id)) == view
        assert stored(tmp_path) == 2
        halting = Halting(s.shard("files").domain, "put", "after")
        late = store(SMALL)
        task = asyncio.create_task(s.ask(late))
        await halting.reached.wait()
        await s.ask(RemoveContents(file_id=late.file_id))
        with pytest.raises(Refusal) as caught:
            await s.ask(RecordFile(file_id=late.file_id))
        assert caught.value.code == "upload-lost"
        task.cancel()
        await empty(s, tmp_path, 2)
        assert len(await s.events()) == 1


async def test_what_belongs_to_no_row_is_swept_when_it_is_old(
    shop, settings, tmp_path
) -> None:
    async with shop("files", settings=settings) as s:
        kept = await s.ask(store(SMALL))
        folder = int(folder_of(kept.id)[:2], 16)
        old = time.time() - GRACE.total_seconds() - 60

        def lay(place: str, *, aged: bool = True) -> None:
            path = tmp_path / "files" / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            if aged:
                os.utime(path, (old, old))

        for each in (tmp_path / "files" / folder_of(kept.id)).iterdir():
            os.utime(each, (old, old))
        orphan, young = new_id(kept.id), new_id(kept.id)
        lay(f"{folder_of(orphan)}/large.webp")
        lay(f"{folder_of(young)}/large.webp", aged=False)
        lay(f"{folder:02x}/notes.txt")
        await s.ask(SweepStore(folder=folder))
        await s.ask(SweepStore(folder=folder))
        assert not (tmp_path / "files" / folder_of(orphan)).exists()
        assert stored(tmp_path) == 2 + 1 + 1
        assert (await s.ask(GetContent(file_id=kept.id))).data[8:12] == b"WEBP"


async def test_a_sweep_goes_on_where_it_was(shop, settings) -> None:
    due = """SELECT kind, message, round(extract(epoch FROM at - now()))::int AS seconds
             FROM due WHERE name = 'sweep'"""
    async with shop("files", settings=settings) as s:
        async with asyncio.timeout(5):
            while not (rows := await s.rows("files", due)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        assert 590 <= rows[0]["seconds"] <= 600
        await s.ask(SweepStore(folder=7))
        (seventh,) = await s.rows("files", due)
        assert b"folder\x08" in seventh["message"] and seventh["seconds"] <= 5
        await s.kill("files")
        await s.restart("files")
        await s.ask(ScheduleSweep(seconds=600, first=True))
        (after,) = await s.rows("files", due)
        assert after["message"] == seventh["message"]
        await s.ask(SweepStore(folder=FOLDERS - 1))
        (tomorrow,) = await s.rows("files", due)
        assert tomorrow["seconds"] > 86_000
