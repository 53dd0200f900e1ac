"""Warehouses: opened, changed, closed, all in one slot."""

from typing import Any
from uuid import UUID

import msgspec

from actors.kit.domain import Domain, handles
from bus.inventory import (
    WAREHOUSES_MAX,
    CloseWarehouse,
    CreateWarehouse,
    ListWarehouses,
    UpdateWarehouse,
    WarehouseView,
    last_warehouse,
    warehouse_code_taken,
    warehouse_in_use,
)
from bus.kit.refusals import conflict, not_found, stale
from bus.kit.values import Done, Page
from persistence import inventory as store
from persistence.kit.claims import Claim
from persistence.kit.database import Db
from persistence.kit.transaction import Tx

CODE = "warehouse-code"


def code_claims(m: CreateWarehouse | UpdateWarehouse) -> tuple[Claim, ...]:
    """The code that a warehouse wants for itself."""
    return (Claim(CODE, m.code, m.warehouse_id),)


class Warehouses(Domain):
    """Where pieces lie."""

    @handles(CreateWarehouse, claims=code_claims)
    async def create_warehouse(self, tx: Tx, m: CreateWarehouse) -> WarehouseView:
        """Open a warehouse."""
        if not tx.claimed(CODE, m.code, m.warehouse_id):
            raise warehouse_code_taken()
        if len(await store.read_warehouses(tx)) >= WAREHOUSES_MAX:
            raise conflict("too-many-warehouses", f"At most {WAREHOUSES_MAX}.")
        view = WarehouseView(
            id=m.warehouse_id,
            code=m.code,
            name=m.name,
            priority=m.priority,
            version=1,
            created_at=tx.now,
            updated_at=tx.now,
        )
        await store.insert_warehouse(tx, view)
        tx.audit(m, view.id, after=_facts(view))
        return view

    @handles(UpdateWarehouse, claims=code_claims)
    async def update_warehouse(self, tx: Tx, m: UpdateWarehouse) -> WarehouseView:
        """Rewrite the version that was seen; a code that is given up is free."""
        before = await _seen(tx, m.warehouse_id, m.version)
        if not tx.claimed(CODE, m.code, m.warehouse_id):
            raise warehouse_code_taken()
        after = msgspec.structs.replace(
            before,
            code=m.code,
            name=m.name,
            priority=m.priority,
            version=before.version + 1,
            updated_at=tx.now,
        )
        await store.save_warehouse(tx, after)
        tx.audit(m, after.id, _facts(before), _facts(after))
        if before.code != after.code:
            await tx.release_claims([Claim(CODE, before.code, before.id)])
        return after

    @handles(CloseWarehouse)
    async def close_warehouse(self, tx: Tx, m: CloseWarehouse) -> Done:
        """Close an empty warehouse; only this slot closes any, so one is left."""
        warehouse = await _seen(tx, m.warehouse_id, m.version)
        if len(await store.read_warehouses(tx)) == 1:
            raise last_warehouse()
        if not await store.close_warehouse(tx, warehouse.id):
            raise warehouse_in_use()
        await tx.release_claims([Claim(CODE, warehouse.code, warehouse.id)])
        tx.audit(m, warehouse.id, before=_facts(warehouse))
        return Done()

    @handles(ListWarehouses)
    async def list_warehouses(self, db: Db, _: ListWarehouses) -> Page[WarehouseView]:
        """All warehouses."""
        return Page(tuple(await store.read_warehouses(db)))


def _facts(warehouse: WarehouseView) -> dict[str, Any]:
    return {
        "code": warehouse.code,
        "name": warehouse.name,
        "priority": warehouse.priority,
    }


async def _seen(tx: Tx, warehouse_id: UUID, version: int | None) -> WarehouseView:
    """Refuse a warehouse that is not open, or has moved on since it was read."""
    for warehouse in await store.read_warehouses(tx):
        if warehouse.id == warehouse_id:
            if version not in (None, warehouse.version):
                raise stale()
            return warehouse
    raise not_found("warehouse")
