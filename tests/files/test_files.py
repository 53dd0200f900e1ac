"""Pictures: hostile ones refused, clean ones kept in four sizes, and removed whole."""

import asyncio
import io
import struct
import zlib

import pytest
from PIL import Image

from bus.files import (
    CHUNK_BYTES_MAX,
    AppendUpload,
    DeleteFile,
    GetContent,
    GetFile,
    StorePicture,
)
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal, RefusalKind
from bus.kit.settings import Settings


def picture(width=2000, height=1000, kind="JPEG", mode="RGB", **options) -> bytes:
    buffer = io.BytesIO()
    color = (200, 30, 30, 90)[: len(mode)]
    Image.new(mode, (width, height), color).save(buffer, kind, **options)
    return buffer.getvalue()


def store(data: bytes | None, owner_id=None, entity_type="product", **more):
    return StorePicture(
        file_id=more.get("file_id") or new_id(),
        owner_id=owner_id,
        entity_type=entity_type,
        entity_id="x",
        data=data,
    )


def bomb() -> bytes:
    """A PNG that says it has 40 000 by 40 000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


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


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
async def test_a_picture_is_kept_in_four_sizes_of_webp(shop, settings, kind) -> None:
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(picture(kind=kind)))
        assert (view.width, view.height, view.media_type) == (1600, 800, "image/webp")
        assert view.sizes["thumb"] == f"/files/{view.id}/content?size=thumb"
        for size, side in (("thumb", 150), ("small", 320), ("medium", 800)):
            found = await opened(s, view.id, size)
            assert (found.format, found.size) == ("WEBP", (side, side // 2))
        events = [each["type"] for each in await s.events()]
        assert events == ["files.file_uploaded.v1"]


async def test_a_small_picture_is_never_made_larger(shop, settings, tmp_path) -> None:
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(picture(100, 50, "PNG", "RGBA")))
        for size in view.sizes:
            found = await opened(s, view.id, size)
            assert (found.size, found.mode) == ((100, 50), "RGBA")
        assert stored(tmp_path) == 1


async def test_exif_is_removed_and_orientation_kept(shop, settings) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a secret place"
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(picture(400, 200, exif=exif)))
        assert (view.width, view.height) == (200, 400)
        content = await s.ask(GetContent(file_id=view.id))
        assert b"secret" not in content.data
        assert dict(Image.open(io.BytesIO(content.data)).getexif()) == {}


HOSTILE = {
    "svg": (SVG, RefusalKind.UNSUPPORTED),
    "empty": (b"", RefusalKind.UNSUPPORTED),
    "text": (b"GIF89a, says the text", RefusalKind.UNSUPPORTED),
    "cut off": (picture()[:500], RefusalKind.UNSUPPORTED),
    "other kind": (picture(100, 100, "BMP"), RefusalKind.UNSUPPORTED),
    "bomb": (bomb(), RefusalKind.TOO_LARGE),
    "too many pixels": (picture(9000, 6000, "PNG", "1"), RefusalKind.TOO_LARGE),
}


async def test_what_is_no_picture_is_refused(shop, settings, tmp_path) -> None:
    async with shop("files", settings=settings) as s:
        for name, (data, kind) in HOSTILE.items():
            assert (await refused(s, store(data))).data.kind is kind, name
        assert stored(tmp_path) == 0
        assert await s.rows("files", "SELECT * FROM files") == []
        assert await s.rows("files", "SELECT * FROM due") == []


async def test_what_hides_behind_a_picture_is_left_out(shop, settings) -> None:
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(picture() + b"PK\x03\x04 a hidden archive"))
        content = await s.ask(GetContent(file_id=view.id))
        assert b"hidden" not in content.data


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
        assert len(await s.events()) == 1


async def test_pieces_that_are_missing_or_too_many_are_refused(shop, settings) -> None:
    piece = bytes(CHUNK_BYTES_MAX)
    async with shop("files", settings=settings) as s:
        file_id = new_id()
        gap = AppendUpload(file_id=file_id, offset=10, data=piece)
        assert (await refused(s, gap)).code == "upload-lost"
        assert (await refused(s, store(None, file_id=file_id))).code == "upload-lost"
        for number in range(8):
            at = number * CHUNK_BYTES_MAX
            await s.ask(AppendUpload(file_id=file_id, offset=at, data=piece))
        over = AppendUpload(file_id=file_id, offset=8 * CHUNK_BYTES_MAX, data=b"x")
        assert (await refused(s, over)).data.kind is RefusalKind.TOO_LARGE


async def test_only_products_pictures_are_for_all(shop, settings) -> None:
    async with shop("files", settings=settings) as s:
        owner, other = new_id(), new_id()
        mine = await s.ask(store(picture(), owner, "user"))
        assert not mine.public
        for stranger in ({}, {"viewer_id": other}):
            for query in (GetFile, GetContent):
                ask = query(file_id=mine.id, **stranger)
                assert (await refused(s, ask)).code == "not-found"
        assert await s.ask(GetFile(file_id=mine.id, viewer_id=owner)) == mine
        assert await s.ask(GetFile(file_id=mine.id, viewer_is_admin=True)) == mine
        foreign = DeleteFile(file_id=mine.id, owner_id=other)
        assert (await refused(s, foreign)).code == "not-found"
        assert await s.ask(GetFile(file_id=mine.id, viewer_id=owner)) == mine


async def test_a_deleted_file_is_gone_at_once_and_its_bytes_soon(
    shop, settings, tmp_path
) -> None:
    async with shop("files", settings=settings) as s:
        view = await s.ask(store(picture(), new_id()))
        assert stored(tmp_path) == 4
        await s.ask(DeleteFile(file_id=view.id, owner_id=view.owner_id))
        assert (await refused(s, GetFile(file_id=view.id))).code == "not-found"
        async with asyncio.timeout(10):
            due = "SELECT * FROM due"
            while stored(tmp_path) or await s.rows("files", due):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await s.rows("files", "SELECT * FROM files") == []
        types = [each["type"] for each in await s.events()]
        assert types == ["files.file_uploaded.v1", "files.file_deleted.v1"]
        audit = "SELECT action, entity FROM audit"
        assert await s.rows("files", audit) == [
            {"action": "files.delete_file", "entity": str(view.id)}
        ]
