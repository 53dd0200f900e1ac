"""Products and variants: read whole, written whole."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.values import Money
from bus.products import Image, Offer, Option, VariantDraft
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.products.state import Product
from persistence.products.words import save_spellings, save_words

_PRODUCTS = """
SELECT p.id, p.version, p.created_at, p.updated_at, p.seller_id, p.category_id, p.name,
       p.slug, p.description, p.status, p.options, p.images, p.rating_sum,
       p.rating_count, v.variants, v.in_stock
FROM products AS p
CROSS JOIN LATERAL (
    SELECT json_agg(json_build_object(
               'sku', sku, 'active', active, 'options', options,
               'price', json_build_object('amount', price_amount, 'currency', currency),
               'compare_at_price', CASE WHEN compare_at_amount IS NOT NULL THEN
                   json_build_object('amount', compare_at_amount, 'currency', currency)
                   END,
               'barcode', barcode, 'weight_grams', weight_grams)
               ORDER BY position, sku)::text AS variants,
           bool_or(active AND coalesce(s.in_stock, false)) AS in_stock
    FROM variants LEFT JOIN sku_stock AS s USING (sku) WHERE product_id = p.id) AS v
"""

_SAVE_PRODUCTS = """
INSERT INTO products (id, version, created_at, updated_at, seller_id, category_id, name,
    slug, description, status, options, images, price_min, price_max, currency,
    rating_sum, rating_count, rating_millis, search, bands, pairs)
SELECT id, version, created_at, updated_at, seller_id, category_id, name, slug,
    description, status, options, images, price_min, price_max, currency, 0, 0, 0,
    search_of(name, choices, skus, description), bands,
    ARRAY(SELECT DISTINCT pair FROM jsonb_array_elements(variant_options) AS of_one,
          unnest(option_pairs(of_one)) AS pair ORDER BY pair)
FROM jsonb_to_recordset($1::jsonb) AS r (id uuid, version integer,
    created_at timestamptz, updated_at timestamptz, seller_id uuid, category_id uuid,
    name text, slug text, description text, status text, options jsonb, images jsonb,
    price_min bigint, price_max bigint, currency text, choices text,
    skus text, bands integer, variant_options jsonb)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET version = excluded.version,
    updated_at = excluded.updated_at, seller_id = excluded.seller_id,
    category_id = excluded.category_id,
    name = excluded.name, slug = excluded.slug, description = excluded.description,
    status = excluded.status, options = excluded.options, images = excluded.images,
    price_min = excluded.price_min, price_max = excluded.price_max,
    search = excluded.search, bands = excluded.bands, pairs = excluded.pairs
WHERE products.version = excluded.version - 1
RETURNING id
"""

_SAVE_VARIANTS = """
INSERT INTO variants (sku, product_id, position, active, options, price_amount,
    compare_at_amount, currency, barcode, weight_grams)
SELECT sku, product_id, position, true, options, price_amount, compare_at_amount,
    currency, barcode, weight_grams
FROM jsonb_to_recordset($1::jsonb) AS r (sku text, product_id uuid, position integer,
    options jsonb, price_amount bigint, compare_at_amount bigint, currency text,
    barcode text, weight_grams integer)
ORDER BY sku
ON CONFLICT (sku) DO UPDATE SET position = excluded.position, active = true,
    options = excluded.options, price_amount = excluded.price_amount,
    compare_at_amount = excluded.compare_at_amount, currency = excluded.currency,
    barcode = excluded.barcode, weight_grams = excluded.weight_grams
WHERE variants.product_id = excluded.product_id
"""

_OFFERS = """
SELECT v.sku, v.product_id, p.name, v.options, v.price_amount, v.currency, p.seller_id,
       p.images -> 0 ->> 'id' AS image, v.active AND p.status = 'ACTIVE' AS active,
       p.version
FROM variants AS v JOIN products AS p ON p.id = v.product_id WHERE v.sku = ANY($1)
"""


class _StoredVariant(VariantDraft, frozen=True, kw_only=True):
    """A variant's row as JSON."""

    active: bool


_read_options = msgspec.json.Decoder(tuple[Option, ...]).decode
_read_images = msgspec.json.Decoder(tuple[Image, ...]).decode
_read_variants = msgspec.json.Decoder(tuple[_StoredVariant, ...]).decode
_read_pairs = msgspec.json.Decoder(dict[str, str]).decode


async def load_products(db: Db | Tx, ids: Iterable[UUID]) -> dict[UUID, Product]:
    """Those of the products that exist, whole."""
    rows = await db.fetch(_PRODUCTS + "WHERE p.id = ANY($1)", sorted(set(ids)))
    return {row["id"]: _product(row) for row in rows}


async def find_product(db: Db, product_id: UUID | None, slug: str) -> Product | None:
    """The product with this id, else this slug; an archived one gives its slug up."""
    row = await db.fetchrow(
        _PRODUCTS + "WHERE p.id = $1 OR (p.slug = $2 AND p.status <> 'ARCHIVED')"
        " ORDER BY p.id = $1 DESC NULLS LAST LIMIT 1",
        product_id,
        slug,
    )
    return _product(row) if row else None


async def find_slugs(
    db: Db, slugs: Sequence[str]
) -> dict[str, tuple[UUID, UUID | None, list[str]]]:
    """By slug in use the product's id, its seller, and the files of its pictures."""
    rows = await db.fetch(
        """SELECT slug, id, seller_id,
             (SELECT coalesce(array_agg(image ->> 'id'), '{}')
              FROM jsonb_array_elements(images) AS image) AS images
           FROM products WHERE slug = ANY($1) AND status <> 'ARCHIVED'""",
        list(slugs),
    )
    return {row["slug"]: (row["id"], row["seller_id"], row["images"]) for row in rows}


async def load_catalogue(
    db: Db, seller_id: UUID | None, status: str | None, after: UUID | None, limit: int
) -> list[Product]:
    """Products by id, after `after`: a seller's or all; by status, or all living."""
    rows = await db.fetch(
        _PRODUCTS
        + """WHERE ($1::uuid IS NULL OR p.seller_id = $1)
               AND CASE WHEN $2::text IS NULL THEN p.status <> 'ARCHIVED'
                   ELSE p.status = $2 END
               AND ($3::uuid IS NULL OR p.id > $3)
             ORDER BY p.id LIMIT $4""",
        seller_id,
        status,
        after,
        limit,
    )
    return [_product(row) for row in rows]


async def save_products(tx: Tx, products: Sequence[Product]) -> None:
    """Write new products (version 1) and changed ones (one version further).

    Everything but the rating, which its reviews alone move. SKUs that a product no
    longer names are kept as retired.
    """
    saved = await tx.fetch(_SAVE_PRODUCTS, _json([_row(each) for each in products]))
    if len(saved) != len(products):
        raise RuntimeError("a product has changed between its reading and its writing")
    await tx.execute(
        """UPDATE variants SET active = false WHERE active AND product_id = ANY($1)
           AND NOT sku = ANY($2)""",
        sorted(product.id for product in products),
        sorted(sku for product in products for sku in product.skus),
    )
    rows = [row for product in products for row in _variant_rows(product)]
    await tx.execute(_SAVE_VARIANTS, _json(rows))
    choices = [
        choice
        for product in products
        for variant in product.variants
        for choice in variant.options.items()
    ]
    await save_spellings(tx, choices)
    texts = [f"{product.name} {product.description}" for product in products]
    await save_words(tx, [*texts, *(value for _, value in choices)])


async def load_offers(
    db: Db, skus: Iterable[str]
) -> dict[str, tuple[Offer, UUID | None]]:
    """By SKU what it costs now, and the file of the product's first picture."""
    offers = {}
    for row in await db.fetch(_OFFERS, list(skus)):
        offer = Offer(
            sku=row["sku"],
            product_id=row["product_id"],
            name=row["name"],
            options=_read_pairs(row["options"]),
            price=Money(row["price_amount"], row["currency"]),
            seller_id=row["seller_id"],
            image=None,
            active=row["active"],
            version=row["version"],
        )
        offers[offer.sku] = offer, UUID(row["image"]) if row["image"] else None
    return offers


async def list_skus(db: Db, seller_id: UUID, after: str, limit: int) -> list[str]:
    """A seller's SKUs, on sale or not, in their order, after `after`."""
    rows = await db.fetch(
        """SELECT sku FROM variants JOIN products ON products.id = product_id
           WHERE seller_id = $1 AND sku > $2 ORDER BY sku LIMIT $3""",
        seller_id,
        after,
        limit,
    )
    return [row["sku"] for row in rows]


async def save_stock(tx: Tx, known: dict[str, tuple[int, bool]]) -> None:
    """By SKU the number of inventory's event and whether there is stock after it.

    Only a higher number than the one before is taken.
    """
    skus = sorted(known)
    await tx.execute(
        """INSERT INTO sku_stock (sku, sequence, in_stock)
           SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[])
           ON CONFLICT (sku) DO UPDATE SET sequence = excluded.sequence,
             in_stock = excluded.in_stock
           WHERE sku_stock.sequence < excluded.sequence""",
        skus,
        [known[sku][0] for sku in skus],
        [known[sku][1] for sku in skus],
    )


def _product(row: Any) -> Product:
    variants = _read_variants(row["variants"])
    return Product(
        id=row["id"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        seller_id=row["seller_id"],
        category_id=row["category_id"],
        name=row["name"],
        slug=row["slug"],
        description=row["description"],
        status=row["status"],
        options=_read_options(row["options"]),
        images=_read_images(row["images"]),
        variants=tuple(_draft(each) for each in variants if each.active),
        retired=tuple(each.sku for each in variants if not each.active),
        rating_sum=row["rating_sum"],
        rating_count=row["rating_count"],
        in_stock=row["in_stock"],
    )


def _draft(stored: _StoredVariant) -> VariantDraft:
    fields = VariantDraft.__struct_fields__
    return VariantDraft(**{name: getattr(stored, name) for name in fields})


def _row(product: Product) -> dict[str, Any]:
    row = msgspec.structs.asdict(product)
    for absent in ("variants", "retired", "rating_sum", "rating_count", "in_stock"):
        del row[absent]
    prices = product.price_range
    values = (value for each in product.variants for value in each.options.values())
    return row | {
        "price_min": prices.min.amount,
        "price_max": prices.max.amount,
        "currency": prices.min.currency,
        "choices": " ".join(sorted(set(values))),
        "skus": " ".join(product.skus),
        "bands": product.bands,
        "variant_options": [each.options for each in product.variants],
    }


def _variant_rows(product: Product) -> list[dict[str, Any]]:
    return [
        {
            "sku": variant.sku,
            "product_id": product.id,
            "position": position,
            "options": variant.options,
            "price_amount": variant.price.amount,
            "compare_at_amount": (
                variant.compare_at_price.amount if variant.compare_at_price else None
            ),
            "currency": variant.price.currency,
            "barcode": variant.barcode,
            "weight_grams": variant.weight_grams,
        }
        for position, variant in enumerate(product.variants)
    ]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
