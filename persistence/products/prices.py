"""The history of prices: one row for each change, written with the change."""

from collections.abc import Sequence
from uuid import UUID

from bus.kit.values import Money, Value
from bus.products import PriceChange
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

OMNIBUS_DAYS = 30


class PriceStep(Value, frozen=True, kw_only=True):
    """A price that a product's `version` changed."""

    product_id: UUID
    version: int
    sku: str
    previous: Money
    price: Money
    actor_id: UUID | None


async def save_prices(tx: Tx, steps: Sequence[PriceStep]) -> None:
    """Write changes of prices, once by product, version and SKU."""
    rows = sorted(steps, key=lambda step: (step.product_id, step.version, step.sku))
    await tx.execute(
        """INSERT INTO prices (product_id, version, sku, previous_amount, amount,
             currency, actor_id, changed_at)
           SELECT *, $8::timestamptz FROM unnest($1::uuid[], $2::int[], $3::text[],
             $4::bigint[], $5::bigint[], $6::text[], $7::uuid[])
           ON CONFLICT DO NOTHING""",
        [row.product_id for row in rows],
        [row.version for row in rows],
        [row.sku for row in rows],
        [row.previous.amount for row in rows],
        [row.price.amount for row in rows],
        [row.price.currency for row in rows],
        [row.actor_id for row in rows],
        tx.now,
    )


async def find_prices(
    db: Db, product_id: UUID, before: tuple[int, str] | None, limit: int
) -> list[tuple[int, PriceChange]]:
    """Changes with the version that brought each, newest first, after `before`."""
    version, sku = before or (2**31 - 1, "")
    rows = await db.fetch(
        """SELECT version, sku, previous_amount, amount, currency, changed_at, actor_id
           FROM prices WHERE product_id = $1
             AND (version < $2 OR (version = $2 AND sku > $3))
           ORDER BY version DESC, sku LIMIT $4""",
        product_id,
        version,
        sku,
        limit,
    )
    return [
        (
            row["version"],
            PriceChange(
                sku=row["sku"],
                previous=Money(row["previous_amount"], row["currency"]),
                price=Money(row["amount"], row["currency"]),
                changed_at=row["changed_at"],
                actor_id=row["actor_id"],
            ),
        )
        for row in rows
    ]


async def lowest_prices(db: Db, product_id: UUID) -> dict[str, Money]:
    """By SKU that was reduced last, the lowest price of the 30 days before that.

    Every price that held at some time in those days is the one before a change which
    came in them (Directive 98/6/EC, article 6a).
    """
    rows = await db.fetch(
        """SELECT last.sku, last.currency, min(p.previous_amount) AS amount
           FROM (SELECT DISTINCT ON (sku) * FROM prices WHERE product_id = $1
                 ORDER BY sku, version DESC) AS last
           JOIN prices AS p ON p.product_id = $1 AND p.sku = last.sku
             AND p.changed_at > last.changed_at - make_interval(days => $2)
           WHERE last.amount < last.previous_amount
           GROUP BY last.sku, last.currency""",
        product_id,
        OMNIBUS_DAYS,
    )
    return {row["sku"]: Money(row["amount"], row["currency"]) for row in rows}
