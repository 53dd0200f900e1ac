"""Pictures of products: one's own, known to files, hung once, taken down."""

import asyncio

import pytest

from bus.files import GetFile, StoreFile
from bus.kit.addressing import new_id
from bus.kit.refusals import Refusal
from bus.kit.settings import Settings
from bus.products import (
    AddImage,
    GetOffers,
    GetProduct,
    Image,
    RemoveImage,
    UpdateImage,
)
from tests.files.samples import picture
from tests.products import product, variant


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data_dir=tmp_path, files_cdn_url="https://cdn.example/")


async def upload(s, owner_id, entity_type="product"):
    message = StoreFile(
        file_id=new_id(),
        owner_id=owner_id,
        entity_type=entity_type,
        entity_id="x",
        data=picture(300, 200),
    )
    return (await s.ask(message)).id


async def test_a_picture_hangs_once_and_is_offered(shop, settings) -> None:
    async with shop("products", "files", settings=settings, shards=2) as s:
        seller = new_id()
        made = await s.ask(product("Cup", variant("CUP"), seller_id=seller))
        file_id = await upload(s, seller)
        about = {"product_id": made.id, "editor_id": seller}
        message, id_ = AddImage(**about, image=Image(file_id, "A cup")), new_id()
        one, two = await asyncio.gather(
            s.ask(message, id=id_, join=True), s.ask(message, id=new_id())
        )
        assert (one.images, one.version) == (two.images, two.version) == (one.images, 2)
        assert await s.ask(message, id=id_) == one
        shown = (await s.ask(GetProduct(reference="cup"))).images
        address = f"https://cdn.example/files/{file_id}/content"
        assert [each.url for each in shown] == [f"{address}?size=large"]
        offer = (await s.ask(GetOffers(skus=("CUP",)))).offers[0]
        assert offer.image == f"{address}?size=small"
        left = await s.ask(RemoveImage(**about, file_id=file_id))
        assert left.images == ()
        assert (await s.ask(GetFile(file_id=file_id))).id == file_id


async def test_a_picture_that_is_not_there_or_anothers_is_refused(
    shop, settings
) -> None:
    async with shop("products", "files", settings=settings) as s:
        seller = new_id()
        made = await s.ask(product(seller_id=seller))
        for file_id in (
            new_id(),
            await upload(s, new_id()),
            await upload(s, seller, "user"),
        ):
            image = Image(file_id, "")
            with pytest.raises(Refusal) as caught:
                await s.ask(AddImage(product_id=made.id, editor_id=seller, image=image))
            assert caught.value.code == "unknown-file"
        assert (await s.ask(GetProduct(reference=str(made.id)))) == made


async def test_pictures_are_put_in_order_and_renamed(shop, settings) -> None:
    async with shop("products", "files", settings=settings) as s:
        seller = new_id()
        made = await s.ask(product(seller_id=seller))
        about = {"product_id": made.id, "editor_id": seller}
        ids = [await upload(s, seller) for _ in range(3)]
        for file_id in ids:
            await s.ask(AddImage(**about, image=Image(file_id, "old")))
        first, second, third = ids
        moved = await s.ask(UpdateImage(**about, file_id=third, position=0))
        assert [each.id for each in moved.images] == [third, first, second]
        moved = await s.ask(UpdateImage(**about, file_id=third, position=9, alt="new"))
        assert [(each.id, each.alt) for each in moved.images] == [
            (first, "old"),
            (second, "old"),
            (third, "new"),
        ]
        for wrong in (
            {"file_id": new_id()},
            {"file_id": first, "editor_id": new_id()},
            {"file_id": first, "version": 1},
        ):
            with pytest.raises(Refusal):
                await s.ask(UpdateImage(**about | wrong, alt="x"))
        shown = await s.ask(GetProduct(reference=str(made.id)))
        assert shown == moved
