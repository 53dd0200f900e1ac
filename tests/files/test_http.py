"""Files over HTTP: sent in whole or in pieces, given out to be kept for a year."""

import io

import pytest
from PIL import Image

from bus.kit.settings import Settings
from tests.files.test_files import SVG, picture
from tests.products.edge import edge_of


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path)


def form(entity_type: str = "product") -> dict[str, str]:
    return {"entity_type": entity_type, "entity_id": "x-1"}


def large() -> bytes:
    """A picture of several pieces."""
    return picture(1200, 900, "PNG", compress_level=0)


@pytest.mark.parametrize("data", [picture(), large()], ids=["small", "in pieces"])
async def test_a_picture_is_sent_and_given_out_in_sizes(shop, settings, data) -> None:
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        seller = anyone.signed_in("SELLER")
        made = await seller(
            "POST", "/upload", files={"file": ("a.txt", data)}, data=form()
        )
        assert made.status_code == 201
        view = made.json()
        assert set(view["sizes"]) == {"thumb", "small", "medium", "large"}
        assert (await anyone("GET", made.headers["location"])).json() == view
        thumb = await anyone("GET", view["sizes"]["thumb"])
        assert thumb.headers["content-type"] == "image/webp"
        assert "immutable" in thumb.headers["cache-control"]
        assert max(Image.open(io.BytesIO(thumb.content)).size) == 150
        same = await anyone(
            "GET",
            view["sizes"]["thumb"],
            headers={"If-None-Match": thumb.headers["etag"]},
        )
        assert (same.status_code, same.content) == (304, b"")
        assert (await anyone("GET", f"{view['url']}9")).status_code == 422
        gone = await seller("DELETE", made.headers["location"])
        assert gone.status_code == 204
        assert (await anyone("GET", view["url"])).status_code == 404


async def test_a_private_picture_is_its_owners(shop, settings) -> None:
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        owner, other = anyone.signed_in("CUSTOMER"), anyone.signed_in("CUSTOMER")
        sent = {"files": {"file": ("a.jpg", picture())}, "data": form("user")}
        made = await owner("POST", "/upload", **sent)
        path = made.headers["location"]
        assert (await owner("GET", path)).status_code == 200
        content = await owner("GET", f"{path}/content")
        assert content.headers["cache-control"].startswith("private")
        for stranger in (anyone, other):
            assert (await stranger("GET", path)).status_code == 404
            assert (await stranger("GET", f"{path}/content")).status_code == 404
        assert (await other("DELETE", path)).status_code == 404


async def test_what_may_not_be_sent_is_refused(shop, settings) -> None:
    async with shop("files", settings=settings) as s, edge_of(s) as anyone:
        seller, customer = anyone.signed_in("SELLER"), anyone.signed_in("CUSTOMER")

        async def sent(by, data: bytes, fields: dict[str, str]) -> tuple[int, str]:
            answer = await by(
                "POST", "/upload", files={"file": ("a.png", data)}, data=fields
            )
            return answer.status_code, answer.json()["code"]

        assert await sent(seller, SVG, form()) == (415, "unsupported-media")
        assert (await sent(anyone, picture(), form()))[0] == 401
        assert (await sent(customer, picture(), form()))[0] == 403
        assert (await sent(seller, picture(), form("robot")))[0] == 422
        assert (await sent(seller, picture(), {}))[0] == 422
        assert await s.rows("files", "SELECT * FROM files") == []
