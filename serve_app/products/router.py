"""The routes' one router, and who edits by what right."""

from uuid import UUID

from bus.products import (
    PriceChanged,
    ProductArchived,
    ProductCreated,
    ProductUpdated,
    ReviewModerated,
)
from serve_app.kit.problems import Problem
from serve_app.kit.routing import Caller, Router
from serve_app.products.bodies import ProductBody, ProductPatchBody

router = Router("products")

LISTS = "products"
"""The tag of every answer that shows several products."""


def editor_of(caller: Caller) -> UUID | None:
    """Whose products the caller may edit: their own, or (None) an admin's: all."""
    return None if caller.is_admin else caller.person


def seller_of(caller: Caller, body: ProductBody | ProductPatchBody) -> UUID | None:
    """Whose a product is to be; a seller's is the seller's own (else Problem 403)."""
    if caller.is_admin:
        return body.seller_id
    if "seller_id" in body.model_fields_set and body.seller_id != caller.person:
        raise Problem(403, "forbidden", "Only administrators choose the seller.")
    return caller.person


def tag_of(product_id: UUID) -> str:
    """The tag of every answer that shows this product alone."""
    return f"product:{product_id}"


Told = (
    ProductCreated | ProductUpdated | ProductArchived | PriceChanged | ReviewModerated
)


def _tags(event: Told) -> tuple[str, str]:
    return LISTS, tag_of(event.product_id)


for _event in (
    ProductCreated,
    ProductUpdated,
    ProductArchived,
    PriceChanged,
    ReviewModerated,
):
    router.forgets(_event, _tags)
