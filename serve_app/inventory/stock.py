"""Routes of stock: availability for all, stock for who keeps it."""

import msgspec

from bus.inventory import (
    AdjustStock,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    MovementView,
    SetThreshold,
    StockView,
)
from bus.kit.refusals import forbidden
from bus.kit.values import Page
from bus.products import GetOffers
from serve_app.inventory.bodies import AdjustStockBody, ThresholdBody
from serve_app.inventory.router import router
from serve_app.kit.bodies import Sku
from serve_app.kit.routing import (
    PUBLIC,
    SELLER,
    Caller,
    Pages,
    ask,
)


class PublicStock(msgspec.Struct, frozen=True):
    """What anybody may know of a SKU."""

    sku: str
    available: int


@router.get("/inventory/low-stock", access=SELLER)
async def list_low_stock(pages: Pages, caller: Caller) -> Page[StockView]:
    """List the SKUs at or below their threshold."""
    page = await ask(ListLowStock(limit=pages.limit, cursor=pages.cursor))
    if caller.is_admin:
        return page
    own = await _own(caller, [stock.sku for stock in page.items])
    return Page(tuple(one for one in page.items if one.sku in own), page.next_cursor)


@router.get("/inventory/{sku}", access=PUBLIC)
async def get_stock(sku: Sku, caller: Caller) -> PublicStock | StockView:
    """How many pieces of a SKU may be bought; by warehouse for who keeps them.

    Anybody sees `available`; a seller (of own SKUs) and administrators also `on_hand`,
    `reserved` and `threshold` of each warehouse.
    """
    if caller.is_staff and (caller.is_admin or await _own(caller, [sku])):
        return await ask(GetStock(sku=sku))
    await ask(GetStock(sku=sku))
    available = (await ask(GetAvailability(skus=(sku,)))).available
    return PublicStock(sku, available[sku])


@router.put("/inventory/{sku}", access=SELLER)
async def adjust_stock(sku: Sku, body: AdjustStockBody, caller: Caller) -> StockView:
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
            actor_id=caller.user_id,
        )
    )


@router.get("/inventory/{sku}/movements", access=SELLER)
async def list_movements(sku: Sku, pages: Pages, caller: Caller) -> Page[MovementView]:
    """Every change of a SKU's stock, newest first: who, why, before, after."""
    await _check_own(caller, sku)
    return await ask(ListMovements(sku=sku, limit=pages.limit, cursor=pages.cursor))


@router.put("/inventory/{sku}/threshold", access=SELLER)
async def set_threshold(sku: Sku, body: ThresholdBody, caller: Caller) -> StockView:
    """Set at how many available pieces a SKU counts as low."""
    await _check_own(caller, sku)
    return await ask(
        SetThreshold(sku=sku, threshold=body.threshold, warehouse_id=body.warehouse_id)
    )


async def _own(caller: Caller, skus: list[str]) -> set[str]:
    """Which of these SKUs are the caller's own goods."""
    if not skus:
        return set()
    found = await ask(GetOffers(skus=tuple(skus)))
    return {one.sku for one in found.offers if one.seller_id == caller.user_id}


async def _check_own(caller: Caller, sku: str) -> None:
    if not caller.is_admin and not await _own(caller, [sku]):
        raise forbidden("Not one of your products.")
