"""Routes of warehouses."""

from bus.inventory import CreateWarehouse, ListWarehouses, WarehouseView
from bus.kit.addressing import derived_id
from bus.kit.values import Page
from serve_app.inventory.bodies import WarehouseBody
from serve_app.inventory.router import router
from serve_app.kit.routing import (
    ADMIN,
    Answer,
    Caller,
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
