"""Files over HTTP: sent whole or in pieces, given out whole, in part, or not at all."""

import asyncio
import io
import random
import time
from contextlib import asynccontextmanager

import pytest
from PIL import Image

from actors.files.links import GRID_SECONDS, Links
from bus.files import CHUNK_BYTES_MAX
from bus.kit.settings import Settings
from serve_app.files.delivering import Span, read_range
from serve_app.kit import receiving
from tests.files.samples import PDF, SVG, noise, picture, saved
from tests.products.edge import edge_of

KEPT = "public, max-age=31536000, immutable"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, encryption_keys="new, old")


def form(entity_type: str = "product") -> dict[str, str]:
    return {"entity_type": entity_type, "entity_id": "x-1"}


def sending(data: bytes, entity_type: str = "product", name: str = "a.txt") -> dict:
    return {"files": {"file": (name, data)}, "data": form(entity_type)}


async def test_a_picture_is_sent_and_given_out_in_sizes(shop, settings) -> None:
    # Of one piece, and of several.
    for data in (picture(), picture(1200, 900, "PNG", compress_level=0)):
        async with shop("files", settings=settings) as s, edge_of(s) as anyone:
            seller = anyone.signed_in("SELLER")
            made = await seller("POST", "/upload", **sending(data))
            assert made.status_code == 201
            view = made.json()
            assert set(view["sizes"]) == {"thumb", "small", "medium", "large"}
            assert (await anyone("GET", made.headers["location"])).json() == view
            thumb = await anyone("GET", view["sizes"]["thumb"])
            assert thumb.headers["content-type"] == "image/webp"
            assert thumb.headers["cache-control"] == KEPT
            assert thumb.headers["x-content-type-options"] == "nosniff"
            assert max(Image.open(io.BytesIO(thumb.content)).size) == 150
            tag = thumb.headers["etag"]
            for known in (tag, f'"other", W/{tag}', "*"):
                head = {"If-None-Match": known, "Range": "bytes=0-3"}
                same = await anyone("GET", view["sizes"]["thumb"], headers=head)
                assert (same.status_code, same.content) == (304, b"")
                assert (same.headers["etag"], same.headers["cache-control"]) == (
                    tag,
                    KEPT,
                )
            other = {"If-None-Match": '"other"'}
            again = await anyone("GET", view["sizes"]["thumb"], headers=other)
            assert (again.status_code, again.content) == (200, thumb.content)
            assert (await anyone("GET", f"{view['url']}9")).status_code == 422
            gone = await seller("DELETE", made.headers["location"])
            assert gone.status_code == 204
            for path in (view["url"], made.headers["location"]):
                assert (await anyone("GET", path)).status_code == 404
            assert (await seller("DELETE", made.headers["location"])).status_code == 404


async def test_a_private_file_is_its_owners_and_of_those_with_a_link(
    shop, settings
) -> None:
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        owner, other = anyone.signed_in("CUSTOMER"), anyone.signed_in("CUSTOMER")
        admin = anyone.signed_in("ADMIN")
        made = await owner("POST", "/upload", **sending(picture(), "user"))
        path, view = made.headers["location"], made.json()
        for one in (owner, admin):
            assert (await one("GET", path)).json()["signed"]["sizes"]
            content = await one("GET", f"{path}/content")
            assert content.headers["cache-control"] == "private, no-store"
        for stranger in (anyone, other):
            assert (await stranger("GET", path)).status_code == 404
            assert (await stranger("GET", f"{path}/content")).status_code == 404
        assert (await other("DELETE", path)).status_code == 404
        links = view["signed"]["sizes"]
        opened = await anyone("GET", links["thumb"])
        assert (opened.status_code, opened.content[8:12]) == (200, b"WEBP")
        assert opened.headers["cache-control"] == "private, no-store"
        # A link is of one size of one file until one moment, and of one of our keys.
        forged = [
            links["thumb"].replace("size=thumb", "size=large"),
            links["thumb"].replace("expires=", "expires=1"),
            links["thumb"][:-1] + ("0" if links["thumb"][-1] != "0" else "1"),
            links["thumb"].partition("&signature")[0],
            f"{path}/content?expires=1&signature=é",
        ]
        for link in forged:
            assert (await anyone("GET", link)).status_code == 404, link
        file_id, now = view["id"], int(time.time())

        async def told(keys: str, expires: int) -> tuple[int, str]:
            signature = Links(keys, 900).sign(file_id, "thumb", expires)
            query = f"size=thumb&expires={expires}&signature={signature}"
            answer = await anyone("GET", f"{path}/content?{query}")
            code = "" if answer.status_code == 200 else answer.json()["code"]
            return answer.status_code, code

        assert await told("old", now + 60) == (200, "")
        assert await told("new", now - 1) == (403, "link-expired")
        assert await told("another", now - 1) == (404, "not-found")
        assert await told("new", now + 900 + 3 * GRID_SECONDS) == (404, "not-found")
        long = await anyone("GET", f"{path}/content?expires=1&signature={'a' * 65}")
        assert long.status_code == 422
        await owner("DELETE", path)
        assert (await anyone("GET", links["thumb"])).status_code == 404


@asynccontextmanager
async def document(shop, settings):
    """A document of several pieces; how its owner reads it, and what it is."""
    data = PDF[:-6] + random.Random(3).randbytes(1_300_000) + b"%%EOF\n"
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        sizes = weighed(s)
        owner = anyone.signed_in("CUSTOMER")
        sent = sending(data, "order", "invoice.html")
        view = (await owner("POST", "/upload", **sent)).json()
        assert (await anyone("GET", view["signed"]["url"])).content == data

        async def read(**head: str):
            named = {name.replace("_", "-"): value for name, value in head.items()}
            return await owner("GET", view["url"], headers=named)

        yield read, data
        assert CHUNK_BYTES_MAX < max(sizes) < CHUNK_BYTES_MAX + 10_000


def weighed(s) -> list[int]:
    """The bytes of all that goes to the shards from now on, and of all that comes."""
    sizes, receive = [], s.transport.receive

    async def weighing(address, envelope: bytes) -> bytes:
        answer = await receive(address, envelope)
        sizes.extend((len(envelope), len(answer)))
        return answer

    s.transport.receive = weighing
    return sizes


async def test_a_document_goes_out_in_ranges_and_to_be_saved(shop, settings) -> None:
    async with document(shop, settings) as (read, data):
        total = len(data)
        whole = await read()
        assert (whole.status_code, whole.content == data) == (200, True)
        assert whole.headers["content-length"] == str(total)
        assert whole.headers["accept-ranges"] == "bytes"
        assert whole.headers["content-type"] == "application/pdf"
        assert whole.headers["content-disposition"].startswith("attachment")
        assert whole.headers["content-security-policy"].endswith("sandbox")
        tag = whole.headers["etag"]
        for asked, start, end in (
            ("bytes=0-0", 0, 1),
            ("bytes=10-", 10, total),
            ("bytes=-20", total - 20, total),
            (f"bytes=-{total * 2}", 0, total),
            (f"bytes=500000-{total * 9}", 500_000, total),
            ("bytes=524280-1100000", 524_280, 1_100_001),
        ):
            part = await read(range=asked, if_range=tag)
            assert (part.status_code, part.content == data[start:end]) == (206, True)
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{total}"
            assert part.headers["content-length"] == str(end - start)
        for asked in (
            "bytes=0-1,5-6",
            "lines=0-1",
            "bytes=9-1",
            "bytes=a-b",
            "bytes=-",
        ):
            part = await read(range=asked)
            assert (part.status_code, len(part.content)) == (200, total), asked
        for old in ('"old"', f"W/{tag}", "Tue, 24 Nov 2026 08:00:00 GMT"):
            part = await read(range="bytes=0-9", if_range=old)
            assert (part.status_code, len(part.content)) == (200, total), old
        for asked in (f"bytes={total}-", "bytes=-0", f"bytes={10**17}-"):
            beyond = await read(range=asked)
            assert beyond.status_code == 416, asked
            assert beyond.json()["code"] == "range-not-satisfiable"
            assert beyond.headers["content-range"] == f"bytes */{total}"


def test_a_range_is_read_as_it_is_written() -> None:
    assert read_range("bytes=0-99") == Span(0, 99)
    assert read_range(" Bytes=5- ") == Span(5)
    assert read_range("bytes=-5") == Span(-5)
    for none in (None, "", "bytes", "bytes=", "bytes=1", "bytes=٣-٤", "bytes=0-1, 4-5"):
        assert read_range(none) is None
    assert read_range(f"bytes={'9' * 19}-") is None


async def test_what_may_not_be_sent_is_refused(shop, settings) -> None:
    settings = settings.changed(upload_bytes_max=100_000)
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        seller, customer = anyone.signed_in("SELLER"), anyone.signed_in("CUSTOMER")

        async def sent(by, data: bytes, fields: dict[str, str], **more) -> tuple:
            files = more or {"file": ("a.png", data)}
            answer = await by("POST", "/upload", files=files, data=fields)
            return answer.status_code, answer.json()["code"]

        small = picture(40, 40)
        assert await sent(seller, SVG, form()) == (415, "unsupported-media")
        assert await sent(seller, PDF, form()) == (415, "unsupported-media")
        assert (await sent(anyone, small, form()))[0] == 401
        assert (await sent(customer, small, form()))[0] == 403
        assert (await sent(seller, small, form("robot")))[0] == 422
        assert (await sent(seller, small, {}))[0] == 422
        assert (await sent(seller, small, {**form(), "entity_id": "a/b"}))[0] == 422
        assert (await sent(seller, small, {**form(), "owner_id": "x"}))[0] == 422
        second = {"file": ("a.png", small), "other": ("b.png", small)}
        assert (await sent(seller, b"", form(), **second))[0] == 422
        large = saved(noise(300, 300), "PNG")
        assert len(large) > 200_000
        assert (await sent(seller, large, form()))[0] == 413

        async def endless():
            yield b"--b\r\nContent-Disposition: form-data; name=file; "
            yield b"filename=a\r\n\r\n"
            for _ in range(10_000):
                yield bytes(10_000)
                sizes.append(10_000)

        sizes: list[int] = []
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = await seller("POST", "/upload", content=endless(), headers=kind)
        assert answer.status_code == 413
        assert sum(sizes) < 300_000  # nobody read on
        broken = await seller("POST", "/upload", content=b"--c", headers=kind)
        assert (broken.status_code, broken.json()["code"]) == (400, "malformed-request")
        assert await s.rows("files", "SELECT * FROM files") == []


async def test_one_person_sends_so_many_at_once(shop, settings, monkeypatch) -> None:
    monkeypatch.setattr(receiving, "UPLOADS_EACH_MAX", 2)
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        slow, quick = anyone.signed_in("SELLER"), anyone.signed_in("SELLER")
        go = asyncio.Event()

        async def drip():
            yield b"--b\r\n"
            await go.wait()

        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        waiting = [
            asyncio.create_task(slow("POST", "/upload", content=drip(), headers=kind))
            for _ in range(2)
        ]
        async with asyncio.timeout(5):
            while receiving._under_way.total() < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        third = await slow("POST", "/upload", **sending(picture(40, 40)))
        assert (third.status_code, third.json()["code"]) == (429, "too-many-uploads")
        monkeypatch.setattr(receiving, "UPLOADS_MAX", 2)
        full = await quick("POST", "/upload", **sending(picture(40, 40)))
        assert (full.status_code, full.headers["retry-after"]) == (503, "1")
        go.set()
        assert [(await each).status_code for each in waiting] == [422, 422]
        go.clear()
        monkeypatch.setattr(receiving, "UPLOAD_SECONDS_MAX", 0.05)
        late = await slow("POST", "/upload", content=drip(), headers=kind)
        assert (late.status_code, late.json()["code"]) == (408, "request-timeout")
        monkeypatch.undo()
        good = await quick("POST", "/upload", **sending(picture(40, 40)))
        assert good.status_code == 201
        assert receiving._under_way.total() == 0
