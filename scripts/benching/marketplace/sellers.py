"""What sellers and the delivery do: prices, products, parcels, and looking on."""

import asyncio
import random

import msgspec

from scripts.benching.desk import GOOD, Desk
from scripts.benching.marketplace import journal
from scripts.benching.marketplace.answers import Dashboard, Parcels, Product
from scripts.benching.marketplace.data import (
    PRICE_MAX_MINOR,
    PRICE_MIN_MINOR,
    SellerAccount,
    money,
    product_body,
    sku_of,
)
from scripts.benching.marketplace.stalls import Asking, Stall, Stalls, count

ADJUST_PERCENT_MAX = 10
DELETE_SHARE = 0.5
"""Of Product Delete/Update; the paper's text deletes, its later driver replaces."""
DELIVERED_SELLERS_MAX = 10
SHOWN_MAX = 100
"""Lines of a dashboard; the totals count all."""
SHIPPED_MAX = 10
"""Parcels that are shipped before a delivery, which delivers as many at most."""


async def update_price(stalls: Stalls, desk: Desk, dice: random.Random) -> None:
    """Price Update: a seller moves a price by 1 to 10 per cent."""
    rank, stall = await stalls.take(dice)
    try:
        sku = sku_of(stalls.market.name, rank, stall.generation)
        price = next_price(stall, dice)
        path = f"/products/{stall.product_id}/variants/{sku}"
        body = {"sku": sku, "price": money(price)}
        asking = await _as_seller(stalls, desk, rank, "PUT", path, body)
        stalls.journal.append(
            journal.Repriced(
                sku=sku, price=price, version=_version(asking), **asking.said()
            )
        )
        stall.prices.add(price)
        count(desk, "price", asking)
        stall.price = price
    finally:
        stall.busy = False


async def change_product(stalls: Stalls, desk: Desk, dice: random.Random) -> None:
    """Product Delete/Update: a seller deletes a product for a new one, or rewrites it.

    The new one has another SKU, so that the market stays as large as it was.
    """
    rank, stall = await stalls.take(dice)
    try:
        if dice.random() < DELETE_SHARE:
            await _delete(stalls, desk, rank, stall)
            await _list(stalls, desk, rank, stall)
        else:
            await _rewrite(stalls, desk, rank, stall)
    finally:
        stall.busy = False


async def deliver(stalls: Stalls, desk: Desk, dice: random.Random) -> None:
    """Update Delivery: the oldest parcels of ten sellers arrive.

    In the paper an order's parcels leave with the checkout. Here a seller ships: as
    many as a delivery may take are shipped first, the oldest ones.
    """
    del dice
    parcels = [
        stalls.unshipped.popleft()
        for _ in range(min(SHIPPED_MAX, len(stalls.unshipped)))
    ]
    await asyncio.gather(*(_ship(stalls, desk, *parcel) for parcel in parcels))
    headers = _bearer(stalls.market.admin_token)
    body = {"sellers_max": DELIVERED_SELLERS_MAX}
    asking = await stalls.ask(
        desk.exchange("POST", "/shipments/deliveries", body, headers)
    )
    found: tuple[journal.Delivery, ...] = ()
    if asking.answer.status in GOOD:
        said = msgspec.json.decode(asking.answer.body, type=Parcels)
        found = tuple(
            journal.Delivery(**msgspec.structs.asdict(one)) for one in said.items
        )
    stalls.journal.append(journal.Delivered(parcels=found, **asking.said()))
    count(desk, "deliver", asking)


async def look(stalls: Stalls, desk: Desk, dice: random.Random) -> None:
    """Seller Dashboard: the totals of the orders in progress, and their lines."""
    seller = stalls.market.sellers[stalls.sellers.one(dice)]
    await look_as(stalls, desk, seller)


async def look_as(
    stalls: Stalls, desk: Desk, seller: SellerAccount, *, at_rest: bool = False
) -> None:
    """The dashboard of this seller, with as many lines as it shows at most."""
    path, headers = f"/sellers/dashboard?limit={SHOWN_MAX}", _bearer(seller.token)
    asking = await stalls.ask(desk.exchange("GET", path, headers=headers))
    told = summed = None
    more, twice = False, 0
    if asking.answer.status in GOOD:
        seen = msgspec.json.decode(asking.answer.body, type=Dashboard)
        told, summed = seen.told(), seen.summed()
        more, twice = seen.more, seen.twice()
    stalls.journal.append(
        journal.Dashboard(
            seller_id=seller.id,
            told=told,
            summed=summed,
            more=more,
            twice=twice,
            at_rest=at_rest,
            **asking.said(),
        )
    )
    count(desk, "dashboard", asking)


def next_price(stall: Stall, dice: random.Random) -> int:
    """A price 1 to 10 per cent off the last, and one that its SKU has never had."""
    change = stall.price * dice.randint(1, ADJUST_PERCENT_MAX) // 100
    price = stall.price + dice.choice((-1, 1)) * max(1, change)
    price = min(max(price, PRICE_MIN_MINOR), PRICE_MAX_MINOR)
    while price in stall.prices:
        price += 1
    return price


async def _delete(stalls: Stalls, desk: Desk, rank: int, stall: Stall) -> None:
    sku = sku_of(stalls.market.name, rank, stall.generation)
    path = f"/products/{stall.product_id}"
    asking = await _as_seller(stalls, desk, rank, "DELETE", path)
    stalls.journal.append(journal.Deleted(sku=sku, **asking.said()))
    count(desk, "delete", asking)


async def _list(stalls: Stalls, desk: Desk, rank: int, stall: Stall) -> None:
    market, generation = stalls.market, stall.generation + 1
    sku = sku_of(market.name, rank, generation)
    body = product_body(market.name, rank, generation, stall.price)
    asking = await _as_seller(stalls, desk, rank, "POST", "/products", body)
    stalls.journal.append(
        journal.Listed(
            sku=sku, price=stall.price, version=_version(asking), **asking.said()
        )
    )
    count(desk, "list", asking)
    made = msgspec.json.decode(asking.answer.body, type=Product)
    stall.generation, stall.product_id = generation, str(made.id)
    stall.prices = {stall.price}
    pieces = market.size.pieces
    change = {"reason": "opening stock", "delta": pieces}
    asking = await _as_seller(stalls, desk, rank, "PUT", f"/inventory/{sku}", change)
    stalls.journal.append(journal.Stocked(sku=sku, pieces=pieces, **asking.said()))
    count(desk, "stock", asking)
    stalls.generations[rank] = generation


async def _rewrite(stalls: Stalls, desk: Desk, rank: int, stall: Stall) -> None:
    sku = sku_of(stalls.market.name, rank, stall.generation)
    body = product_body(stalls.market.name, rank, stall.generation, stall.price)
    body["description"] = f"Rewritten after {len(stalls.journal)} requests."
    path = f"/products/{stall.product_id}"
    asking = await _as_seller(stalls, desk, rank, "PUT", path, body)
    stalls.journal.append(
        journal.Rewritten(
            sku=sku, price=stall.price, version=_version(asking), **asking.said()
        )
    )
    count(desk, "rewrite", asking)


async def _ship(stalls: Stalls, desk: Desk, order_id: str, seller: int) -> None:
    account = stalls.market.sellers[seller]
    body = {"status": "SHIPPED", "carrier": "Loop", "tracking_number": order_id[-12:]}
    path, headers = f"/orders/{order_id}/status", _bearer(account.token)
    asking = await stalls.ask(desk.exchange("PUT", path, body, headers))
    stalls.journal.append(
        journal.Shipped(order_id=order_id, seller_id=account.id, **asking.said())
    )
    count(desk, "ship", asking)


async def _as_seller(
    stalls: Stalls, desk: Desk, rank: int, method: str, path: str, body: object = None
) -> Asking:
    headers = _bearer(stalls.market.seller_of(rank).token)
    return await stalls.ask(desk.exchange(method, path, body, headers))


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _version(asking: Asking) -> int:
    if asking.answer.status not in GOOD:
        return 0
    return msgspec.json.decode(asking.answer.body, type=Product).version
