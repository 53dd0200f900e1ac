"""A product as its rows hold it."""

from bisect import bisect_right
from datetime import datetime
from uuid import UUID

from bus.kit.values import Money, Value
from bus.products import Image, Option, PriceRange, ProductStatus, VariantDraft

PRICE_BANDS = (0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
"""Where the price facets begin, in minor units; rows hold them: see `bands`."""


class Product(Value, frozen=True, kw_only=True):
    """A product; `retired` are its SKUs that are sold no longer."""

    id: UUID
    version: int
    created_at: datetime
    updated_at: datetime
    seller_id: UUID | None
    category_id: UUID | None
    name: str
    slug: str
    description: str
    status: ProductStatus
    options: tuple[Option, ...]
    images: tuple[Image, ...]
    variants: tuple[VariantDraft, ...]
    retired: tuple[str, ...] = ()
    rating_sum: int = 0
    rating_count: int = 0
    in_stock: bool = False

    @property
    def skus(self) -> tuple[str, ...]:
        """The SKUs on sale."""
        return tuple(variant.sku for variant in self.variants)

    @property
    def bands(self) -> int:
        """The bits of the price bands that its variants are in, the first is bit 1."""
        bits = 0
        for variant in self.variants:
            bits |= 1 << bisect_right(PRICE_BANDS, variant.price.amount)
        return bits

    @property
    def price_range(self) -> PriceRange:
        """Its lowest and its highest price."""
        amounts = [variant.price.amount for variant in self.variants]
        currency = self.variants[0].price.currency
        return PriceRange(Money(min(amounts), currency), Money(max(amounts), currency))
