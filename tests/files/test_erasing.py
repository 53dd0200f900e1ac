"""Who is gone keeps no file: neither what was there nor what was still coming in."""

from bus.files import AppendUpload, EraseFiles, ListFiles
from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from bus.users import UserErased
from tests.files.samples import PDF, picture
from tests.files.test_files import refused, store, stored
from tests.files.test_removing import HASTEN, empty, killed_at

SMALL = picture(200, 100, "PNG")


async def test_files_of_who_is_gone_are_removed_and_none_comes_late(
    shop, tmp_path
) -> None:
    async with shop("files", settings=Settings(data_dir=tmp_path)) as s:
        ann, bob = new_id(), new_id()
        mine = {"owner_id": ann, "entity_type": "order"}
        shown = await s.ask(store(SMALL, owner_id=ann, entity_type="product"))
        theirs = await s.ask(store(PDF, owner_id=bob, entity_type="order"))
        left = stored(tmp_path)
        await s.ask(store(PDF, **mine))
        await s.ask(store(SMALL, **mine))
        under_way = store(None, **mine)
        piece = AppendUpload(file_id=under_way.file_id, offset=0, data=PDF)
        await s.ask(piece)
        await killed_at(s, "put_file", "after", under_way)
        assert len((await s.ask(ListFiles(owner_id=ann))).items) == 2

        event, id_ = UserErased(user_id=ann), new_id()
        for _ in range(2):
            await s.ask(event, id=id_, domain="files", join=True)
        assert (await s.ask(ListFiles(owner_id=ann))).items == ()
        again = store(PDF, **mine, file_id=under_way.file_id)
        for late in (again, store(PDF, **mine), store(SMALL, **mine)):
            assert (await refused(s, late)).code == "not-found"
        await s.ask(EraseFiles(user_id=ann))
        await s.rows("files", HASTEN)
        await s.rows("files", "UPDATE due SET at = now() WHERE name LIKE 'files:%'")
        await empty(s, tmp_path, left)
        ids = {row["id"] for row in await s.rows("files", "SELECT id FROM files")}
        assert ids == {shown.id, theirs.id}
