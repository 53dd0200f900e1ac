"""How the world reaches inventory: availability for all, stock for who keeps it."""

from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field, model_validator

from bus.inventory import (
    QUANTITY_MAX,
    AdjustStock,
    CreateWarehouse,
    GetAvailability,
    GetStock,
    ListLowStock,
    ListMovements,
    ListWarehouses,
    MovementView,
    SetThreshold,
    StockView,
    WarehouseView,
)
from bus.kit.addressing import derived_id
from bus.kit.refusals import forbidden
from bus.kit.values import Page
from bus.products import GetOffers
from serve_app.kit.bodies import Body, Line, Sku
from serve_app.kit.routing import (
    ADMIN,
    PUBLIC,
    SELLER,
    Answer,
    Caller,
    Pages,
    Router,
    ask,
    created,
)

router = Router("inventory")

Pieces = Annotated[int, Field(ge=0, le=QUANTITY_MAX)]
Code = Annotated[str, Field(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}$")]


class AdjustStockBody(Body):
    """A count (`on_hand`) or a change (`delta`) of a warehouse's pieces."""

    reason: Line
    warehouse_id: Annotated[UUID, Field(strict=False)] | None = None
    delta: Annotated[int, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)] | None = None
    on_hand: Pieces | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "AdjustStockBody":
        if (self.delta is None) == (self.on_hand is None):
            raise ValueError("Give either delta or on_hand")
        return self


class ThresholdBody(Body):
    """At how many available pieces a SKU counts as low."""

    threshold: Pieces
    warehouse_id: Annotated[UUID, Field(strict=False)] | None = None


class WarehouseBody(Body):
    """A warehouse; stock is taken from the lowest `priority` first."""

    code: Code
    name: Line
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100


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


@router.get("/warehouses", access=ADMIN)
async def list_warehouses() -> Page[WarehouseView]:
    """List the warehouses, in the order in which stock is taken from them."""
    return await ask(ListWarehouses())


@router.post("/warehouses", access=ADMIN, idempotent=True, status=201)
async def create_warehouse(
    body: WarehouseBody, caller: Caller
) -> Answer[WarehouseView]:
    """Open a warehouse; 409 `warehouse-code-taken`."""
    command_id = caller.command_id()
    warehouse = await ask(
        CreateWarehouse(
            warehouse_id=derived_id(command_id, "warehouse"),
            code=body.code,
            name=body.name,
            priority=body.priority,
        ),
        id=command_id,
    )
    return created(warehouse, f"/warehouses/{warehouse.id}")


async def _own(caller: Caller, skus: list[str]) -> set[str]:
    """Which of these SKUs are the caller's own goods."""
    if not skus:
        return set()
    found = await ask(GetOffers(skus=tuple(skus)))
    return {one.sku for one in found.offers if one.seller_id == caller.user_id}


async def _check_own(caller: Caller, sku: str) -> None:
    if not caller.is_admin and not await _own(caller, [sku]):
        raise forbidden("Not one of your products.")
