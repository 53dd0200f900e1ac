"""After the first charge: looking how it stands, trying again, running out of time.

One attempt is open at a time. Payments gives back by itself what an attempt takes
after it was given up, so that here only the last attempt counts.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.orders.decisions import declined
from actors.orders.placing import CHARGE_SECONDS_MAX, Placing, awaits
from actors.orders.rounds import change, itself
from actors.orders.trying import (
    GIVING_UP,
    OPEN,
    PAID,
    attempt_deadline,
    lost,
    next_attempt,
    refuse_pay,
    waits_for,
)
from bus.kit.refusals import Refusal
from bus.kit.values import Done
from bus.orders import OrderStatus, PayOrder, Placed
from bus.orders.steps import (
    AwaitPayment,
    BeginCancel,
    BeginCharge,
    BeginPayment,
    Confirm,
    ExpireOrder,
    LookAtPayment,
    ReadOrder,
    SettleOrder,
    SettlePayment,
)
from bus.payments import (
    AttemptStatus,
    ChargeResult,
    PaymentSettled,
    VoidPayment,
    payment_id_of,
)
from persistence import orders as store
from persistence.kit.transaction import Tx
from persistence.orders import Order, Stage

S = OrderStatus


class Paying(Placing):
    """Attempts to pay an order that waits for its money."""

    @handles(PayOrder)
    async def pay_order(self, run: Run, m: PayOrder) -> Placed:
        """Begin an attempt with what is given now, and take it to its end."""
        order = await run.step(
            BeginPayment(order_id=m.order_id, request=m, attempt_id=run.id),
            opens=SettlePayment(order_id=m.order_id, attempt_id=run.id),
        )
        return await self._try(run, order)

    @handles(SettlePayment)
    async def settle_payment(self, run: Run, m: SettlePayment) -> Placed:
        """Take an attempt up from wherever it stands."""
        order: Order = await run.step(ReadOrder(order_id=m.order_id))
        if order.attempt_id != m.attempt_id:
            return order.placed()  # it came to its end, and a later one began
        return await self._try(run, order)

    async def _try(self, run: Run, order: Order) -> Placed:
        """Give up what the payer has left, then charge.

        A cancelled order is charged as well where that may have begun: only so its
        outcome is known, and the money goes back.
        """
        if order.payment_status == GIVING_UP:
            result = await self._give_up(run, order)
            if result.status in PAID:
                return await self._confirm(run, order, result)
            order = await run.step(
                BeginCharge(order_id=order.id, attempt_id=order.attempt_id or run.id)
            )
        waits = order.status in (S.PENDING, S.CANCELLED) or lost(order)
        if not waits or order.payment_status not in OPEN - {GIVING_UP}:
            return await self._carry_on(run, order)
        try:
            result = await self._charge(run, order)
        except Refusal as refusal:
            if refusal.code == "already-paid":  # an earlier attempt was, just before
                return await self._confirm(run, order, _before(order))
            return await run.settle(_failed(order, refusal), last=True)
        if result.status in PAID:
            return await self._confirm(run, order, result)
        if result.status is AttemptStatus.DECLINED:
            no = declined(order, result.decline_code)
            return await run.settle(_failed(order, no), last=True)
        return await run.settle(awaits(order, result), last=True)

    # --- due messages --------------------------------------------------------

    @handles(LookAtPayment)
    async def look_at_payment(self, run: Run, m: LookAtPayment) -> Placed:
        """Ask again, with the same attempt, how a pending payment stands."""
        order: Order = await run.step(ReadOrder(order_id=m.order_id))
        under_way = order.stage in (Stage.RESERVING, Stage.COMMITTING)
        if under_way or order.payment_status not in OPEN:
            return order.placed()
        result = await self._charge(run, order)
        if result.status not in PAID:
            return await run.settle(awaits(order, result, m.look + 1), last=True)
        return await self._paid(run, order, result)

    @handles(ExpireOrder)
    async def expire_order(self, run: Run, m: ExpireOrder) -> Placed:
        """Cancel what was not paid in time, once its open attempt has an end.

        An attempt that begins just now is waited for; one that is left is given up.
        Either may turn out to have paid.
        """
        order: Order = await run.step(ReadOrder(order_id=m.order_id))
        if order.stage is Stage.AWAITING and order.payment_status in OPEN:
            begins = order.payment_status == "NEW"  # it may be charged this moment
            result = await (self._charge if begins else self._give_up)(run, order)
            if result.status in PAID:
                return await self._paid(run, order, result)
        order = await run.step(
            BeginCancel(order_id=order.id, reason="expired", attempt=order.attempt),
            opens=SettleOrder(order_id=order.id),
        )
        return await self._carry_on(run, order)

    async def _paid(self, run: Run, order: Order, result: ChargeResult) -> Placed:
        """Money came for an attempt that had been waited for."""
        await run.step(
            Confirm(
                order_id=order.id,
                payment_id=result.payment_id,
                attempt=order.attempt,
                payment_status=str(result.status),
            ),
            opens=SettleOrder(order_id=order.id),
        )
        return await self._settle(run, await run.step(ReadOrder(order_id=order.id)))

    async def _give_up(self, run: Run, order: Order) -> ChargeResult:
        result: ChargeResult = await run.ask(
            VoidPayment(order_id=order.id), timeout_seconds=CHARGE_SECONDS_MAX
        )
        return result

    # --- steps ---------------------------------------------------------------

    @handles_many(PaymentSettled)
    async def hear_settled(
        self, tx: Tx, messages: Sequence[PaymentSettled]
    ) -> list[Done]:
        """The provider has answered at last: look now, not when it is time to.

        Under a name of its own, so that a look that has just come too early does not
        put it off. What was paid for over NATS has no order.
        """
        orders = await store.load_orders(tx, [m.order_id for m in messages])
        for m in messages:
            order = orders[m.order_id]
            if order is not None and waits_for(order, m.attempt):
                tx.due(f"heard:{order.id}", tx.now, LookAtPayment(order_id=order.id))
        return [Done() for _ in messages]

    @handles_many(BeginPayment)
    async def begin_payment(
        self, tx: Tx, messages: Sequence[BeginPayment]
    ) -> list[Order | Refusal]:
        """Count the next attempt, once: of two at a time one is refused."""
        begun: list[Order] = []

        def decide(order: Order, m: BeginPayment) -> Order | Refusal:
            if order.attempt_id == m.attempt_id:
                return order
            if refusal := refuse_pay(order, m.request.viewer, tx.now):
                return refusal
            begun.append(next_attempt(order, m.request, m.attempt_id, tx.now))
            tx.cancel_due(f"look:{order.id}")
            expire = ExpireOrder(order_id=order.id)
            tx.due(f"expire:{order.id}", attempt_deadline(begun[-1]), expire)
            return begun[-1]

        answers = await change(tx, messages, decide, itself)
        for order in sorted(begun, key=lambda one: one.id):
            await store.open_attempt(tx, order)
        return answers

    @handles_many(BeginCharge)
    async def begin_charge(
        self, tx: Tx, messages: Sequence[BeginCharge]
    ) -> list[Order | Refusal]:
        """From here on the attempt may have been charged."""

        def decide(order: Order, m: BeginCharge) -> Order:
            mine = (order.attempt_id, order.payment_status) == (m.attempt_id, GIVING_UP)
            waits = order.status is S.PENDING or lost(order)
            if not mine or not waits:
                return order
            return replace(order, payment_status="NEW")

        return await change(tx, messages, decide, itself)


# --- private -----------------------------------------------------------------


def _before(order: Order) -> ChargeResult:
    """What an attempt before the last one came to, as payments has just said."""
    return ChargeResult(
        payment_id=payment_id_of(order.id), status=AttemptStatus.SUCCEEDED
    )


def _failed(order: Order, refusal: Refusal) -> AwaitPayment:
    return AwaitPayment(
        order_id=order.id,
        payment_id=None,
        payment_status=str(AttemptStatus.DECLINED),
        attempt=order.attempt,
        refusal=refusal.data,
    )
