"""Held money of an order: taken before the first parcel leaves, or gone."""

from collections.abc import Sequence
from uuid import UUID

from actors.kit.domain import handles_many
from actors.kit.process import Run
from actors.orders.moving import advance, refuse_advance
from actors.orders.paying import Paying
from actors.orders.placing import CHARGE_SECONDS_MAX
from actors.orders.rounds import change, noted
from actors.orders.trying import HELD, TAKEN
from bus.kit.refusals import Refusal, conflict
from bus.kit.values import Done
from bus.orders import AdvanceOrder, OrderStatus
from bus.orders.steps import NotePayment, ReadOrder
from bus.payments import (
    AUTHORIZATION_EXPIRED,
    AttemptStatus,
    CapturePayment,
    PaymentVoided,
)
from persistence import orders as store
from persistence.kit.transaction import Tx
from persistence.orders import Order, Step

GONE = {
    AUTHORIZATION_EXPIRED: AttemptStatus.EXPIRED,
    "payment-voided": AttemptStatus.VOIDED,
    "capture-declined": AttemptStatus.DECLINED,
}
"""What an order's payment is called once its held money is gone, by the refusal."""


class Capturing(Paying):
    """What becomes of held money after the order was confirmed."""

    async def _capture_first(
        self, run: Run, m: AdvanceOrder, shipment_id: UUID
    ) -> bool:
        """Take the held money before pieces leave; whether it was taken for this.

        Nothing ships while it is not known to be taken. A cancellation that comes in
        between finds the money taken, and gives it back.
        """
        if m.status is not OrderStatus.SHIPPED:
            return False
        order: Order = await run.step(ReadOrder(order_id=m.order_id))
        if not ships_unpaid(order, m):
            return False
        if refusal := refuse_advance(order, m.viewer):
            raise refusal
        advance(order, m, shipment_id, order.updated_at)  # refuses what cannot ship
        try:
            result = await run.ask(
                CapturePayment(order_id=order.id), timeout_seconds=CHARGE_SECONDS_MAX
            )
        except Refusal as refusal:
            if refusal.code in GONE:
                await self._note(run, order, GONE[refusal.code])
            raise
        if result.status is AttemptStatus.SUCCEEDED:
            return True
        await self._note(run, order, result.status)
        raise capture_unknown()

    async def _note(self, run: Run, order: Order, status: AttemptStatus) -> None:
        note = NotePayment(
            order_id=order.id, payment_status=str(status), attempt=order.attempt
        )
        await run.step(note)

    @handles_many(NotePayment)
    async def note_payment(
        self, tx: Tx, messages: Sequence[NotePayment]
    ) -> list[Done | Refusal]:
        """Write how the money stands; the timeline says so once."""

        def decide(order: Order, m: NotePayment) -> Order:
            return noted_payment(order, m.payment_status, m.attempt, tx)

        return await change(tx, messages, decide, lambda _order, _m: Done())

    @handles_many(PaymentVoided)
    async def record_void(
        self, tx: Tx, messages: Sequence[PaymentVoided]
    ) -> list[Done]:
        """Held money was let go, or expired: the order that stands is not paid."""
        orders = await store.load_orders(tx, [m.order_id for m in messages])
        steps: list[Step] = []
        for m in messages:
            order = orders[m.order_id]
            if order is None:
                continue  # paid for by somebody over NATS, without an order
            expired = m.reason_code == AUTHORIZATION_EXPIRED
            status = AttemptStatus.EXPIRED if expired else AttemptStatus.VOIDED
            after = noted_payment(order, str(status), m.attempt, tx)
            if after is not order:
                orders[order.id] = after
                steps.append(Step(order=after, reason=f"payment-{status.lower()}"))
        if steps:
            changed = {step.order.id: step.order for step in steps}
            await store.update_orders(tx, list(changed.values()))
            await store.add_timeline(tx, steps)
        return [Done() for _ in messages]


def noted_payment(order: Order, status: str, attempt: int | None, tx: Tx) -> Order:
    """The order with how its held money stands; what was taken stays taken."""
    if attempt not in (None, order.attempt) or order.payment_status == status:
        return order
    if order.payment_status not in HELD:
        return order
    return noted(order, tx.now, payment_status=status)


def ships_unpaid(order: Order, m: AdvanceOrder) -> bool:
    """Whether this would let pieces leave whose money has not been taken."""
    return m.status is OrderStatus.SHIPPED and order.payment_status not in TAKEN


def capture_unknown() -> Refusal:
    """The provider has not said whether it gave the money: nothing ships until then."""
    return conflict(
        "capture-in-progress", "The money is being taken: ask again in a moment."
    )
