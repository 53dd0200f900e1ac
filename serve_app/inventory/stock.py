"""Routes of stock: availability for all, stock for who keeps it."""

from uuid import UUID

import msgspec

from bus.inventory import (
    SKUS_MAX,
    AdjustStock,
    GetStock,
    ListLowStock,
    ListMovements,
    MovementView,
    SetThreshold,
    StockView,
)
from bus.kit.refusals import Refusal, RefusalKind, forbidden, not_found
from bus.kit.values import Page
from bus.products import GetOffers, ListSkus
from serve_app.inventory.bodies import AdjustStockBody, ThresholdBody
from serve_app.inventory.router import router
from serve_app.kit.answers import etag
from serve_app.kit.bodies import Sku
from serve_app.kit.routing import (
    PUBLIC,
    SELLER,
    Answer,
    Caller,
    ExpectedVersion,
    Pages,
    Paging,
    ask,
)

PARTS_MAX = 200
"""Parts of a seller's SKUs that one page of what runs low goes through at most."""


REVALIDATE = "public, max-age=0, must-revalidate"


class PublicStock(msgspec.Struct, frozen=True):
    """What anybody may know of a SKU."""

    sku: str
    available: int


@router.get("/inventory/low-stock", access=SELLER)
async def list_low_stock(pages: Pages, caller: Caller) -> Page[StockView]:
    """List the SKUs at or below their threshold: a seller's own, or all."""
    if caller.is_admin:
        return await ask(ListLowStock(limit=pages.limit, cursor=pages.cursor))
    return await _own_low(caller.person, pages)


@router.get("/inventory/{sku}", access=PUBLIC)
async def get_stock(sku: Sku, caller: Caller) -> Answer[PublicStock] | StockView:
    """How many pieces of a SKU may be bought; by warehouse for who keeps them.

    Anybody sees `available`; a seller (of own SKUs) and administrators also `on_hand`,
    `reserved` and `threshold` of each warehouse.
    """
    keeper = caller.is_admin or (caller.is_staff and bool(await _own(caller, [sku])))
    try:
        stock = await ask(GetStock(sku=sku))
    except Refusal as refusal:
        if refusal.data.kind is not RefusalKind.NOT_FOUND or not await _sellers(sku):
            raise
        stock = StockView(sku=sku, available=0)  # for sale, and never counted yet
    return stock if keeper else _public(PublicStock(sku, stock.available))


@router.put("/inventory/{sku}", access=SELLER)
async def adjust_stock(
    sku: Sku, body: AdjustStockBody, caller: Caller, version: ExpectedVersion
) -> StockView:
    """Count the pieces in a warehouse anew, or take some in or out.

    409 `below-zero` or `below-reserved`; every change is a movement. Without
    `warehouse_id` the shop's first warehouse is meant.
    """
    await _check_own(caller, sku)
    return await ask(
        AdjustStock(
            sku=sku,
            reason=body.reason,
            warehouse_id=body.warehouse_id,
            delta=body.delta,
            on_hand=body.on_hand,
            actor_id=caller.person,
            version=version,
        )
    )


@router.get("/inventory/{sku}/movements", access=SELLER)
async def list_movements(sku: Sku, pages: Pages, caller: Caller) -> Page[MovementView]:
    """Every change of a SKU's stock, newest first: who, why, before, after."""
    await _check_own(caller, sku)
    return await ask(ListMovements(sku=sku, limit=pages.limit, cursor=pages.cursor))


@router.put("/inventory/{sku}/threshold", access=SELLER)
async def set_threshold(
    sku: Sku, body: ThresholdBody, caller: Caller, version: ExpectedVersion
) -> StockView:
    """Set at how many available pieces a SKU counts as low.

    All its warehouses together are meant, and the highest threshold of any counts.
    Who keeps it is alerted once a fall, and again only after a refill.
    """
    await _check_own(caller, sku)
    return await ask(
        SetThreshold(
            sku=sku,
            threshold=body.threshold,
            warehouse_id=body.warehouse_id,
            actor_id=caller.person,
            version=version,
        )
    )


def _public(stock: PublicStock) -> Answer[PublicStock]:
    """What anybody may keep, if it asks each time whether it is still so."""
    tag = etag(None, msgspec.json.encode(stock))
    return Answer(stock, headers={"ETag": tag, "Cache-Control": REVALIDATE})


async def _own_low(seller_id: UUID, pages: Paging) -> Page[StockView]:
    """A full page of a seller's own: all own SKUs are gone through in their order."""
    found: list[StockView] = []
    after = pages.cursor or ""
    for _ in range(PARTS_MAX):
        own = await ask(ListSkus(seller_id=seller_id, after=after, limit=SKUS_MAX))
        if not own.items:
            return Page(tuple(found))
        wanted = pages.limit + 1 - len(found)
        low = await ask(ListLowStock(skus=own.items, limit=wanted))
        found += low.items
        if len(found) > pages.limit:
            return Page(tuple(found[: pages.limit]), found[pages.limit - 1].sku)
        after = own.items[-1]
    return Page(tuple(found), after)


async def _own(caller: Caller, skus: list[str]) -> set[str]:
    """Which of these SKUs are the caller's own goods."""
    found = await ask(GetOffers(skus=tuple(skus)))
    return {one.sku for one in found.offers if one.seller_id == caller.user_id}


async def _sellers(sku: str) -> list[UUID | None]:
    """The seller of a SKU that the catalogue knows, on sale or not; else none."""
    found = await ask(GetOffers(skus=(sku,)))
    return [one.seller_id for one in found.offers]


async def _check_own(caller: Caller, sku: str) -> None:
    """Refuse a SKU that nobody knows, and to a seller one of somebody else's."""
    sellers = await _sellers(sku)
    if not sellers:
        if not caller.is_admin:
            raise not_found("SKU")
        await ask(GetStock(sku=sku))  # what the catalogue has lost may lie there still
    elif not caller.is_admin and caller.user_id not in sellers:
        raise forbidden("Not one of your products.")
