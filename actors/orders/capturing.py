"""Held money of an order: taken before the first parcel leaves, or gone."""

from collections.abc import Sequence
from datetime import datetime
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
from persistence.kit.transaction import Tx
from persistence.orders import Order

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
        if refusal := refuse_advance(order, m):
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
        return await change(
            tx,
            messages,
            lambda order, m: noted_payment(order, m, tx.now),
            lambda _order, _m: Done(),
        )

    @handles_many(PaymentVoided)
    async def record_void(
        self, tx: Tx, messages: Sequence[PaymentVoided]
    ) -> list[Done]:
        """Held money was let go, or expired: an order that stands is not paid.

        What was paid for over NATS has no order, and nothing to write.
        """
        notes = [_note(m) for m in messages]
        for note, m in zip(notes, messages, strict=True):
            tx.metas[id(note)] = tx.meta(m)  # what is told of it keeps its trace
        await self.note_payment(tx, notes)
        return [Done() for _ in messages]


def noted_payment(order: Order, m: NotePayment, now: datetime) -> Order:
    """The order with how its held money stands; what was taken stays taken."""
    if m.attempt not in (None, order.attempt) or order.payment_status not in HELD:
        return order
    if order.payment_status == m.payment_status:
        return order
    return noted(order, now, payment_status=m.payment_status)


def _note(m: PaymentVoided) -> NotePayment:
    expired = m.reason_code == AUTHORIZATION_EXPIRED
    status = AttemptStatus.EXPIRED if expired else AttemptStatus.VOIDED
    return NotePayment(
        order_id=m.order_id, payment_status=str(status), attempt=m.attempt
    )


def ships_unpaid(order: Order, m: AdvanceOrder) -> bool:
    """Whether this would let pieces leave whose money has not been taken."""
    return m.status is OrderStatus.SHIPPED and order.payment_status not in TAKEN


def capture_unknown() -> Refusal:
    """The provider has not said whether it gave the money: nothing ships until then."""
    return conflict(
        "capture-in-progress", "The money is being taken: ask again in a moment."
    )
