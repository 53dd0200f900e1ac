"""What products shows of itself."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from bus.kit.values import (
    Money,
    Value,
)

OFFERS_MAX = 200
VARIANTS_MAX = 100
IMAGES_MAX = 20

ProductStatus = Literal["DRAFT", "ACTIVE", "ARCHIVED"]
ReviewStatus = Literal["PENDING", "APPROVED", "REJECTED"]
Sort = Literal["relevance", "newest", "price", "-price", "rating"]


class Option(Value, frozen=True):
    """One way in which variants differ, and the values it can take, in order."""

    name: str
    values: tuple[str, ...]


class VariantDraft(Value, frozen=True, kw_only=True):
    """A variant as its seller writes it; `sku` is one product's for ever."""

    sku: str
    price: Money
    options: dict[str, str] = {}
    compare_at_price: Money | None = None
    barcode: str | None = None
    weight_grams: int | None = None


class ProductDraft(Value, frozen=True, kw_only=True):
    """A product as its seller writes it.

    Without a slug one is made from the name, and made longer when that is taken.
    """

    name: str
    description: str
    variants: tuple[VariantDraft, ...]
    category_id: UUID | None = None
    slug: str | None = None
    options: tuple[Option, ...] = ()
    status: ProductStatus = "ACTIVE"


class ProductChanges(Value, frozen=True, kw_only=True):
    """What an edit changes; what is absent stays, `variants` replaces them all."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    variants: tuple[VariantDraft, ...] | UnsetType = UNSET
    category_id: UUID | UnsetType | None = UNSET
    slug: str | UnsetType = UNSET
    options: tuple[Option, ...] | UnsetType = UNSET
    status: ProductStatus | UnsetType = UNSET
    seller_id: UUID | UnsetType | None = UNSET


class CategoryDraft(Value, frozen=True, kw_only=True):
    """A category as it is written; without a slug one is made from the name."""

    name: str
    parent_id: UUID | None = None
    slug: str | None = None
    position: int = 0


class Image(Value, frozen=True):
    """A picture of a product; `id` is its file's."""

    id: UUID
    alt: str


class ImageView(Value, frozen=True):
    """A picture with the addresses of its sizes."""

    id: UUID
    alt: str
    url: str
    sizes: dict[str, str]


class Rating(Value, frozen=True):
    """The exact mean of approved reviews, to two decimals, and their number."""

    average: float
    count: int


class PriceRange(Value, frozen=True):
    """The lowest and the highest price of a product's variants."""

    min: Money
    max: Money


class ProductView(Value, frozen=True, kw_only=True):
    """A product with its variants in order; the edge adds what is available."""

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
    variants: tuple[VariantDraft, ...]
    images: tuple[ImageView, ...]
    rating: Rating
    price_range: PriceRange
    in_stock: bool = False


class Offer(Value, frozen=True, kw_only=True):
    """What an order needs to know of a SKU; `image` is an address.

    `version` is the product's at this reading; 0: who answers does not say it yet.
    """

    sku: str
    product_id: UUID
    name: str
    options: dict[str, str]
    price: Money
    seller_id: UUID | None
    image: str | None
    active: bool
    version: int = 0


class Offers(Value, frozen=True):
    """The offers of the SKUs that exist."""

    offers: tuple[Offer, ...]


class FacetCount(Value, frozen=True):
    """How many of the products found share a value; `name` is an option's."""

    value: str
    count: int
    name: str | None = None


class CategoryCount(Value, frozen=True, kw_only=True):
    """How many products were found in a category and its descendants.

    `value` is its id; counts of a parent include those of its children.
    """

    value: str
    count: int
    name: str
    slug: str
    parent_id: UUID | None


class Facets(Value, frozen=True, kw_only=True):
    """Exact counts over all products found, not only those on the page.

    The counts of a facet leave its own filter out (each option's name is a facet), so
    they say what choosing another value would find. A price band is `from-to` in minor
    units, without `to` for the last one, and counts products that have a variant in
    it; a rating counts what has at least that many stars. Categories and options with
    the most products come first, and only so many of them. `in_stock` is how many
    `in_stock=true` would find, `total` how many were found.
    """

    total: int
    in_stock: int
    categories: tuple[CategoryCount, ...]
    prices: tuple[FacetCount, ...]
    ratings: tuple[FacetCount, ...]
    options: tuple[FacetCount, ...]


class ProductPage(Value, frozen=True, kw_only=True):
    """Some products of a list, and its facets when they were asked for."""

    items: tuple[ProductView, ...]
    next_cursor: str | None = None
    facets: Facets | None = None


class CategoryView(Value, frozen=True, kw_only=True):
    """A category; its place in the tree follows from `parent_id` and `position`."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    name: str
    slug: str
    parent_id: UUID | None
    position: int


class Categories(Value, frozen=True):
    """All categories, parents before their children."""

    items: tuple[CategoryView, ...]


class ReviewReceipt(Value, frozen=True, kw_only=True):
    """That a review was taken; its words stay in the review's own row."""

    id: UUID
    version: int
    created_at: datetime
    status: ReviewStatus


class ReviewView(Value, frozen=True, kw_only=True):
    """A review; `reason` is the moderator's."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    product_id: UUID
    user_id: UUID
    rating: int
    title: str | None
    comment: str
    status: ReviewStatus
    reason: str | None
    verified_purchase: bool


class PriceChange(Value, frozen=True, kw_only=True):
    """A SKU's price from `changed_at` on, what it was before, and who changed it."""

    sku: str
    previous: Money
    price: Money
    changed_at: datetime
    actor_id: UUID | None


class PriceHistory(Value, frozen=True, kw_only=True):
    """Changes of a product's prices, newest first.

    `lowest_price_30_days` has, for each SKU whose last change was a reduction, the
    lowest price of the 30 days before it (what the EU's Omnibus directive asks for).
    """

    items: tuple[PriceChange, ...]
    lowest_price_30_days: dict[str, Money]
    next_cursor: str | None = None
