"""Products written: with the history of their prices, and what is told of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from actors.products import decide
from bus.products import PriceChanged, ProductCreated, ProductUpdated
from persistence.kit.claims import Claim
from persistence.kit.transaction import Tx
from persistence.products import PriceStep, Product, save_prices, save_products


class Change(NamedTuple):
    """A product before an edit (None: it is new) and after it, and whose edit it is."""

    before: Product | None
    after: Product
    actor_id: UUID | None = None


async def write_products(tx: Tx, changes: Sequence[Change]) -> None:
    """Write new and changed products, no product twice, and tell of each.

    A slug that is given up is free; a price that changes leaves a row.
    """
    await save_products(tx, [change.after for change in changes])
    given_up = [
        Claim("slug", before.slug, before.id)
        for before, after, _ in changes
        if before is not None and before.slug != after.slug
    ]
    if given_up:
        await tx.release_claims(given_up)
    if steps := [step for change in changes for step in _price_steps(change)]:
        await save_prices(tx, steps)
    for change in changes:
        _tell(tx, change)


def _price_steps(change: Change) -> list[PriceStep]:
    before, after, actor_id = change
    if before is None:
        return []
    return [
        PriceStep(
            product_id=after.id,
            version=after.version,
            sku=new.sku,
            previous=old.price,
            price=new.price,
            actor_id=actor_id,
        )
        for old, new in decide.price_changes(before, after)
    ]


def _tell(tx: Tx, change: Change) -> None:
    after = change.after
    if change.before is None:
        tx.tell(
            ProductCreated(
                product_id=after.id,
                seller_id=after.seller_id,
                category_id=after.category_id,
                status=after.status,
                skus=after.skus,
            )
        )
        return
    for step in _price_steps(change):
        tx.tell(
            PriceChanged(
                product_id=after.id,
                sku=step.sku,
                price=step.price,
                previous=step.previous,
            )
        )
    tx.tell(
        ProductUpdated(
            product_id=after.id,
            edits=after.version,
            status=after.status,
            skus=after.skus,
        )
    )
