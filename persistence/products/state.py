"""A product as its rows hold it."""

from datetime import datetime
from uuid import UUID

from bus.kit.values import Money, Value
from bus.products import Image, Option, PriceRange, ProductStatus, VariantDraft


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
    def price_range(self) -> PriceRange:
        """Its lowest and its highest price."""
        amounts = [variant.price.amount for variant in self.variants]
        currency = self.variants[0].price.currency
        return PriceRange(Money(min(amounts), currency), Money(max(amounts), currency))
