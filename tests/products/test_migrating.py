"""The second migration, on a catalogue that was there before it."""

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from bus.products import ListProducts
from persistence.kit import migrations
from persistence.kit.database import Db
from persistence.products import count_facets, find_products, prepare_search

OLD = """
INSERT INTO categories VALUES ('00000000-0000-7000-8000-0000000000c1', NULL, 'Café',
    'cafe', 0, 1, now(), now());
INSERT INTO products (id, category_id, name, slug, description, status, options, images,
    price_min, price_max, currency, rating_sum, rating_count, rating_millis, search,
    version, created_at, updated_at)
VALUES ('00000000-0000-7000-8000-0000000000a1', '00000000-0000-7000-8000-0000000000c1',
    'Ceramic Teapot', 'ceramic-teapot', 'Pours well.', 'ACTIVE', '[]', '[]', 900, 3000,
    'USD', 0, 0, 0, '', 1, now(), now());
INSERT INTO variants (sku, product_id, position, active, options, price_amount,
    currency)
VALUES ('T-1', '00000000-0000-7000-8000-0000000000a1', 0, true, '{"Color": "Red"}', 900,
        'USD'),
       ('T-2', '00000000-0000-7000-8000-0000000000a1', 1, true, '{"Color": "Blue"}',
        3000, 'USD'),
       ('T-0', '00000000-0000-7000-8000-0000000000a1', 2, false, '{"Color": "Old"}', 1,
        'USD');
"""


def _to_first(connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrations.FOLDER))
    config.set_main_option("path_separator", "newline")
    places = f"{migrations.FOLDER / 'kit'}\n{migrations.FOLDER / 'products'}"
    config.set_main_option("version_locations", places)
    script = ScriptDirectory.from_config(config)
    for target in (migrations.KIT_REVISION, "0001"):
        migrations._run(connection, config, script, target)


async def test_a_catalogue_from_before_is_found_as_a_new_one_is(databases) -> None:
    await databases._run("CREATE DATABASE products_of_old")
    url = databases._at("products_of_old")
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.begin() as connection:
        await connection.run_sync(_to_first)
    await engine.dispose()
    old = await asyncpg.connect(url)
    try:
        await old.execute(OLD)
        await migrations.migrate("products", url)
        db = Db(old)
        for q in ("ceramic teapot", "ceramik teapto", "T-1", "blue", "cafe", "cafee"):
            search = await prepare_search(db, ListProducts(q=q))
            assert len((await find_products(db, search))[0]) == 1, q
        search = await prepare_search(db, ListProducts(options=(("color", "red"),)))
        facets = await count_facets(db, search)
        assert [each.value for each in facets.prices] == ["0-999"]
        assert [each.value for each in facets.options] == ["Blue", "Red"]
        search = await prepare_search(db, ListProducts())
        facets = await count_facets(db, search)
        assert [each.value for each in facets.prices] == ["0-999", "2500-4999"]
    finally:
        await old.close()
        await databases.drop(url)
