"""Refusals of warehouses, and of what goes between them."""

from typing import Any
from uuid import UUID

from bus.inventory import WAREHOUSES_MAX
from bus.inventory.steps import HoldForTransfer, LetGo
from bus.kit.addressing import new_id
from tests.edge.contract import Role
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene

_MANY = """INSERT INTO warehouses
             (id, code, name, priority, version, created_at, updated_at)
           SELECT gen_random_uuid(), 'FULL-' || n, 'x', 900, 1, now(), now()
           FROM generate_series(1, $1::int) AS n RETURNING id"""
_FEW = "DELETE FROM warehouses WHERE code LIKE 'FULL-%'"


@provokes("warehouse-code-taken", 409)
async def _two_mains(scene: Scene) -> Any:
    body = {"code": "MAIN", "name": "Another"}
    return await scene.people[Role.ADMIN].send("POST /warehouses", body)


@provokes("too-many-warehouses", 409)
async def _one_more(scene: Scene) -> Any:
    await scene.front.shop.rows("inventory", _MANY, WAREHOUSES_MAX)
    try:
        body = {"code": f"M-{new_id().hex[-8:]}".upper(), "name": "One more"}
        return await scene.people[Role.ADMIN].send("POST /warehouses", body)
    finally:
        await scene.front.shop.rows("inventory", _FEW)


@provokes("warehouse-in-use", 409)
async def _full(scene: Scene) -> Any:
    main = await _main(scene)
    await _another(scene)
    return await scene.people[Role.ADMIN].send(f"DELETE /warehouses/{main}")


@provokes("same-warehouse", 422)
async def _nowhere(scene: Scene) -> Any:
    main = await _main(scene)
    return await _move(scene, main, main, 1)


@provokes("transfer-exceeds-available", 409)
async def _more_than_there_is(scene: Scene) -> Any:
    there = await _another(scene)
    return await _move(scene, await _main(scene), there, 100_000)


@provokes("transfer-refused", 409)
async def _too_late(scene: Scene) -> Any:
    """A hold of a transfer that comes after it was let go."""
    transfer_id, main = new_id(), UUID(await _main(scene))
    values: dict[str, Any] = {
        "transfer_id": transfer_id,
        "sku": scene.sku,
        "reason": "r",
        "actor_id": None,
    }
    await scene.front.shop.ask(LetGo(**values))
    late = HoldForTransfer(**values, quantity=1, from_warehouse_id=main)
    return await scene.front.shop.ask(late)


async def _main(scene: Scene) -> str:
    page = await scene.people[Role.ADMIN].call("GET /warehouses", 200)
    return str(next(one["id"] for one in page["items"] if one["code"] == "MAIN"))


async def _another(scene: Scene) -> str:
    body = {"code": f"T-{new_id().hex[-8:]}".upper(), "name": "There"}
    made = await scene.people[Role.ADMIN].call("POST /warehouses", 201, body)
    return str(made["id"])


async def _move(scene: Scene, here: str, there: str, pieces: int) -> Any:
    body = {
        "from_warehouse_id": here,
        "to_warehouse_id": there,
        "sku": scene.sku,
        "quantity": pieces,
    }
    return await scene.people[Role.ADMIN].send("POST /inventory/transfers", body)
