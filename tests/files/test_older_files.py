"""Files of before documents: the migration gives each what it takes, and all stay."""

import importlib.util
from pathlib import Path
from uuid import UUID

import asyncpg

from persistence import migrations
from persistence.files import Kept, hold_kept, load_file
from persistence.kit.database import Db

FOLDER = Path(migrations.__path__[0]) / "files"
OLD = """INSERT INTO files VALUES ($1, $2, 'product', 'x', $3, $4, now())"""
SIZES = """{"large": {"object_key": "a", "width": 9, "height": 9, "size_bytes": 70,
                      "etag": "1"},
            "medium": {"object_key": "a", "width": 9, "height": 9, "size_bytes": 70,
                       "etag": "1"},
            "thumb": {"object_key": "b", "width": 1, "height": 1, "size_bytes": 7,
                      "etag": "2"}}"""


class Statements:
    """Stands in alembic's place, and remembers what a revision would run."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self.execute = self.all.append


def statements(revision: str) -> list[str]:
    (path,) = FOLDER.glob(f"{revision}_*.py")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.op = Statements()
    module.upgrade()
    return module.op.all


async def test_old_files_are_stored_and_counted(databases) -> None:
    url = await databases.fresh("files", shards=1)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE SCHEMA old; SET search_path TO old")
        for statement in statements("0001"):
            await connection.execute(statement)
        owner, there, gone = (UUID(int=number) for number in (1, 2, 3))
        await connection.execute(OLD, there, owner, SIZES, False)
        await connection.execute(OLD, gone, None, "{}", True)
        for statement in statements("0002"):
            await connection.execute(statement)
        db = Db(connection)
        old = await load_file(db, there)
        assert (old.media_type, old.size_bytes) == ("image/webp", 77)
        assert (old.is_there, old.renditions["thumb"].etag) == (True, "2")
        assert (await load_file(db, gone)).is_there is False
        kept = await hold_kept(db, {owner}, old.created_at.replace(year=2020))
        assert kept == {owner: Kept(1, 77)}
    finally:
        await connection.close()
        await databases.drop(url)
