"""The steps of an order: each one compare-and-set, a whole round in few statements."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from actors.kit.domain import Domain, handles_many
from actors.orders.decisions import (
    look_delay,
    moved,
    payment_deadline,
    totals,
)
from actors.orders.moving import UNPAID, refuse_cancel
from actors.orders.rounds import change, itself, noted
from actors.orders.trying import OPEN, TAKEN, lost, unseen
from bus.kit.refusals import Refusal, conflict, not_found
from bus.orders import (
    OrderCancelled,
    OrderConfirmed,
    OrderPlaced,
    OrderStatus,
    Placed,
)
from bus.orders.steps import (
    Accept,
    AwaitPayment,
    BeginCancel,
    Confirm,
    ExpireOrder,
    Finish,
    LookAtPayment,
    ReadOrder,
    ReserveAgain,
)
from persistence import orders as store
from persistence.kit.erased import erased_here
from persistence.kit.transaction import Tx
from persistence.orders import Cart, Order, Stage, Step

S = OrderStatus


class Changes(Domain):
    """What the processes of orders do to the database."""

    @handles_many(Accept)
    async def accept(self, tx: Tx, messages: Sequence[Accept]) -> list[Order | Refusal]:
        """Write the orders; a cart from which one is being made waits for its end."""
        known = await store.load_orders(tx, [m.order_id for m in messages])
        carts = await store.load_carts(
            tx, {m.request.buyer for m in messages if m.from_cart}
        )
        gone = await erased_here(
            tx, {m.request.user_id for m in messages if m.request.user_id}
        )
        before = dict(carts)
        numbers = iter(await store.next_numbers(tx, len(messages)))
        answers: list[Order | Refusal] = []
        new: list[Order] = []
        for m in messages:
            if m.request.user_id in gone and known[m.order_id] is None:
                answers.append(not_found("user"))
                continue
            order = known[m.order_id] or _accepted(tx, m, next(numbers))
            answer = self._take_cart(m, order, carts) if m.from_cart else order
            answers.append(answer)
            if isinstance(answer, Order) and known[m.order_id] is None:
                new.append(order)
                _tell_placed(tx, m, order)
        if new:
            await store.insert_orders(tx, new)
            await store.add_timeline(tx, [_placing(order) for order in new])
        if taken := [cart for buyer, cart in carts.items() if before[buyer] != cart]:
            await store.save_carts(tx, taken)
        return answers

    def _take_cart(
        self, m: Accept, order: Order, carts: dict[str, Cart]
    ) -> Order | Refusal:
        cart = carts[m.request.buyer]
        if cart.ordering == order.id:
            return order
        if cart.ordering is not None:
            return conflict("checkout-in-progress", "This cart is being ordered.")
        in_cart = {line.sku: line.quantity for line in cart.lines}
        if any(in_cart.get(line.sku) != line.quantity for line in order.lines):
            return conflict("cart-changed", "The cart changed meanwhile: look again.")
        carts[cart.buyer] = replace(cart, ordering=order.id)
        return order

    @handles_many(ReadOrder)
    async def read_order(
        self, tx: Tx, messages: Sequence[ReadOrder]
    ) -> list[Order | Refusal]:
        """The orders as they are now."""
        orders = await store.load_orders(tx, [m.order_id for m in messages])
        return [orders[m.order_id] or not_found("order") for m in messages]

    @handles_many(ReserveAgain)
    async def reserve_again(
        self, tx: Tx, messages: Sequence[ReserveAgain]
    ) -> list[Order | Refusal]:
        """Count an attempt to hold."""

        def decide(order: Order, m: ReserveAgain) -> Order:
            if order.stage is not Stage.RESERVING or order.reserve_attempt >= m.attempt:
                return order
            return replace(order, reserve_attempt=m.attempt)

        return await change(tx, messages, decide, itself)

    @handles_many(Confirm)
    async def confirm(
        self, tx: Tx, messages: Sequence[Confirm]
    ) -> list[Placed | Refusal]:
        """PENDING → CONFIRMED; money that comes too late for an order goes back."""

        def decide(order: Order, m: Confirm) -> Order:
            paid: dict[str, Any] = {
                "payment_id": m.payment_id,
                "payment_status": m.payment_status,
                "token": None,
            }
            if order.attempt != m.attempt:
                return order
            if order.status is S.CANCELLED and order.payment_status not in TAKEN:
                return noted(order, tx.now, stage=Stage.COMPENSATING, **paid)
            if lost(order):
                return noted(order, tx.now, **paid)
            if order.status is not S.PENDING:
                return order
            after = moved(order, S.CONFIRMED, tx.now, stage=Stage.COMMITTING, **paid)
            tx.tell(
                OrderConfirmed(
                    order_id=order.id,
                    user_id=order.user_id,
                    number=order.number,
                    total=order.total,
                    skus=order.skus,
                ),
                about=m,
            )
            if order.stage is Stage.AWAITING:
                tx.cancel_due(f"expire:{order.id}")
                tx.cancel_due(f"look:{order.id}")
            return after

        return await change(tx, messages, decide, _placed, clears_cart=True)

    @handles_many(AwaitPayment)
    async def await_payment(
        self, tx: Tx, messages: Sequence[AwaitPayment]
    ) -> list[Placed | Refusal]:
        """Wait for the provider, or for another attempt, until the deadline."""

        def decide(order: Order, m: AwaitPayment) -> Order:
            waits = order.status in (S.PENDING, S.CANCELLED) or lost(order)
            if not waits:
                return order
            if order.attempt != m.attempt:
                return order
            if m.payment_status in OPEN:
                look = LookAtPayment(order_id=order.id, look=m.look)
                tx.due(f"look:{order.id}", tx.now + look_delay(m.look), look)
            else:
                order = replace(order, token=None)
            if order.stage is Stage.RESERVING:
                expire = ExpireOrder(order_id=order.id)
                tx.due(f"expire:{order.id}", payment_deadline(order), expire)
                order = replace(order, stage=Stage.AWAITING)
            if order.payment_status == m.payment_status:
                return order
            return noted(
                order,
                tx.now,
                payment_id=m.payment_id or order.payment_id,
                payment_status=m.payment_status,
            )

        def reply(order: Order, m: AwaitPayment) -> Placed:
            return replace(order.placed(), refusal=m.refusal or order.refusal)

        return await change(tx, messages, decide, reply, clears_cart=True)

    @handles_many(BeginCancel)
    async def begin_cancel(
        self, tx: Tx, messages: Sequence[BeginCancel]
    ) -> list[Order | Refusal]:
        """→ CANCELLED; what it holds is still to be given back."""

        def decide(order: Order, m: BeginCancel) -> Order | Refusal:
            if m.viewer is None and order.stage not in UNPAID:
                return order
            if m.attempt not in (None, order.attempt):
                return order
            if refusal := refuse_cancel(order, m):
                return refusal
            tx.cancel_due(f"expire:{order.id}")
            tx.tell(
                OrderCancelled(
                    order_id=order.id,
                    user_id=order.user_id,
                    number=order.number,
                    total=order.total,
                    reason=m.reason,
                ),
                about=m,
            )
            if m.viewer is not None and m.viewer.role != "CUSTOMER":
                before = {"status": order.status}
                tx.audit(m, order.id, before, {"status": S.CANCELLED})
            return moved(
                order,
                S.CANCELLED,
                tx.now,
                stage=Stage.COMPENSATING,
                cancel_reason=m.reason,
                refusal=m.refusal,
                token=None if m.payment_status else order.token,
                payment_id=m.payment_id or order.payment_id,
                payment_status=m.payment_status or order.payment_status,
            )

        return await change(tx, messages, decide, itself)

    @handles_many(Finish)
    async def finish(
        self, tx: Tx, messages: Sequence[Finish]
    ) -> list[Placed | Refusal]:
        """At rest; the cart of an order that came to nothing is free again."""

        def decide(order: Order, m: Finish) -> Order:
            if order.stage != m.stage:
                return order
            if m.stage == Stage.COMPENSATING and unseen(order, m.payment_status):
                return order
            return replace(order, stage=Stage.SETTLED)

        return await change(tx, messages, decide, _placed, frees_cart=True)


# --- private -----------------------------------------------------------------


def _accepted(tx: Tx, m: Accept, number: str) -> Order:
    request = m.request
    return Order(
        id=m.order_id,
        number=number,
        buyer=request.buyer,
        user_id=request.user_id,
        status=S.PENDING,
        stage=Stage.RESERVING,
        method=request.method,
        token=request.token,
        payment_method_id=request.payment_method_id,
        currency=m.lines[0].unit_price.currency,
        lines=m.lines,
        shipping=request.shipping_address,
        email=request.email,
        token_hash=request.token_hash,
        from_cart=m.from_cart,
        created_at=tx.now,
        updated_at=tx.now,
        **totals(m.lines),
    )


def _placing(order: Order) -> Step:
    actor = "GUEST" if order.user_id is None else "CUSTOMER"
    return Step(order=order, reason="placed", actor=actor, actor_id=order.user_id)


def _tell_placed(tx: Tx, m: Accept, order: Order) -> None:
    tx.tell(
        OrderPlaced(
            order_id=order.id,
            user_id=order.user_id,
            number=order.number,
            total=order.total,
            skus=order.skus,
        ),
        about=m,
    )


def _placed(order: Order, _: object) -> Placed:
    return order.placed()
