"""Tests of products, and what they are made of."""

from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.kit.values import Money
from bus.products import (
    CategoryDraft,
    CreateCategory,
    CreateProduct,
    ProductDraft,
    VariantDraft,
)


def usd(amount: int) -> Money:
    """So many cents."""
    return Money(amount, "USD")


def variant(sku: str, amount: int = 1999, **options: str) -> VariantDraft:
    """A variant of this price."""
    return VariantDraft(sku=sku, price=usd(amount), options=options)


def product(
    name: str = "Blue Cotton Shirt", *variants: VariantDraft, **more: Any
) -> CreateProduct:
    """The command that makes a product; `more` is for `seller_id` and the draft."""
    product_id = new_id()
    return CreateProduct(
        product_id=product_id,
        seller_id=more.pop("seller_id", None),
        draft=ProductDraft(
            name=name,
            description=more.pop("description", "A thing."),
            variants=variants or (variant(f"SKU-{product_id.hex[-10:]}"),),
            **more,
        ),
    )


def category(name: str, parent_id: UUID | None = None, **more: Any) -> CreateCategory:
    """The command that makes a category."""
    draft = CategoryDraft(name=name, parent_id=parent_id, **more)
    return CreateCategory(category_id=new_id(), draft=draft)
