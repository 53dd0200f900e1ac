"""What orders knows of products without asking: told by events, confirmed in time.

Events say that a product has changed, not to what: products is asked then, or by the
first cart that finds a row missing or too old. What was said is written before anybody
is shown it, by the one shard that has the product, and only a later version replaces
it: so no cart, in whichever shard, ever goes back to an earlier one.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.kit.refusals import Refusal
from bus.kit.values import Done
from bus.orders.replica import (
    CartGoods,
    Goods,
    KeepOffers,
    KnownOffer,
    ReadGoods,
    ReadReplica,
)
from bus.products import (
    OFFERS_MAX,
    GetOffers,
    Offer,
    PriceChanged,
    ProductArchived,
    ProductCreated,
    ProductUpdated,
)
from persistence import orders as store
from persistence.kit.transaction import Tx

ProductEvent = ProductCreated | ProductUpdated | PriceChanged | ProductArchived


class Replicating(Domain):
    """Keeps the replica of products, and tells from it what is for sale."""

    @handles(ProductCreated)
    @handles(ProductUpdated)
    @handles(PriceChanged)
    @handles(ProductArchived)
    async def replicate_product(self, run: Run, event: ProductEvent) -> Done:
        """Ask products how the product is now; an event of what is known asks nobody.

        However often, late or out of order one comes: what is written is what products
        said last.
        """
        told = (event.sku,) if isinstance(event, PriceChanged) else event.skus
        known = await run.step(ReadReplica(product_id=event.product_id, skus=told))
        skus = sorted({*told, *(each.sku for each in known.offers if each.on_sale)})
        if isinstance(event, ProductUpdated) and _knows(known, skus, event.edits):
            return Done()
        offers = [_known(each) for each in await self._ask_products(run, skus)]
        if kept := tuple(each for each in offers if each.version):
            keep = KeepOffers(
                product_id=event.product_id, offers=kept, as_of=known.as_of
            )
            await run.settle(keep, last=True)
        return Done()

    async def confirmed(
        self, asker: "Run | Domain", goods: Goods
    ) -> dict[str, KnownOffer]:
        """SKUs as they are known, by SKU; what is stale is asked for and kept first."""
        stale = set(goods.stale)
        found = {each.sku: each for each in goods.offers if each.sku not in stale}
        if stale:
            said = await self._ask_products(asker, goods.stale)
            found |= {each.sku: _known(each) for each in said}
            found |= await self._have_kept(asker, said, goods.as_of)
        return found

    async def keep_newer(
        self, asker: "Run | Domain", goods: Goods, said: Iterable[Offer]
    ) -> None:
        """Keep what products said just now, where that is later than what is known."""
        known = {each.sku: each.version for each in goods.offers}
        newer = [each for each in said if each.version > known.get(each.sku, 0)]
        await self._have_kept(asker, newer, goods.as_of)

    @handles_many(ReadGoods)
    async def read_goods(
        self, tx: Tx, messages: Sequence[ReadGoods]
    ) -> list[CartGoods | Refusal]:
        """Carts as they are now, and what is known of their SKUs, in one reading."""
        carts = await store.load_carts(tx, {m.buyer for m in messages})
        skus = [{*m.skus, *_skus_of(carts[m.buyer])} for m in messages]
        goods = await store.read_goods(tx, set().union(*skus))
        return [
            CartGoods(items=carts[m.buyer].lines, goods=goods.of(wanted))
            for m, wanted in zip(messages, skus, strict=True)
        ]

    @handles_many(ReadReplica)
    async def read_replica(
        self, tx: Tx, messages: Sequence[ReadReplica]
    ) -> list[Goods | Refusal]:
        """What is known of products, and of SKUs that an event names."""
        offers = await store.read_replica(
            tx,
            {m.product_id for m in messages},
            {sku for m in messages for sku in m.skus},
        )
        return [
            Goods(
                offers=tuple(
                    each
                    for each in offers
                    if each.product_id == m.product_id or each.sku in m.skus
                ),
                stale=(),
                as_of=tx.now,
            )
            for m in messages
        ]

    @handles_many(KeepOffers)
    async def keep_offers(
        self, tx: Tx, messages: Sequence[KeepOffers]
    ) -> list[Goods | Refusal]:
        """Write what is newer; answer what is known then."""
        told = [(offer, m.as_of) for m in messages for offer in m.offers]
        await store.keep_offers(tx, told)
        goods = await store.read_goods(tx, {offer.sku for offer, _ in told})
        return [goods.of({offer.sku for offer in m.offers}) for m in messages]

    async def _have_kept(
        self, asker: "Run | Domain", said: Iterable[Offer], as_of: datetime
    ) -> dict[str, KnownOffer]:
        """Have each product's owner keep what was said; by SKU what is known then."""
        products: dict[UUID, list[KnownOffer]] = {}
        for each in said:
            if each.version:
                products.setdefault(each.product_id, []).append(_known(each))
        replies = await asyncio.gather(
            *(
                asker.ask(KeepOffers(product_id=owner, offers=tuple(some), as_of=as_of))
                for owner, some in sorted(products.items())
            )
        )
        return {each.sku: each for goods in replies for each in goods.offers}

    async def _ask_products(
        self, asker: "Run | Domain", skus: Sequence[str]
    ) -> list[Offer]:
        offers: list[Offer] = []
        for start in range(0, len(skus), OFFERS_MAX):
            part = tuple(skus[start : start + OFFERS_MAX])
            reply = await asker.ask(GetOffers(skus=part))
            offers += reply.offers
        return offers


def _known(offer: Offer) -> KnownOffer:
    return KnownOffer(
        sku=offer.sku,
        product_id=offer.product_id,
        version=offer.version,
        name=offer.name,
        options=offer.options,
        price=offer.price,
        image=offer.image,
        seller_id=offer.seller_id,
        on_sale=offer.active,
    )


def _knows(known: Goods, skus: Sequence[str], version: int) -> bool:
    """Whether all SKUs are known as they are in this version, or in a later one."""
    versions = {each.sku: each.version for each in known.offers}
    return all(versions.get(sku, 0) >= version for sku in skus)


def _skus_of(cart: store.Cart) -> set[str]:
    return {line.sku for line in cart.lines}
