"""Products written: with the history of their prices, and what is told of them."""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from actors.products import decide
from bus.kit.messages import Message
from bus.products import PriceChanged, ProductCreated, ProductUpdated
from persistence.kit.audit import names_changed
from persistence.kit.claims import Claim
from persistence.kit.transaction import Tx
from persistence.products import PriceStep, Product, save_prices, save_products


class Change(NamedTuple):
    """A product before (None: it is new) and after an edit, and what asked for it."""

    before: Product | None
    after: Product
    message: Message


async def write_products(tx: Tx, changes: Sequence[Change]) -> None:
    """Write new and changed products, no product twice, and tell of each.

    A slug that is given up is free; a price that changes leaves a row; each change
    stands in the audit log.
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
        _audit(tx, change)
        _tell(tx, change)


def _price_steps(change: Change) -> list[PriceStep]:
    before, after, message = change
    if before is None:
        return []
    actor_id: UUID | None = getattr(message, "actor_id", None)
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


def _audit(tx: Tx, change: Change) -> None:
    before, after, message = change
    facts = decide.product_facts(after)
    if before is None:
        tx.audit(message, after.id, after=facts)
        return
    if texts := names_changed(before, after, "name", "description", "options"):
        facts["changed"] = texts
    tx.audit(message, after.id, decide.product_facts(before), facts)


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
