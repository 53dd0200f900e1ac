"""The wares of the past: products, their SKUs and their stock, loaded by COPY."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bus.kit.addressing import derived_id, slot_of
from scripts.benching.catalogue import ROOT, wares
from scripts.benching.growing.columns import MOVEMENTS, Table, line_of, sequences
from scripts.benching.growing.copying import copy_lines, forget_events
from scripts.benching.growing.past import Ware
from scripts.benching.growing.rows import MAIN, PIECES, Moment, Shelves
from scripts.launcher.failures import Failure

SELLER_EVERY = 10
"""Every so manieth ware is the demo seller's, all others are the shop's own."""
GOODS_CHUNK = 10_000
PREFIX = "GROWN-"
AGE_DAYS = 399

STOCK = Table(
    "inventory", "stock", "sku warehouse_id on_hand reserved threshold version"
)
LEVELS = Table("inventory", "levels", "sku told")
CLAIMS = Table("products", "claims", "kind value owner_id")
VARIANTS = Table(
    "products",
    "variants",
    "sku product_id position active options price_amount currency",
)
SHOWN = Table("products", "sku_stock", "sku in_stock sequence")
NEW = Table(
    "products",
    "new_products",
    "id seller_id category_id name slug description price sku created_at",
)

_NEW_PRODUCTS = """CREATE TEMPORARY TABLE IF NOT EXISTS new_products (id uuid,
  seller_id uuid, category_id uuid, name text, slug text, description text,
  price bigint, sku text, created_at timestamptz)"""
_SAVE_PRODUCTS = """INSERT INTO products (id, version, created_at, updated_at,
    seller_id, category_id, name, slug, description, status, options, images,
    price_min, price_max, currency, rating_sum, rating_count, rating_millis, search,
    bands, pairs)
  SELECT id, 1, created_at, created_at, seller_id, category_id, name, slug,
    description, 'ACTIVE', '[]', '[]', price, price, $1, 0, 0, 0,
    search_of(name, '', sku, description),
    1 << width_bucket(price, ARRAY[0, 1000, 2500, 5000, 10000, 25000, 50000,
                                   100000]::bigint[]), '{}'
  FROM new_products ORDER BY id"""
_SAVE_WORDS = """INSERT INTO search_words (word)
  SELECT DISTINCT word FROM new_products,
    regexp_split_to_table(folded(name || ' ' || description), ' ') AS t (word)
  WHERE length(word) BETWEEN 3 AND 30 AND word !~ '[0-9]'
  ORDER BY word ON CONFLICT DO NOTHING"""
_SAVE_STOCK = """UPDATE stock SET on_hand = now.on_hand, version = now.number
  FROM unnest($1::text[], $2::int[], $3::int[]) AS now (sku, on_hand, number)
  WHERE stock.sku = now.sku AND stock.version < now.number"""
_SAVE_SEQUENCES = """INSERT INTO sequences (subject, sequence)
  SELECT * FROM unnest($1::text[], $2::bigint[]) ON CONFLICT (subject)
  DO UPDATE SET sequence = greatest(sequences.sequence, excluded.sequence)"""
Databases = Mapping[str, Any]


async def load_goods(databases: Databases, count: int, moment: Moment) -> list[Ware]:
    """All wares; made where the shop has none. Raises `Failure` for another number."""
    products = databases["products"]
    there = await products.fetchval(
        "SELECT count(*) FROM variants WHERE sku LIKE $1", f"{PREFIX}%"
    )
    if there not in (0, count):
        raise Failure(f"the shop has {there} wares of the past, not {count}")
    seller = await databases["users"].fetchval(
        "SELECT id FROM users WHERE email = 'seller@souk.example'"
    )
    made = [_ware(each, seller) for each in enumerate(wares(count))]
    if not there:
        shelves = await products.fetch("SELECT id FROM categories ORDER BY slug")
        categories = [row["id"] for row in shelves] or [None]
        await products.execute(_NEW_PRODUCTS)
        for first in range(0, count, GOODS_CHUNK):
            lines = _lines(made[first : first + GOODS_CHUNK], categories, moment)
            await copy_lines(databases, {NEW: lines.pop(NEW)})
            await products.execute(_SAVE_PRODUCTS, moment.currency)
            await products.execute(_SAVE_WORDS)
            await products.execute("TRUNCATE new_products")
            await copy_lines(databases, lines)
        await forget_events(products, Counter(slot_of(ware.id) for ware in made))
    return made


async def read_shelves(inventory: Any, goods: Sequence[Ware]) -> Shelves:
    """What each ware's movements have come to, those of an interrupted loading too."""
    rows = await inventory.fetch(
        """SELECT DISTINCT ON (sku) sku, on_hand_after, number FROM movements
           WHERE sku LIKE $1 ORDER BY sku, number DESC""",
        f"{PREFIX}%",
    )
    found = {row["sku"]: (row["on_hand_after"], row["number"]) for row in rows}
    return Shelves(
        [found[ware.sku][0] for ware in goods], [found[ware.sku][1] for ware in goods]
    )


async def save_shelves(
    databases: Databases, shelves: Shelves, goods: Sequence[Ware]
) -> None:
    """The stock that the movements end at, and that their events were told."""
    skus, inventory = [ware.sku for ware in goods], databases["inventory"]
    had = dict(
        await inventory.fetch(
            "SELECT sku, version FROM stock WHERE sku = ANY($1)", skus
        )
    )
    told: Counter[int] = Counter()
    for sku, number in zip(skus, shelves.numbers, strict=True):
        told[slot_of(sku)] += number - had[sku]
    async with inventory.transaction():
        await inventory.execute(_SAVE_STOCK, skus, shelves.on_hand, shelves.numbers)
        await inventory.execute(_SAVE_SEQUENCES, skus, shelves.numbers)
        await forget_events(inventory, told)


def _ware(numbered: tuple[int, Any], seller: Any) -> Ware:
    place, ware = numbered
    sku = f"{PREFIX}{place:06}"
    return Ware(
        id=str(derived_id(ROOT, sku, sku)),
        sku=sku,
        name=ware.draft.name,
        price=ware.draft.variants[0].price.amount,
        seller_id=str(seller) if seller and place % SELLER_EVERY == 0 else None,
    )


def _lines(
    goods: Sequence[Ware], categories: Sequence[Any], moment: Moment
) -> dict[Table, list[str]]:
    at: datetime = moment.now - timedelta(days=AGE_DAYS)
    found: dict[Table, list[str]] = {}
    for ware in goods:
        category = categories[int(ware.sku[-6:]) % len(categories)]
        slug = f"grown-{ware.sku[-6:]}"
        count_id = derived_id(ROOT, f"count {ware.sku}")
        counted = ("ADJUST", "count", None, 0, PIECES, 0, 0, at)
        words = f"{ware.name}: made to last"
        for table, values in (
            (NEW, (ware.id, ware.seller_id, category, ware.name, slug, words,
                   ware.price, ware.sku, at)),
            (VARIANTS, (ware.sku, ware.id, 0, "t", "{}", ware.price, moment.currency)),
            (CLAIMS, ("sku", ware.sku, ware.id)),
            (CLAIMS, ("slug", slug, ware.id)),
            (SHOWN, (ware.sku, "t", 1)),
            (sequences("products"), (ware.id, 1)),
            (STOCK, (ware.sku, MAIN, PIECES, 0, 0, 1)),
            (LEVELS, (ware.sku, 0)),
            (MOVEMENTS, (ware.sku, MAIN, 1, 1, count_id, *counted)),
        ):  # fmt: skip
            found.setdefault(table, []).append(line_of(*values))
    return found
