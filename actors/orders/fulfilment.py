"""After the order: packing, shipping, cancelling, refunds, and all reads."""

import asyncio
from typing import Any

from msgspec.structs import replace

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.orders.capturing import Capturing, ships_unpaid
from actors.orders.decisions import refund_of_cancelling
from actors.orders.moving import (
    actor_of,
    advance,
    least,
    may_see,
    refunded,
    refuse_advance,
    shown,
    timeline_for,
)
from actors.orders.parcels import left_together
from actors.orders.trying import TAKEN
from bus.inventory import ShipStock
from bus.kit.addressing import derived_id
from bus.kit.cursors import id_of
from bus.kit.messages import Message
from bus.kit.refusals import Refusal, forbidden, not_found
from bus.kit.values import Done, Money, Page
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    GetOrder,
    GetOrderContact,
    GetTimeline,
    ListOrders,
    OrderContact,
    OrderDelivered,
    OrderProcessing,
    OrderRefunded,
    OrderShipped,
    OrderStatus,
    OrderUpdated,
    OrderView,
    TimelineEntry,
    Viewer,
)
from bus.orders.steps import (
    BeginAdvance,
    BeginCancel,
    FinishShipment,
    ReadOrder,
    RecordRefund,
    SettleOrder,
)
from bus.payments import GetPayment, RefundCompleted, not_authorized
from persistence import orders as store
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.orders import Order, Stage, Step

S = OrderStatus


class Fulfilment(Capturing):
    """What moves an order that was placed."""

    @handles(CancelOrder)
    async def cancel_order(self, run: Run, m: CancelOrder) -> Done:
        """Cancel, then give stock and money back."""
        opens = SettleOrder(order_id=m.order_id)
        await run.step(
            BeginCancel(
                order_id=m.order_id,
                reason=m.reason,
                viewer=m.viewer,
                version=m.version,
            ),
            opens=opens,
        )
        await self.settle_order(run, opens)
        return Done()

    @handles(AdvanceOrder)
    async def advance_order(self, run: Run, m: AdvanceOrder) -> Done:
        """Move lines on; what ships leaves the warehouses."""
        shipment_id = derived_id(run.id, "shipment", key=m.order_id)
        finish = FinishShipment(order_id=m.order_id, shipment_id=shipment_id)
        captured = await self._capture_first(run, m, shipment_id)
        await run.step(
            BeginAdvance(
                order_id=m.order_id,
                request=m,
                shipment_id=shipment_id,
                captured=captured,
            ),
            opens=finish,
        )
        return await self.finish_shipment(run, finish)

    @handles(FinishShipment)
    async def finish_shipment(self, run: Run, m: FinishShipment) -> Done:
        """Tell inventory of the pieces that left, once by shipment and SKU.

        Only what is sold leaves: an order that was confirmed this moment may still be
        on its way to having its pieces sold.
        """
        order: Order = await run.step(ReadOrder(order_id=m.order_id))
        parcels = left_together(order, m.shipment_id)
        if parcels and order.stage is Stage.COMMITTING:
            await self._commit(run, order)
        await asyncio.gather(
            *(
                run.ask(
                    ShipStock(
                        order_id=order.id,
                        sku=sku,
                        quantity=n,
                        shipment_id=m.shipment_id,
                    ),
                    id=derived_id(m.shipment_id, sku),
                )
                for parcel in parcels
                for sku, n in sorted(parcel.items.items())
            )
        )
        return Done()

    @handles(BeginAdvance)
    async def begin_advance(self, tx: Tx, m: BeginAdvance) -> Order:
        """Write how far the lines are; sellers move only their own."""
        order = (await store.load_orders(tx, [m.order_id]))[m.order_id]
        if order and left_together(order, m.shipment_id):
            return order
        refusal = refuse_advance(order, m.request)
        if order is None or refusal is not None:
            raise refusal or not_found("order")
        if not m.captured and ships_unpaid(order, m.request):
            raise not_authorized()
        after = advance(order, m.request, m.shipment_id, tx.now)
        if m.captured and order.payment_status not in TAKEN:
            after = replace(after, payment_status="SUCCEEDED")
        await write_advance(tx, order, after, m.request, about=m)
        return after

    @handles(RefundCompleted)
    async def refund_completed(self, run: Run, event: RefundCompleted) -> Done:
        """Money went back: find out by whom, and write it, once by the event's id.

        What an order gives back itself, as it is cancelled, nobody has to be asked for.
        """
        actor_id = None
        if event.refund_id != refund_of_cancelling(event.order_id):
            payment = await run.ask(GetPayment(payment_id=event.payment_id))
            found = (it for it in payment.refunds if it.id == event.refund_id)
            actor_id = next((it.actor_id for it in found), None)
        return await run.settle(
            RecordRefund(
                order_id=event.order_id, amount=event.amount, actor_id=actor_id
            )
        )

    @handles_many(RecordRefund)
    async def record_refund(self, tx: Tx, messages: list[RecordRefund]) -> list[Done]:
        """The order shows how much went back, its timeline who gave it back."""
        orders = await store.load_orders(tx, [m.order_id for m in messages])
        steps: list[Step] = []
        for m in messages:
            order = orders[m.order_id]
            if order is None:
                continue  # paid for by somebody over NATS, without an order
            after = orders[m.order_id] = refunded(order, m.amount.amount, tx.now)
            steps.append(_refunding(after, m))
            tx.tell(
                OrderRefunded(
                    order_id=order.id,
                    user_id=order.user_id,
                    number=order.number,
                    total=order.total,
                    refunded=Money(after.refunded_amount, order.currency),
                ),
                about=m,
            )
        if steps:
            changed = {step.order.id: step.order for step in steps}
            await store.update_orders(tx, list(changed.values()))
            await store.add_timeline(tx, steps)
        return [Done() for _ in messages]

    # --- reads ---------------------------------------------------------------

    @handles(GetOrder)
    async def get_order(self, db: Db, q: GetOrder) -> OrderView:
        """One order, to whom it concerns; a seller sees only own lines."""
        order = await store.read_order(db, q.order_id)
        if order is None or not may_see(order, q.viewer):
            raise not_found("order")
        return shown(order, q.viewer)

    @handles(ListOrders)
    async def list_orders(self, db: Db, q: ListOrders) -> Page[OrderView]:
        """Orders, newest first: a person's own, and those with a seller's lines."""
        viewer = q.viewer
        if viewer.role != "ADMIN" and viewer.user_id is None:
            raise forbidden("Sign in to list orders.")
        orders = await store.read_orders(
            db,
            user_id=q.user_id if viewer.role == "ADMIN" else viewer.user_id,
            seller_id=viewer.user_id if viewer.role == "SELLER" else None,
            status=q.status,
            before=id_of(q.cursor),
            limit=q.limit + 1,
        )
        more = len(orders) > q.limit
        orders = orders[: q.limit]
        cursor = str(orders[-1].id) if more else None
        return Page(tuple(shown(order, viewer) for order in orders), cursor)

    @handles(GetTimeline)
    async def get_timeline(self, db: Db, q: GetTimeline) -> Page[TimelineEntry]:
        """All changes of an order; to a seller those of its money are not shown."""
        order = await store.read_order(db, q.order_id)
        if order is None or not may_see(order, q.viewer):
            raise not_found("order")
        entries = await store.read_timeline(db, order)
        return Page(timeline_for(order, q.viewer, entries))

    @handles_many(GetOrderContact)
    async def get_order_contact(
        self, tx: Tx, messages: list[GetOrderContact]
    ) -> list[OrderContact | Refusal]:
        """Whom to write to, and of what; a shard still knows its new orders."""
        orders = await store.load_orders(tx, [m.order_id for m in messages])
        return [_contact(orders[m.order_id]) for m in messages]


async def write_advance(
    tx: Tx, before: Order, after: Order, request: AdvanceOrder, about: Message
) -> None:
    """Write an order whose lines have moved on, and tell of it."""
    await store.update_orders(tx, [after], lines=True)
    step = Step(
        order=after,
        reason=request.status.lower(),
        actor=request.viewer.role,
        actor_id=request.viewer.user_id,
    )
    await store.add_timeline(tx, [step])
    facts = {"status": after.status, "step": request.status}
    tx.audit(about, after.id, {"status": before.status}, facts)
    _tell_advance(tx, before, after, request)


# --- private -----------------------------------------------------------------


def _refunding(order: Order, m: RecordRefund) -> Step:
    """Only administrators give money back by hand."""
    viewer = Viewer(role="ADMIN", user_id=m.actor_id) if m.actor_id else None
    return Step(
        order=order,
        reason="refunded",
        actor=actor_of(order, viewer),
        actor_id=m.actor_id,
    )


def _contact(order: Order | None) -> OrderContact | Refusal:
    if order is None:
        return not_found("order")
    return OrderContact(
        order_id=order.id,
        user_id=order.user_id,
        email=order.email,
        name=order.shipping.name,
        number=order.number,
        order=order.view(),
    )


def _tell_advance(tx: Tx, before: Order, after: Order, request: AdvanceOrder) -> None:
    facts: dict[str, Any] = {
        "order_id": after.id,
        "user_id": after.user_id,
        "number": after.number,
        "total": after.total,
    }
    if request.status is S.SHIPPED:
        _tell_shipped(tx, before, after, facts)
    elif least(after) is S.PROCESSING and least(before) is not S.PROCESSING:
        tx.tell(OrderProcessing(**facts))
    elif least(after) is S.DELIVERED and least(before) is not S.DELIVERED:
        product_ids = tuple(dict.fromkeys(line.product_id for line in after.lines))
        tx.tell(OrderDelivered(**facts, product_ids=product_ids))
    else:
        tx.tell(OrderUpdated(**facts, reason=str(request.status)))


def _tell_shipped(tx: Tx, before: Order, after: Order, facts: dict[str, Any]) -> None:
    """One event a shipment; only the last of an order's shipments completes it."""
    sent = after.shipments[len(before.shipments) :]
    complete = least(after) in (S.SHIPPED, S.DELIVERED)
    for one in sent:
        tx.tell(
            OrderShipped(
                **facts,
                shipment_id=one.id,
                carrier=one.carrier,
                tracking_number=one.tracking_number,
                complete=complete and one is sent[-1],
            )
        )
