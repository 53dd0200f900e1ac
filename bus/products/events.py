"""What has happened in products."""

from uuid import UUID

from bus.kit.messages import (
    Event,
    by,
)
from bus.kit.values import (
    Money,
)
from bus.products.views import (
    ProductStatus,
    ReviewStatus,
)


class ProductCreated(Event, frozen=True, kw_only=True):
    """A product is in the catalogue."""

    key = by("product_id")
    subject = by("product_id")
    product_id: UUID
    seller_id: UUID | None
    category_id: UUID | None
    status: ProductStatus
    skus: tuple[str, ...]


class ProductUpdated(Event, frozen=True, kw_only=True):
    """A product reads differently now; `edits` is its version."""

    key = by("product_id")
    subject = by("product_id")
    product_id: UUID
    edits: int
    status: ProductStatus
    skus: tuple[str, ...]


class ProductArchived(Event, frozen=True, kw_only=True):
    """A product is no longer sold."""

    key = by("product_id")
    subject = by("product_id")
    product_id: UUID
    skus: tuple[str, ...]


class PriceChanged(Event, frozen=True, kw_only=True):
    """A SKU costs something else from now on."""

    key = by("product_id")
    subject = by("product_id")
    product_id: UUID
    sku: str
    price: Money
    previous: Money


class StockStated(Event, frozen=True, kw_only=True):
    """New SKUs of a product came with so many pieces: inventory opens their stock."""

    key = by("product_id")
    subject = by("product_id")
    product_id: UUID
    pieces: dict[str, int]
    actor_id: UUID


class ReviewSubmitted(Event, frozen=True, kw_only=True):
    """A review waits for a moderator."""

    key = by("product_id")
    subject = by("review_id")
    review_id: UUID
    product_id: UUID
    user_id: UUID
    rating: int


class ReviewModerated(Event, frozen=True, kw_only=True):
    """A review was approved or rejected; the product's rating is given with it."""

    key = by("product_id")
    subject = by("review_id")
    review_id: UUID
    product_id: UUID
    status: ReviewStatus
    rating: int
