"""Products as the world sees them: with what of each variant is available now."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from bus.inventory import SKUS_MAX, GetAvailability
from bus.kit.values import Money
from bus.products import (
    CategoryView,
    Facets,
    ImageView,
    Option,
    PriceRange,
    ProductStatus,
    ProductView,
    Rating,
    VariantDraft,
)
from serve_app.kit.routing import ask


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """A variant; `available` is a hint that may be a second old."""

    sku: str
    price: Money
    options: dict[str, str]
    compare_at_price: Money | None
    barcode: str | None
    weight_grams: int | None
    available: int


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product with all its variants and pictures."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    name: str
    slug: str
    description: str
    status: ProductStatus
    category_id: UUID | None
    seller_id: UUID | None
    options: tuple[Option, ...]
    variants: tuple[Variant, ...]
    images: tuple[ImageView, ...]
    rating: Rating
    price_range: PriceRange
    available: int


class Products(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A page of products; `facets` only where they were asked for."""

    items: tuple[Product, ...]
    next_cursor: str | None
    facets: Facets | None = None


class CategoryNode(msgspec.Struct, frozen=True, kw_only=True):
    """A category with its children, in order."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    name: str
    slug: str
    parent_id: UUID | None
    position: int
    children: tuple["CategoryNode", ...]


class CategoryTree(msgspec.Struct, frozen=True):
    """The categories that stand under no other."""

    items: tuple[CategoryNode, ...]


async def with_availability(views: Sequence[ProductView]) -> tuple[Product, ...]:
    """The products, with what inventory says of their SKUs."""
    skus = [variant.sku for view in views for variant in view.variants]
    parts = [skus[at : at + SKUS_MAX] for at in range(0, len(skus), SKUS_MAX)]
    answers = await asyncio.gather(
        *(ask(GetAvailability(skus=tuple(part))) for part in parts)
    )
    available = {
        sku: pieces for each in answers for sku, pieces in each.available.items()
    }
    return tuple(_product(view, available) for view in views)


def tree_of(categories: Sequence[CategoryView]) -> CategoryTree:
    """The categories as a tree; they come parents first and in order."""
    children: dict[UUID | None, list[CategoryNode]] = {}
    for category in reversed(categories):
        below = children.pop(category.id, [])
        fields = msgspec.structs.asdict(category)
        node = CategoryNode(**fields, children=tuple(reversed(below)))
        children.setdefault(category.parent_id, []).append(node)
    return CategoryTree(tuple(reversed(children.get(None, []))))


def _product(view: ProductView, available: dict[str, int]) -> Product:
    fields = msgspec.structs.asdict(view)
    del fields["in_stock"]
    variants = tuple(_variant(each, available) for each in view.variants)
    total = sum(variant.available for variant in variants)
    return Product(**fields | {"variants": variants}, available=total)


def _variant(draft: VariantDraft, available: dict[str, int]) -> Variant:
    return Variant(
        **msgspec.structs.asdict(draft), available=available.get(draft.sku, 0)
    )
