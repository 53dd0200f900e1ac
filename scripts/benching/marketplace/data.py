"""What a marketplace sells, who sells it, and which of it is wanted how often."""

import random
from enum import StrEnum

import msgspec

from scripts.benching.drawing import zipf

CURRENCY = "USD"
PRICE_MIN_MINOR, PRICE_MAX_MINOR = 500, 50_000


class Keys(StrEnum):
    """How often each product, and each seller, is drawn."""

    UNIFORM = "uniform"
    ZIPF = "zipf"


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How large a marketplace is; the paper has 10 000 sellers at full size.

    Ten products a seller, 10 000 pieces of each and carts of one to ten lines of one
    to ten pieces are the paper's own parameters.
    """

    sellers: int = 100
    products_each: int = 10
    customers: int = 1_000
    pieces: int = 10_000
    lines_max: int = 10
    quantity_max: int = 10

    @property
    def products(self) -> int:
        """All of them."""
        return self.sellers * self.products_each


class SellerAccount(msgspec.Struct, frozen=True, kw_only=True):
    """A seller, and the token that its requests carry."""

    id: str
    token: str


class Good(msgspec.Struct, frozen=True, kw_only=True):
    """A product as it was filled in; its place in the list is its rank."""

    sku: str
    product_id: str
    price: int
    version: int


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """A filled marketplace, as a load client is told of it."""

    name: str
    size: Size
    keys: Keys
    sellers: tuple[SellerAccount, ...]
    goods: tuple[Good, ...]
    admin_token: str = ""

    def seller_of(self, rank: int) -> SellerAccount:
        """Neighbours in rank belong to different sellers."""
        return self.sellers[rank % len(self.sellers)]


class Draws:
    """Ranks by how often they are wanted: all alike, or few most of the time."""

    def __init__(self, keys: Keys, count: int) -> None:
        self._ranks = range(count)
        self._weights = zipf(count) if keys is Keys.ZIPF else None

    def one(self, dice: random.Random) -> int:
        """A rank."""
        if self._weights is None:
            return dice.randrange(len(self._ranks))
        return dice.choices(self._ranks, cum_weights=self._weights)[0]

    def some(self, dice: random.Random, count: int) -> list[int]:
        """So many different ranks, each drawn from those that are left."""
        found: dict[int, None] = {}
        count = min(count, len(self._ranks))
        while len(found) < count:
            found[self.one(dice)] = None
        return list(found)


def sku_of(market: str, rank: int, generation: int) -> str:
    """The SKU at a rank; each deletion puts a new one in its place."""
    return f"{market}-{rank:05}-{generation}"


def rank_of(sku: str) -> int:
    """A SKU's place in its market; a new product at a place has the old one's."""
    return int(sku.rsplit("-", 2)[1])


def opening_price(rank: int) -> int:
    """In minor units, the same each time."""
    span = PRICE_MAX_MINOR - PRICE_MIN_MINOR
    return PRICE_MIN_MINOR + (rank * 7_919) % span


def product_body(
    market: str, rank: int, generation: int, price: int
) -> dict[str, object]:
    """A whole product as a seller writes it."""
    sku = sku_of(market, rank, generation)
    return {
        "name": f"Market good {sku}",
        "description": f"Number {rank} of {market}.",
        "variants": [{"sku": sku, "price": money(price)}],
    }


def money(amount: int) -> dict[str, object]:
    """An amount as the contract writes it."""
    return {"amount": amount, "currency": CURRENCY}
