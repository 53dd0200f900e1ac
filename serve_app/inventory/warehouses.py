"""Routes of warehouses."""

from uuid import UUID

from bus.inventory import (
    CloseWarehouse,
    CreateWarehouse,
    ListWarehouses,
    UpdateWarehouse,
    WarehouseView,
)
from bus.kit.addressing import derived_id
from bus.kit.refusals import not_found
from bus.kit.values import Page
from serve_app.inventory.bodies import WarehouseBody, WholeWarehouseBody
from serve_app.inventory.router import router
from serve_app.kit.routing import (
    ADMIN,
    Answer,
    Caller,
    ExpectedVersion,
    ask,
    created,
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


@router.get("/warehouses/{warehouse_id}", access=ADMIN)
async def get_warehouse(warehouse_id: UUID) -> WarehouseView:
    """Show a warehouse that is open."""
    for warehouse in (await ask(ListWarehouses())).items:
        if warehouse.id == warehouse_id:
            return warehouse
    raise not_found("warehouse")


@router.put("/warehouses/{warehouse_id}", access=ADMIN)
async def update_warehouse(
    warehouse_id: UUID, body: WholeWarehouseBody, version: ExpectedVersion
) -> WarehouseView:
    """Rewrite a warehouse; 409 `warehouse-code-taken`.

    The code that it had is free at once. A new priority counts for all that is
    promised from now on.
    """
    return await ask(
        UpdateWarehouse(
            warehouse_id=warehouse_id,
            code=body.code,
            name=body.name,
            priority=body.priority,
            version=version,
        )
    )


@router.delete("/warehouses/{warehouse_id}", access=ADMIN, also=(409,))
async def close_warehouse(warehouse_id: UUID, version: ExpectedVersion) -> None:
    """Close an empty warehouse for good; its movements stay readable.

    409 `warehouse-in-use` while any piece lies there, is being put there, or is on its
    way to or from it; 409 `last-warehouse`. Its code is free again.
    """
    await ask(CloseWarehouse(warehouse_id=warehouse_id, version=version))
