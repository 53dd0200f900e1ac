"""What products is asked."""

from uuid import UUID

from bus.kit.messages import (
    ANY,
    Query,
)
from bus.kit.values import (
    LIMIT_DEFAULT,
    Page,
)
from bus.products.views import (
    Categories,
    Offers,
    PriceHistory,
    ProductPage,
    ProductView,
    ReviewStatus,
    ReviewView,
    Sort,
)


class GetOffers(Query[Offers], frozen=True, kw_only=True):
    """The offers of up to OFFERS_MAX SKUs, as they stand; missing ones are absent."""

    key = ANY
    skus: tuple[str, ...]


class ListSkus(Query[Page[str]], frozen=True, kw_only=True):
    """The SKUs of a seller, on sale or not, in their order, after `after`."""

    key = ANY
    seller_id: UUID
    after: str = ""
    limit: int = LIMIT_DEFAULT


class GetProduct(Query[ProductView], frozen=True, kw_only=True):
    """A product by its id or slug; one not on sale only for seller and admins."""

    key = ANY
    reference: str
    viewer_id: UUID | None = None
    viewer_is_admin: bool = False


class ListProducts(Query[ProductPage], frozen=True, kw_only=True):
    """Products on sale that fit every filter; prices in minor units.

    `category` is an id or slug and includes its descendants. `options` are names with
    values: those of one name are choices, and each name must hold. Options, prices and
    stock must hold on one and the same variant. `with_drafts` adds what is not on sale
    yet: for sellers among their own, and for administrators.
    """

    key = ANY
    q: str | None = None
    category: str | None = None
    min_price: int | None = None
    max_price: int | None = None
    min_rating: int | None = None
    in_stock: bool | None = None
    options: tuple[tuple[str, str], ...] = ()
    seller_id: UUID | None = None
    with_drafts: bool = False
    sort: Sort | None = None
    facets: bool = False
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class ListPrices(Query[PriceHistory], frozen=True, kw_only=True):
    """What a product's prices were; `viewer_id` None is an administrator."""

    key = ANY
    product_id: UUID
    viewer_id: UUID | None
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class ListCategories(Query[Categories], frozen=True, kw_only=True):
    """The whole tree."""

    key = ANY


class ListReviews(Query[Page[ReviewView]], frozen=True, kw_only=True):
    """Reviews, newest first, of one product or of all, of one status or of all.

    `user_id`: those of one person.
    """

    key = ANY
    product_id: UUID | None = None
    status: ReviewStatus | None = "APPROVED"
    user_id: UUID | None = None
    limit: int = LIMIT_DEFAULT
    cursor: str | None = None


class GetReview(Query[ReviewView], frozen=True, kw_only=True):
    """One review."""

    key = ANY
    review_id: UUID
