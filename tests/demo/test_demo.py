"""The demo shop: whole, loaded once, and taken up again after a kill."""

import asyncio
import io

import pytest
from PIL import Image

from bus.files import GetContent
from bus.inventory import GetAvailability
from bus.kit.settings import Settings
from bus.products import GetOffers, ListCategories, ListProducts
from scripts.demo import load
from scripts.demo.drawing import draw
from scripts.demo.goods import read_goods
from tests.products import product

DOMAINS = ("products", "inventory", "files", "users")


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        data_dir=tmp_path, encryption_keys="a secret of this shop", bcrypt_rounds=4
    )


async def counts(s) -> dict[str, int]:
    tables = {
        "products": ("products", "variants", "categories", "reviews", "outbox"),
        "inventory": ("warehouses", "stock", "movements"),
        "files": ("files", "outbox"),
        "users": ("users",),
    }
    return {
        f"{domain}.{table}": (
            await s.rows(domain, f"SELECT count(*) AS n FROM {table}")
        )[0]["n"]
        for domain, names in tables.items()
        for table in names
    }


def test_goods_are_many_and_their_names_are_one_each() -> None:
    goods = read_goods("USD")
    skus = [each.sku for good in goods.goods for each in good.draft.variants]
    assert len(goods.goods) >= 60
    assert len(skus) == len(set(skus))
    assert len({place.draft.slug for place in goods.places}) == len(goods.places)
    assert {place.depth for place in goods.places} == {0, 1, 2}


def test_each_product_has_a_picture_of_its_own_that_stays_the_same() -> None:
    goods = read_goods("USD").goods[::7]
    pictures = [draw(good) for good in goods]
    assert len(set(pictures)) == len(pictures)
    assert draw(goods[0]) == pictures[0]
    with Image.open(io.BytesIO(pictures[0])) as first:
        assert first.size == (640, 640)


@pytest.mark.full
async def test_a_demo_killed_half_way_is_finished_and_never_loaded_twice(
    shop, settings
) -> None:
    async with shop(*DOMAINS, settings=settings, shards=2) as s:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.7):
                await load(settings, s.ask)
        accounts = await load(settings, s.ask)
        assert set(accounts) == {"admin", "seller", "customer"}
        before = await counts(s)
        assert before["products.products"] >= 60
        assert before["inventory.warehouses"] == 2
        assert before["inventory.stock"] == 2 * before["products.variants"]
        assert before["files.files"] == before["products.products"]
        assert before["users.users"] == 3
        assert await load(settings, s.ask) == accounts
        assert await counts(s) == before
        categories = (await s.ask(ListCategories())).items
        tops = {each.id for each in categories if each.parent_id is None}
        middles = {each.id for each in categories if each.parent_id in tops}
        assert any(each.parent_id in middles for each in categories)
        await s.deliver()
        found = (await s.ask(ListProducts(q="headphnes", in_stock=True))).items
        assert found
        skus = tuple(each.sku for each in found[0].variants)
        assert all(o.active for o in (await s.ask(GetOffers(skus=skus))).offers)
        available = (await s.ask(GetAvailability(skus=skus))).available
        assert any(available.values())
        picture = await s.ask(GetContent(file_id=found[0].images[0].id, size="thumb"))
        assert picture.public
        rated = await s.ask(ListProducts(min_rating=4))
        assert rated.items[0].rating.count > 0


async def test_a_store_with_goods_of_its_own_is_left_alone(shop, settings) -> None:
    async with shop(*DOMAINS, settings=settings) as s:
        await s.ask(product())
        assert await load(settings, s.ask) == {}
        assert (await counts(s))["products.products"] == 1
