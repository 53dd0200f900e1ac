"""Contents in a bucket: a local S3 server, with its parts, conditions and links."""

import asyncio
import io
import os
import urllib.error
import urllib.request

import obstore
import pytest
from moto.server import ThreadedMotoServer

from actors.files.store import ContentMissing, Store, folder_of
from bus.files import CHUNK_BYTES_MAX, DeleteFile, GetContent, StoreFile
from bus.kit.addressing import new_id
from bus.kit.refusals import Unavailable
from bus.kit.settings import Settings, SettingsError
from tests.conftest import free_port
from tests.files.samples import PDF, picture
from tests.products.edge import edge_of

MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    """A local S3 server with one bucket."""
    running = ThreadedMotoServer(
        ip_address="127.0.0.1", port=free_port(), verbose=False
    )
    running.start()
    url = f"http://127.0.0.1:{running._port}"
    asked = urllib.request.Request(f"{url}/pictures", method="PUT")
    urllib.request.urlopen(asked).close()
    yield url
    running.stop()


@pytest.fixture
def settings(server, tmp_path) -> Settings:
    return Settings(
        data_dir=tmp_path,
        files_url="s3://pictures/of/the/shop",
        files_endpoint=server,
        files_region="us-east-1",
        files_access_key_id="key",
        files_secret_access_key="secret",
        files_presigned_seconds=60,
        encryption_keys="one",
        upload_bytes_max=16 * MIB,
    )


def listed(store: Store) -> dict[str, int]:
    """All that the bucket holds under the shop's prefix."""
    pages = obstore.list(store._store)
    return {each["path"]: each["size"] for page in pages for each in page}


def fetch(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return answer.status, headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {}, b""


async def test_a_bucket_keeps_objects_once_in_parts_and_gives_ranges(settings) -> None:
    store, file_id = Store(settings), new_id()
    folder = folder_of(file_id)
    await store.put({f"{folder}/a": b"first", f"{folder}/b": b"b"}, "image/webp")
    await store.put({f"{folder}/a": b"other"}, "image/webp")  # If-None-Match: *
    assert await store.read(f"{folder}/a", 0, 99) == b"first"
    large = os.urandom(12 * MIB)
    await store.put_file(f"{folder}/large", io.BytesIO(large), "application/pdf")
    whole = await obstore.head_async(store._store, f"{folder}/large")
    assert whole["size"] == len(large)
    assert whole["e_tag"].endswith('-3"')  # S3's mark of an object of three parts
    piece = await store.read(f"{folder}/large", 5 * MIB - 3, 7)
    assert piece == large[5 * MIB - 3 : 5 * MIB + 4]
    with pytest.raises(ContentMissing):
        await store.read(f"{folder}/c", 0, 1)
    found = [each async for page in store.list(int(folder[:2], 16)) for each in page]
    assert [(each.file_id, each.prefix) for each in found] == [(file_id, folder)]
    await store.remove(folder)
    await store.remove(folder)
    assert listed(store) == {}


async def test_private_files_go_out_by_links_of_the_bucket(shop, settings) -> None:
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        owner, seller = anyone.signed_in("CUSTOMER"), anyone.signed_in("SELLER")
        large = PDF[:-6] + os.urandom(6 * MIB) + b"%%EOF\n"
        form = {"entity_type": "order", "entity_id": "o-1"}
        sent = {"files": {"file": ("a.pdf", large)}, "data": form}
        made = (await owner("POST", "/upload", **sent)).json()
        assert (made["media_type"], made["size_bytes"]) == (
            "application/pdf",
            len(large),
        )
        there = await owner("GET", made["url"])
        assert there.status_code == 307
        assert there.headers["cache-control"] == "private, no-store"
        status, headers, body = await asyncio.to_thread(
            fetch, there.headers["location"]
        )
        assert (status, body) == (200, large)
        assert headers["content-type"] == "application/pdf"
        assert headers["content-disposition"] == "attachment"
        bare = there.headers["location"].partition("?")[0]
        assert bare.startswith(f"{settings.files_endpoint}/pictures/of/the/shop/")
        assert "X-Amz-Expires=60&" in there.headers["location"]
        assert (await anyone("GET", made["url"])).status_code == 404
        linked = await anyone("GET", made["signed"]["url"])
        assert linked.status_code == 307
        # What is public goes through the shop, and is kept by whoever stands before it.
        form = {"entity_type": "product", "entity_id": "p-1"}
        sent = {"files": {"file": ("a.png", picture(400, 400))}, "data": form}
        shown = (await seller("POST", "/upload", **sent)).json()
        thumb = await anyone("GET", shown["sizes"]["thumb"])
        assert (thumb.status_code, thumb.content[8:12]) == (200, b"WEBP")
        store = Store(settings)
        assert len(listed(store)) == 1 + 3  # of 400 pixels, `medium` is `large`
        for view in (made, shown):
            by = owner if view is made else seller
            assert (await by("DELETE", f"/files/{view['id']}")).status_code == 204
        async with asyncio.timeout(20):
            while listed(store):  # noqa: ASYNC110
                await asyncio.sleep(0.05)


async def test_a_document_passes_through_the_shop_piece_by_piece(
    shop, settings
) -> None:
    settings = settings.changed(files_presigned_seconds=0)
    async with shop("files", settings=settings) as s:
        owner = new_id()
        data = PDF[:-6] + os.urandom(CHUNK_BYTES_MAX) + b"%%EOF\n"
        store = StoreFile(
            file_id=new_id(),
            owner_id=owner,
            entity_type="order",
            entity_id="x",
            data=data,
        )
        view = await s.ask(store)
        query = {"file_id": view.id, "viewer_id": owner}
        first = await s.ask(GetContent(**query))
        rest = await s.ask(GetContent(**query, offset=CHUNK_BYTES_MAX))
        assert first.data + rest.data == data
        assert (first.size_bytes, first.location) == (len(data), None)
        await s.ask(DeleteFile(file_id=view.id, owner_id=owner))


async def test_a_bucket_that_is_down_keeps_nothing_half(shop, settings) -> None:
    down = settings.changed(files_endpoint=f"http://127.0.0.1:{free_port()}")
    async with shop("files", settings=down) as s, edge_of(s) as anyone:
        seller = anyone.signed_in("SELLER")
        form = {"entity_type": "product", "entity_id": "p-1"}
        sent = {"files": {"file": ("a.png", picture(40, 40))}, "data": form}
        refused = await seller("POST", "/upload", **sent)
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert "retry-after" in refused.headers
        (row,) = await s.rows("files", "SELECT id, stored, deleted FROM files")
        assert (row["stored"], row["deleted"]) == (False, False)
        hidden = await seller("GET", f"/files/{row['id']}")
        assert hidden.status_code == 404
        assert await s.events() == []
        # What was written down is given up later, contents before the row.
        due = await s.rows(
            "files",
            "SELECT at > now() AS later FROM due WHERE name = $1",
            f"contents:{row['id']}",
        )
        assert due == [{"later": True}]
        with pytest.raises(Unavailable):
            await Store(down).remove("00")


async def test_settings_say_which_bucket_and_a_bad_one_stops_the_start() -> None:
    bucket = Store(Settings(files_url="gs://pictures/shop"))
    assert (type(bucket._store).__name__, bucket._store.prefix) == ("GCSStore", "shop")
    assert bucket.signs
    for name, value in (
        ("FILES_URL", "ftp://somewhere"),
        ("FILES_URL", "s3://"),
        ("FILES_ENDPOINT", "minio:9000"),
        ("FILES_LINK_MINUTES", "0"),
    ):
        with pytest.raises(SettingsError, match=f"^SOUK_{name}: "):
            Settings.load({f"SOUK_{name}": value})
    known = Settings.load({"SOUK_FILES_URL": "s3://a/b"})
    assert known.files_url == "s3://a/b"
