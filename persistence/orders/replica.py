"""What orders knows of products: a row a SKU, which only a later version replaces."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from bus.kit.values import Money
from bus.orders.replica import Goods, KnownOffer
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

REPLICA_SECONDS_MAX = 30.0
"""A row that was confirmed longer ago is confirmed with products before it is shown."""

Confirmed = tuple[KnownOffer, datetime]
"""What products said of a SKU, and a moment after which they were asked."""

_READ = """
SELECT now() AS read_at, known.*,
       known.as_of > now() - make_interval(secs => $2) AS fresh
FROM (SELECT) AS one LEFT JOIN product_replica AS known ON known.sku = ANY($1)
ORDER BY known.sku
"""

_READ_PRODUCTS = """
SELECT * FROM product_replica
WHERE (product_id = ANY($1) AND on_sale) OR sku = ANY($2) ORDER BY sku
"""

# Whoever reads version 5 asks after whoever read version 4, whatever their clocks say:
# the later of both moments holds for the row.
_KEEP = """
INSERT INTO product_replica AS known (sku, product_id, version, name, options,
    price_amount, currency, image, seller_id, on_sale, as_of)
SELECT sku, product_id, version, name, options::jsonb, price_amount, currency, image,
    seller_id, on_sale, as_of
FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::bigint[],
            $7::text[], $8::text[], $9::uuid[], $10::boolean[], $11::timestamptz[])
  AS told (sku, product_id, version, name, options, price_amount, currency, image,
           seller_id, on_sale, as_of)
ORDER BY sku
ON CONFLICT (sku) DO UPDATE SET product_id = excluded.product_id,
    version = excluded.version, name = excluded.name, options = excluded.options,
    price_amount = excluded.price_amount, currency = excluded.currency,
    image = excluded.image, seller_id = excluded.seller_id,
    on_sale = excluded.on_sale, as_of = greatest(known.as_of, excluded.as_of)
WHERE (known.version, known.as_of) < (excluded.version, excluded.as_of)
"""


async def read_goods(db: Db | Tx, skus: Iterable[str]) -> Goods:
    """What is known of SKUs, and which of them are to be asked for."""
    wanted = sorted(set(skus))
    rows = await db.fetch(_READ, wanted, REPLICA_SECONDS_MAX)
    fresh = {row["sku"] for row in rows if row["fresh"]}
    return Goods(
        offers=tuple(_offer(row) for row in rows if row["sku"] is not None),
        stale=tuple(sku for sku in wanted if sku not in fresh),
        as_of=rows[0]["read_at"],
    )


async def read_replica(
    tx: Tx, product_ids: Iterable[UUID], skus: Iterable[str]
) -> list[KnownOffer]:
    """What is known of SKUs, and of all that some products are thought to sell."""
    rows = await tx.fetch(_READ_PRODUCTS, sorted(set(product_ids)), sorted(set(skus)))
    return [_offer(row) for row in rows]


async def keep_offers(tx: Tx, told: Iterable[Confirmed]) -> None:
    """Write what products said, each SKU's latest version, unless later is known.

    The same version again renews the moment from which on it counts as confirmed.
    """
    latest: dict[str, Confirmed] = {}
    for one in told:
        before = latest.setdefault(one[0].sku, one)
        if (before[0].version, before[1]) < (one[0].version, one[1]):
            latest[one[0].sku] = one
    rows = [latest[sku] for sku in sorted(latest)]
    offers = [offer for offer, _ in rows]
    await tx.execute(
        _KEEP,
        [each.sku for each in offers],
        [each.product_id for each in offers],
        [each.version for each in offers],
        [each.name for each in offers],
        [msgspec.json.encode(each.options).decode() for each in offers],
        [each.price.amount for each in offers],
        [each.price.currency for each in offers],
        [each.image for each in offers],
        [each.seller_id for each in offers],
        [each.on_sale for each in offers],
        [as_of for _, as_of in rows],
    )


def _offer(row: Any) -> KnownOffer:
    return KnownOffer(
        sku=row["sku"],
        product_id=row["product_id"],
        version=row["version"],
        name=row["name"],
        options=_read_options(row["options"]),
        price=Money(row["price_amount"], row["currency"]),
        image=row["image"],
        seller_id=row["seller_id"],
        on_sale=row["on_sale"],
    )


_read_options = msgspec.json.Decoder(dict[str, str]).decode
