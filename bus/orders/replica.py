"""What orders knows of products without asking them, for carts.

A row a SKU, made from one version of its product, which only a later one replaces.
Nobody else sends these messages.
"""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done, Money, Value
from bus.orders.carts import CartLine


class KnownOffer(Value, frozen=True, kw_only=True):
    """A SKU as its product's `version` has it; 0: products did not say which."""

    sku: str
    product_id: UUID
    version: int
    name: str
    options: dict[str, str]
    price: Money
    image: str | None
    seller_id: UUID | None
    on_sale: bool


class Goods(Value, frozen=True, kw_only=True):
    """What is known of some SKUs, as read at `as_of` by the clock of the database.

    `stale` are those that no row is of, or one that was confirmed too long ago.
    """

    offers: tuple[KnownOffer, ...]
    stale: tuple[str, ...]
    as_of: datetime

    def of(self, skus: Collection[str]) -> "Goods":
        """The same of these SKUs alone."""
        return Goods(
            offers=tuple(each for each in self.offers if each.sku in skus),
            stale=tuple(sku for sku in self.stale if sku in skus),
            as_of=self.as_of,
        )

    def remembered(self) -> Done:
        """What a handled row keeps of it: nothing, for the rows themselves do."""
        return Done()


class CartGoods(Value, frozen=True, kw_only=True):
    """The lines of a cart, and what is known of their SKUs."""

    items: tuple[CartLine, ...]
    goods: Goods


class ReadGoods(Command[CartGoods], frozen=True, kw_only=True):
    """A buyer's lines as last committed, and what is known of them and of `skus`."""

    key = by("buyer")
    remembered = False
    buyer: str
    skus: tuple[str, ...] = ()


class ReadReplica(Command[Goods], frozen=True, kw_only=True):
    """What is known of `skus`, and of all that a product is thought to sell."""

    key = by("product_id")
    remembered = False
    product_id: UUID
    skus: tuple[str, ...]


class KeepOffers(Command[Goods], frozen=True, kw_only=True):
    """Know what products said of one product's SKUs, unless newer is known.

    Products was asked at `as_of` or later. Replies what is known after it.
    """

    key = by("product_id")
    remembered = False
    product_id: UUID
    offers: tuple[KnownOffer, ...]
    as_of: datetime
