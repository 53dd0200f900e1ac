"""Files kept: told by their content, once each, as many as one may, and for whom."""

import asyncio
import io
from datetime import timedelta

import msgspec
import pytest
from PIL import Image

from bus.files import (
    CHUNK_BYTES_MAX,
    AppendUpload,
    DeleteFile,
    GetContent,
    GetFile,
    StoreFile,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.settings import Settings
from tests.files.samples import PDF, SVG, header_bomb, picture

DUE = "SELECT * FROM due WHERE name LIKE 'contents:%'"


def store(data: bytes | None, owner_id=None, entity_type="product", **more):
    return StoreFile(
        file_id=more.get("file_id") or new_id(),
        owner_id=owner_id,
        entity_type=entity_type,
        entity_id="x",
        data=data,
    )


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, upload_bytes_max=4 << 20)


def stored(tmp_path) -> int:
    return sum(each.is_file() for each in (tmp_path / "files").rglob("*"))


async def opened(s, file_id, size, **viewer) -> Image.Image:
    content = await s.ask(GetContent(file_id=file_id, size=size, **viewer))
    return Image.open(io.BytesIO(content.data))


async def refused(s, message) -> Refusal:
    with pytest.raises(Refusal) as caught:
        await s.ask(message)
    return caught.value


async def test_a_picture_is_kept_in_four_sizes_of_webp(
    shop, settings, tmp_path
) -> None:
    async with shop("files", settings=settings) as s:
        for kind in ("JPEG", "PNG", "WEBP", "GIF"):
            view = await s.ask(store(picture(kind=kind)))
            assert (view.width, view.height, view.signed) == (1600, 800, None)
            assert view.media_type == "image/webp"
            assert view.sizes["thumb"] == f"/files/{view.id}/content?size=thumb"
            for size, side in (("thumb", 150), ("small", 320), ("medium", 800)):
                found = await opened(s, view.id, size)
                assert (found.format, found.size) == ("WEBP", (side, side // 2))
                one = view.renditions[size]
                assert (one.width, one.height) == found.size
        events = [each["type"] for each in await s.events()]
        assert events == ["files.file_uploaded.v1"] * 4
        assert stored(tmp_path) == 16
        small = await s.ask(store(picture(100, 50, "PNG", "RGBA")))
        for size in small.sizes:
            found = await opened(s, small.id, size)
            assert (found.size, found.mode) == ((100, 50), "RGBA")
        assert stored(tmp_path) == 17


async def test_what_is_not_taken_is_refused_and_leaves_nothing(
    shop, settings, tmp_path
) -> None:
    owner = new_id()
    hostile = {
        "svg": (store(SVG), RefusalKind.UNSUPPORTED),
        "empty": (store(b""), RefusalKind.UNSUPPORTED),
        "bomb": (store(header_bomb()), RefusalKind.TOO_LARGE),
        "too large": (store(bytes(5 << 20)), RefusalKind.TOO_LARGE),
        "a robot's": (store(picture(), owner, "robot"), RefusalKind.INVALID),
        "public document": (store(PDF), RefusalKind.UNSUPPORTED),
        "avatar as document": (store(PDF, owner, "user"), RefusalKind.UNSUPPORTED),
        "document without end": (
            store(PDF[:40] + bytes(3000), owner, "order"),
            RefusalKind.UNSUPPORTED,
        ),
        "document that comes late": (
            store(b"\n" + PDF, owner, "order"),
            RefusalKind.UNSUPPORTED,
        ),
    }
    async with shop("files", settings=settings) as s:
        for name, (message, kind) in hostile.items():
            assert (await refused(s, message)).data.kind is kind, name
        assert stored(tmp_path) == 0
        assert await s.rows("files", "SELECT * FROM files") == []
        assert await s.rows("files", DUE) == []
        assert await s.events() == []
        assert list((tmp_path / "uploads").iterdir()) == []


async def test_pieces_make_a_whole_also_when_one_comes_twice(shop, settings) -> None:
    data = picture(1400, 1400, "PNG") + bytes(2 * CHUNK_BYTES_MAX)
    async with shop("files", settings=settings, shards=2) as s:
        file_id = new_id()
        for offset in range(0, len(data), CHUNK_BYTES_MAX):
            piece = data[offset : offset + CHUNK_BYTES_MAX]
            append = AppendUpload(file_id=file_id, offset=offset, data=piece)
            await s.ask(append)
            await s.ask(append)
        view = await s.ask(store(None, file_id=file_id))
        assert (view.id, view.width) == (file_id, 1400)
        again = await s.ask(store(None, file_id=file_id))
        assert again == view
        # Two of one id at the same time, whole this time: one file, told once.
        twin = store(picture(300, 300), new_id(), "user")
        one, two = await asyncio.gather(s.ask(twin), s.ask(twin))
        assert one == two
        assert len(await s.events()) == 2
        piece = bytes(CHUNK_BYTES_MAX)
        gap = AppendUpload(file_id=new_id(), offset=10, data=piece)
        assert (await refused(s, gap)).code == "upload-lost"
        missing = store(None)
        assert (await refused(s, missing)).code == "upload-lost"
        file_id = new_id()
        for number in range(8):
            at = number * CHUNK_BYTES_MAX
            await s.ask(AppendUpload(file_id=file_id, offset=at, data=piece))
        over = AppendUpload(file_id=file_id, offset=8 * CHUNK_BYTES_MAX, data=b"x")
        assert (await refused(s, over)).code == "file-too-large"
        assert (await refused(s, store(None, file_id=file_id))).code == "upload-lost"


async def test_only_products_pictures_are_for_all(shop, settings) -> None:
    async with shop("files", settings=settings) as s:
        owner, other = new_id(), new_id()
        mine = await s.ask(store(picture(), owner, "user"))
        assert (mine.public, mine.signed) == (False, None)  # no key, no links
        for stranger in ({}, {"viewer_id": other}):
            for query in (GetFile, GetContent):
                ask = query(file_id=mine.id, **stranger)
                assert (await refused(s, ask)).code == "not-found"
        assert await s.ask(GetFile(file_id=mine.id, viewer_id=owner)) == mine
        assert await s.ask(GetFile(file_id=mine.id, viewer_is_admin=True)) == mine
        foreign = DeleteFile(file_id=mine.id, owner_id=other)
        assert (await refused(s, foreign)).code == "not-found"
        assert await s.ask(GetFile(file_id=mine.id, viewer_id=owner)) == mine


async def test_a_document_is_kept_as_it_is(shop, settings) -> None:
    settings = settings.changed(files_cdn_url="https://cdn.example")
    async with shop("files", settings=settings) as s:
        owner = new_id()
        view = await s.ask(store(PDF, owner, "order"))
        assert (view.media_type, view.sizes) == ("application/pdf", {})
        assert (view.width, view.height, view.size_bytes) == (None, None, len(PDF))
        assert view.url == f"/files/{view.id}/content"  # private: never the CDN's
        mine = GetContent(file_id=view.id, viewer_id=owner)
        assert (await s.ask(mine)).data == PDF
        end = await s.ask(msgspec.structs.replace(mine, offset=-6, bytes_max=5))
        assert (end.data, end.offset, end.size_bytes) == (
            b"%%EOF",
            len(PDF) - 6,
            len(PDF),
        )
        sized = msgspec.structs.replace(mine, size="thumb")
        assert (await refused(s, sized)).code == "unknown-size"


async def test_one_person_keeps_as_much_a_day_as_one_may(shop, settings) -> None:
    settings = settings.changed(upload_day_files_max=3, upload_day_bytes_max=100_000)
    small = picture(30, 30, "PNG")
    async with shop("files", settings=settings, shards=2) as s:
        owner = new_id()
        asks = [s.ask(store(small, owner, "user")) for _ in range(6)]
        ends = await asyncio.gather(*asks, return_exceptions=True)
        kept = [each for each in ends if not isinstance(each, Refusal)]
        codes = [each.code for each in ends if isinstance(each, Refusal)]
        assert (len(kept), codes) == (3, ["upload-limit-reached"] * 3)
        assert len(await s.rows("files", "SELECT * FROM files")) == 3
        assert len(await s.events()) == 3
        # What is kept already is answered, another's is another's, the shop's is free.
        again = store(small, owner, "user", file_id=kept[0].id)
        assert await s.ask(again) == kept[0]
        other = new_id()
        await s.ask(store(small, other, "user"))
        for _ in range(4):
            await s.ask(store(small))
        heavy = PDF[:-6] + bytes(100_000) + b"%%EOF\n"
        refusal = await refused(s, store(heavy, other, "order"))
        assert refusal.data.facts == {"retry_after_seconds": 86_400}
        # A day later, or when one is deleted, there is room again.
        await s.rows(
            "files",
            "UPDATE files SET created_at = created_at - $1::interval WHERE id = $2",
            timedelta(days=1),
            kept[0].id,
        )
        await s.ask(store(small, owner, "user"))
        assert (await refused(s, store(small, owner, "user"))).code == (
            "upload-limit-reached"
        )
