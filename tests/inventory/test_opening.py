"""Stock that an import states: it opens what was never counted, and nothing else."""

import asyncio

from bus.inventory import AdjustStock, GetAvailability
from bus.kit.addressing import new_id
from bus.products import StockStated


async def test_stated_stock_opens_a_sku_once_and_never_touches_what_is_there(
    shop,
) -> None:
    async with shop("inventory", shards=3) as s:
        await s.ask(AdjustStock(sku="OLD", on_hand=2, reason="count"))
        actor, skus = new_id(), tuple(f"NEW-{n}" for n in range(9))
        stated = StockStated(
            product_id=new_id(),
            pieces={"OLD": 50} | dict.fromkeys(skus, 4),
            actor_id=actor,
        )
        ids = (new_id(), new_id())
        asks = [
            s.ask(stated, id=id_, domain="inventory", join=True)
            for id_ in (*ids, ids[0])
        ]
        await asyncio.gather(*asks)
        await s.ask(stated, id=new_id(), domain="inventory")
        found = (await s.ask(GetAvailability(skus=("OLD", *skus)))).available
        assert found == {"OLD": 2} | dict.fromkeys(skus, 4)
        moves = await s.rows(
            "inventory",
            """SELECT sku, kind, reason, actor_id, on_hand_after FROM movements
               WHERE sku <> 'OLD' ORDER BY sku""",
        )
        assert moves == [
            {
                "sku": sku,
                "kind": "ADJUST",
                "reason": "import",
                "actor_id": actor,
                "on_hand_after": 4,
            }
            for sku in skus
        ]
        told = [event["subject"] for event in await s.events("inventory")]
        assert sorted({each for each in told if each != "OLD"}) == sorted(skus)
