"""Products of which a test says what they are, and in which version."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar
from uuid import UUID

from msgspec.structs import replace

from actors.kit.domain import Domain, handles
from bus.inventory import AdjustStock
from bus.kit.addressing import new_id
from bus.kit.messages import Event
from bus.kit.refusals import Unavailable
from bus.kit.values import Money
from bus.orders import GetCart
from bus.products import GetOffers, Offer, Offers, PriceChanged, ProductUpdated
from persistence.kit.database import Db
from tests.orders.fakes import reset
from tests.orders.support import DOMAINS, forget


class FakeCatalogue(Domain):
    """The offers that a test wrote; counts how often it was asked.

    While it is `away` it does not answer; it reads, and then answers after
    `delay_seconds`, when what it read may be old.
    """

    name = "products"
    offers: ClassVar[dict[str, Offer]] = {}
    asked: ClassVar[list[tuple[str, ...]]] = []
    away: ClassVar[bool] = False
    delay_seconds: ClassVar[float] = 0.0

    @handles(GetOffers)
    async def get_offers(self, db: Db, q: GetOffers) -> Offers:
        if self.away:
            raise Unavailable("away")
        self.asked.append(q.skus)
        found = [self.offers[sku] for sku in q.skus if sku in self.offers]
        await asyncio.sleep(self.delay_seconds)
        return Offers(tuple(found))


def offer(sku: str, amount: int, **more: Any) -> Offer:
    """A SKU at this price, of a product of its own in its first version."""
    known = {
        "product_id": new_id(),
        "name": f"Thing {sku}",
        "options": {},
        "seller_id": None,
        "image": None,
        "active": True,
        "version": 1,
    }
    return Offer(sku=sku, price=Money(amount, "USD"), **{**known, **more})


def change(sku: str, **more: Any) -> Offer:
    """The product is edited: nobody has been told yet."""
    before = FakeCatalogue.offers[sku]
    if (amount := more.pop("amount", None)) is not None:
        more["price"] = Money(amount, "USD")
    after = replace(before, version=before.version + 1, **more)
    FakeCatalogue.offers[sku] = after
    return after


def updated(one: Offer) -> ProductUpdated:
    """What products tells of this version."""
    return ProductUpdated(
        product_id=one.product_id,
        edits=one.version,
        status="ACTIVE",
        skus=(one.sku,) if one.active else (),
    )


def repriced(one: Offer, previous: int) -> PriceChanged:
    """What products tells of a price, before it tells of the version."""
    return PriceChanged(
        product_id=one.product_id,
        sku=one.sku,
        price=one.price,
        previous=Money(previous, "USD"),
    )


async def tell(s: Any, event: Event, id_: UUID | None = None) -> None:
    """Hand an event to orders as the bridge does."""
    key = getattr(event, "product_id", None)
    await s.ask(event, id=id_ or new_id(key), sequence=1, domain="orders", join=True)


async def known(s: Any, sku: str) -> tuple[int, int, bool] | None:
    """Version, price and whether it is on sale, of a SKU's row."""
    rows = await s.rows(
        "orders",
        "SELECT version, price_amount, on_sale FROM product_replica WHERE sku = $1",
        sku,
    )
    return tuple(rows[0].values()) if rows else None


async def let_age(s: Any, sku: str) -> None:
    """Let a SKU's row have been confirmed too long ago."""
    age = "UPDATE product_replica SET as_of = as_of - interval '31 s' WHERE sku = $1"
    await forget(s, age, sku)


async def line_of(s: Any, buyer: str, sku: str) -> tuple[int, int | None, Any]:
    """What a cart shows of a SKU: the price of then, that of now, the warnings."""
    view = await s.ask(GetCart(buyer=buyer))
    (line,) = (each for each in view.items if each.sku == sku)
    now = line.current_price.amount if line.current_price else None
    return line.unit_price.amount, now, line.warnings


@asynccontextmanager
async def catalogued(
    shop: Any, *, shards: int = 1, **prices: int
) -> AsyncIterator[Any]:
    """A shop that sells these SKUs at these prices, a thousand pieces each."""
    FakeCatalogue.offers = {sku: offer(sku, amount) for sku, amount in prices.items()}
    FakeCatalogue.asked = []
    FakeCatalogue.away = False
    FakeCatalogue.delay_seconds = 0.0
    fakes = {**reset(), "products": FakeCatalogue}
    async with shop(*DOMAINS, shards=shards, fakes=fakes) as s:
        for sku in prices:
            await s.ask(AdjustStock(sku=sku, on_hand=1000, reason="count"))
        yield s
