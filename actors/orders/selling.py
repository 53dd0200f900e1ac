"""What sellers see of orders, and the oldest shipments that arrive, by seller."""

import asyncio
from collections.abc import Sequence

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.orders.fulfilment import Fulfilment, write_advance
from actors.orders.moving import advance
from actors.orders.parcels import rest_of
from bus.kit.addressing import derived_id
from bus.kit.cursors import id_of
from bus.kit.values import Done, Page
from bus.orders import (
    AdvanceOrder,
    Dashboard,
    Deliveries,
    DeliverOldest,
    Delivery,
    GetDashboard,
    ListShipments,
    OrderStatus,
    SellerShipment,
    Viewer,
)
from bus.orders.steps import DeliverChosen, DeliverShipment, NoteDeliveries
from persistence import orders as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx


class Selling(Fulfilment):
    """Orders by seller."""

    @handles_many(GetDashboard)
    async def get_dashboard(
        self, db: Db, queries: Sequence[GetDashboard]
    ) -> list[Dashboard]:
        """What sellers have in progress: many sellers in one statement, one moment."""
        asked = [(q.seller_id, q.limit) for q in queries]
        return await store.read_dashboards(db, asked, self.settings.currency)

    @handles(ListShipments)
    async def list_shipments(self, db: Db, q: ListShipments) -> Page[SellerShipment]:
        """A seller's shipments, oldest first."""
        found = await store.read_shipments(
            db, q.seller_id, q.status, id_of(q.cursor), q.limit + 1
        )
        page = tuple(found[: q.limit])
        return Page(page, str(page[-1].id) if len(found) > q.limit else None)

    @handles(DeliverOldest)
    async def deliver_oldest(self, run: Run, m: DeliverOldest) -> Deliveries:
        """Choose once and write down what; then have the orders' owners deliver it."""
        async with self.read() as db:
            chosen = await store.oldest_under_way(db, m.sellers_max)
        if not chosen:
            return Deliveries()
        work = DeliverChosen(
            request_id=m.request_id, chosen=tuple(chosen), actor_id=m.actor_id
        )
        await run.step(NoteDeliveries(request_id=m.request_id), opens=work)
        return await self.deliver_chosen(run, work)

    @handles(DeliverChosen)
    async def deliver_chosen(self, run: Run, m: DeliverChosen) -> Deliveries:
        """Run again, each order answers as it did: it knows whether this did it."""
        did = await asyncio.gather(*(self._deliver(run, m, one) for one in m.chosen))
        mine = (one for one, done in zip(m.chosen, did, strict=True) if done)
        return Deliveries(items=tuple(mine))

    async def _deliver(self, run: Run, m: DeliverChosen, one: Delivery) -> bool:
        deliver = DeliverShipment(
            order_id=one.order_id, shipment_id=one.shipment_id, actor_id=m.actor_id
        )
        id_ = derived_id(m.request_id, f"deliver {one.shipment_id}", one.order_id)
        done: bool = await run.ask(deliver, id=id_)
        return done

    # --- steps ---------------------------------------------------------------

    @handles(NoteDeliveries)
    async def note_deliveries(self, tx: Tx, m: NoteDeliveries) -> Done:  # noqa: ARG002
        """Nothing but what the process opens with it."""
        return Done()

    @handles(DeliverShipment)
    async def deliver_shipment(self, tx: Tx, m: DeliverShipment) -> bool:
        """What is left of the shipment has arrived; False: it all had before."""
        order = (await store.load_orders(tx, [m.order_id]))[m.order_id]
        rest = rest_of(order, m.shipment_id) if order else {}
        if order is None or not rest:
            return False
        request = AdvanceOrder(
            order_id=order.id,
            viewer=Viewer(role="ADMIN", user_id=m.actor_id),
            status=OrderStatus.DELIVERED,
            items=rest,
        )
        after = advance(order, request, m.shipment_id, tx.now)
        await write_advance(tx, order, after, request, about=m)
        return True
