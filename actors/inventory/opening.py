"""Stock that opens with what a product's importer says there is."""

import asyncio
from collections.abc import Sequence

from actors.inventory.ledger import Ledger, changed
from actors.kit.domain import Domain, handles, handles_many
from actors.kit.process import Run
from bus.inventory.steps import OpenStock
from bus.kit.refusals import not_found
from bus.kit.values import Done
from bus.products import StockStated
from persistence import inventory as store
from persistence.kit.transaction import Tx

REASON = "import"


class OpeningStock(Domain):
    """First counts, which never touch what was counted, promised or sold."""

    @handles(StockStated)
    async def note_stated_stock(self, run: Run, event: StockStated) -> Done:
        """Have each SKU's owner open its stock, which each does once."""
        opened = (
            OpenStock(sku=sku, on_hand=on_hand, actor_id=event.actor_id)
            for sku, on_hand in sorted(event.pieces.items())
        )
        await asyncio.gather(*(run.ask(each) for each in opened))
        return Done()

    @handles_many(OpenStock)
    async def open_stock(self, tx: Tx, messages: Sequence[OpenStock]) -> list[Done]:
        """Put the pieces into the first warehouse, where a SKU has no stock at all."""
        order = await store.read_order(tx)
        first = order.warehouse_ids[0]
        if await store.hold_warehouses(tx, [first]) != {first}:
            raise not_found("warehouse")
        skus = {message.sku for message in messages}
        stocks = await store.load_stock(tx, sorted(skus), order.generation)
        ledger = Ledger(tx, stocks, order.generation)
        for m in messages:
            if ledger.stocks[m.sku].rows:
                continue
            ledger.move(
                m.sku,
                changed(ledger.row(m.sku, first), m.on_hand),
                order.warehouse_ids,
                kind="ADJUST",
                reason=REASON,
                actor_id=m.actor_id,
            )
            ledger.tell_adjusted(m.sku, first, m.on_hand)
            ledger.tell_level(m.sku)
        await ledger.save()
        return [Done()] * len(messages)
