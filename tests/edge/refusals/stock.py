"""Refusals of inventory: counts and holds."""

from typing import Any
from uuid import UUID

from bus.inventory import (
    AdjustStock,
    CommitStock,
    ReleaseStock,
    ReserveStock,
    ShipStock,
)
from bus.kit.addressing import new_id
from tests.edge.contract import Role
from tests.edge.refusals.table import provokes
from tests.edge.scene import Scene


@provokes("below-reserved", 409)
async def _promised(scene: Scene) -> Any:
    sku, _ = await _held(scene)
    body = {"on_hand": 2, "reason": "count"}
    return await scene.people[Role.ADMIN].send(f"PUT /inventory/{sku}", body)


@provokes("below-zero", 409)
async def _fewer_than_none(scene: Scene) -> Any:
    body = {"delta": -1_000_000, "reason": "lost"}
    return await scene.people[Role.SELLER].send(f"PUT /inventory/{scene.sku}", body)


@provokes("delta-or-on-hand", 422)
async def _both(scene: Scene) -> Any:
    both = AdjustStock(sku=scene.sku, delta=1, on_hand=1, reason="count")
    return await scene.front.shop.ask(both)


@provokes("hold-released", 409)
async def _too_late(scene: Scene) -> Any:
    order_id, ask = new_id(), scene.front.shop.ask
    await ask(ReleaseStock(order_id=order_id, sku=scene.sku))
    await ask(ReserveStock(order_id=order_id, sku=scene.sku, quantity=1))


@provokes("no-hold", 409)
async def _unheld(scene: Scene) -> Any:
    return await scene.front.shop.ask(CommitStock(order_id=new_id(), sku=scene.sku))


@provokes("ships-too-much", 409)
async def _more_than_sold(scene: Scene) -> Any:
    sku, order_id = await _held(scene)
    await scene.front.shop.ask(CommitStock(order_id=order_id, sku=sku))
    four = ShipStock(order_id=order_id, sku=sku, quantity=4, shipment_id=new_id())
    return await scene.front.shop.ask(four)


# --- private ---


async def _held(scene: Scene) -> tuple[str, UUID]:
    """A SKU of five pieces, three of them held for an order."""
    (sku,) = await scene.front.goods(5)
    order_id = new_id()
    hold = ReserveStock(order_id=order_id, sku=sku, quantity=3)
    await scene.front.shop.ask(hold)
    return sku, order_id
