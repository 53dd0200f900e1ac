"""The way of an order: accepted, held, charged, confirmed, or undone.

It starts at once, so that the answer to `PlaceOrder` is the settled order; where a
crash interrupts it, `settle_order` takes it up from the stage that was committed.
Once money is taken the way only goes forward, or the money goes back.
"""

import asyncio
from typing import Any

from msgspec.structs import replace

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.orders.decisions import (
    check_currency,
    declined,
    merge_lines,
    price_lines,
    refund_of_cancelling,
)
from actors.orders.replicating import Replicating
from actors.orders.trying import HELD, PAID
from bus.inventory import CommitStock, ReleaseStock, ReserveStock, out_of_stock
from bus.kit.addressing import new_id
from bus.kit.refusals import FieldError, Refusal, invalid
from bus.orders import OrderLine, OrderStatus, Placed, PlaceOrder, WantedLine
from bus.orders.replica import Goods, ReadGoods
from bus.orders.steps import (
    Accept,
    AwaitPayment,
    BeginCancel,
    Confirm,
    Finish,
    ReadOrder,
    ReserveAgain,
    SettleOrder,
)
from bus.payments import (
    AttemptStatus,
    Charge,
    ChargeResult,
    RefundOrder,
    VoidPayment,
)
from bus.products import GetOffers
from persistence.orders import Order, Stage

CHARGE_SECONDS_MAX = 25.0
_TO_GIVE_UP = HELD | {"PENDING", "UNKNOWN", "VOIDING"}


class Placing(Replicating):
    """The order process."""

    @handles(PlaceOrder)
    async def place_order(self, run: Run, m: PlaceOrder) -> Placed:
        """Buy: snapshot lines and prices, accept, then settle."""
        lines = await self._snapshot(run, m)
        order_id = new_id(m.buyer)
        order = await run.step(
            Accept(order_id=order_id, request=m, lines=lines, from_cart=not m.items),
            opens=SettleOrder(order_id=order_id),
        )
        return await self._settle(run, order)

    @handles(SettleOrder)
    async def settle_order(self, run: Run, m: SettleOrder) -> Placed:
        """Take an order from wherever it stands to rest."""
        return await self._settle(run, await run.step(ReadOrder(order_id=m.order_id)))

    async def _snapshot(self, run: Run, m: PlaceOrder) -> tuple[OrderLine, ...]:
        """The wanted lines with names and prices as they are now.

        Products says them, for the replica may lag behind; what it says of a cart's
        lines is known before they are ordered, so that the buyer's next cart is not
        older than this order, or shows why it was refused.
        """
        wanted = m.items
        goods: Goods | None = None
        currency = self.settings.currency
        check_currency(((one.sku, one.seen_price) for one in wanted), currency)
        if not wanted:
            cart = await run.step(ReadGoods(buyer=m.buyer))
            goods = cart.goods
            wanted = tuple(
                WantedLine(
                    sku=line.sku, quantity=line.quantity, seen_price=line.unit_price
                )
                for line in cart.items
            )
        if not wanted:
            raise invalid("cart-empty", "There is nothing to buy.")
        wanted = merge_lines(wanted)
        reply = await run.ask(GetOffers(skus=tuple(line.sku for line in wanted)))
        if goods is not None:
            await self.keep_newer(run, goods, reply.offers)
        offers = {offer.sku: offer for offer in reply.offers}
        return price_lines(wanted, offers, currency, accept_prices=m.accept_prices)

    async def _settle(self, run: Run, order: Order) -> Placed:
        if order.stage is Stage.RESERVING:
            if short := await self._reserve(run, order):
                order = await self._cancel(run, order, "out-of-stock", short)
            else:
                return await self._pay(run, order)
        return await self._carry_on(run, order)

    async def _carry_on(self, run: Run, order: Order) -> Placed:
        """What is left to do when it is decided whether the order stands."""
        if order.stage is Stage.COMMITTING:
            if not await self._commit(run, order):
                # Cancelled meanwhile: whoever cancels it gives back what it holds.
                order = await run.step(ReadOrder(order_id=order.id))
                return order.placed()
            return await run.step(Finish(order_id=order.id, stage=order.stage))
        if order.stage is Stage.COMPENSATING:
            await self._release(run, order)
            await self._refund(run, order)
            finish = Finish(
                order_id=order.id,
                stage=order.stage,
                payment_status=order.payment_status,
            )
            return await run.settle(finish, last=True)
        return order.placed()

    async def _pay(self, run: Run, order: Order) -> Placed:
        """Charge, and confirm what is paid; the pieces are held."""
        try:
            result = await self._charge(run, order)
        except Refusal as refusal:
            order = await self._cancel(run, order, refusal.code, refusal)
            return await self._carry_on(run, order)
        if result.status in PAID:
            return await self._confirm(run, order, result)
        if result.status is AttemptStatus.DECLINED:
            no = declined(order, result.decline_code)
            order = await self._cancel(run, order, "payment-declined", no, result)
            return await self._carry_on(run, order)
        return await run.settle(awaits(order, result), last=True)

    async def _confirm(self, run: Run, order: Order, result: ChargeResult) -> Placed:
        """The order is paid: answer, and go on behind the answer."""
        placed = await run.settle(
            Confirm(
                order_id=order.id,
                payment_id=result.payment_id,
                attempt=order.attempt,
                payment_status=str(result.status),
            )
        )
        if placed.status is OrderStatus.CONFIRMED:
            order = replace(order, stage=Stage.COMMITTING)
        else:  # cancelled in the meantime: the money goes back
            order = await run.step(ReadOrder(order_id=order.id))
        await self._carry_on(run, order)
        return placed

    async def _charge(self, run: Run, order: Order) -> ChargeResult:
        result: ChargeResult = await run.ask(
            Charge(
                order_id=order.id,
                amount=order.total,
                method=order.method,
                token=order.token,
                payment_method_id=order.payment_method_id,
                user_id=order.user_id,
                attempt=order.attempt,
            ),
            timeout_seconds=CHARGE_SECONDS_MAX,
        )
        return result

    # --- stock ---------------------------------------------------------------

    async def _reserve(self, run: Run, order: Order) -> Refusal | None:
        """Hold every line, or none; the refusal names the short ones.

        All lines are asked for at once. When they lie in several shards, two orders
        could take each other's last piece away, so a refused order tries once more,
        line after line in SKU order.
        """
        if order.reserve_attempt == 1:
            ends = await asyncio.gather(
                *(run.ask(_hold(order, line)) for line in order.lines),
                return_exceptions=True,
            )
            short = _short(ends)
            if short is None or len(order.lines) == 1:
                return short
            if self.settings.shards("inventory") == 1:
                return short
            await self._release(run, order)
            order = await run.step(ReserveAgain(order_id=order.id, attempt=2))
        for line in sorted(order.lines, key=lambda one: one.sku):
            try:
                await run.ask(_hold(order, line))
            except Refusal as refusal:
                return _short([refusal])
        return None

    async def _commit(self, run: Run, order: Order) -> bool:
        """Turn the holds into sales; False when they were given back meanwhile."""
        ends = await asyncio.gather(
            *(run.ask(CommitStock(order_id=order.id, sku=sku)) for sku in order.skus),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, Refusal):
                raise end
        return not any(isinstance(end, Refusal) for end in ends)

    async def _release(self, run: Run, order: Order) -> None:
        """Give all holds back; repeated by the kit until each is acknowledged."""
        await asyncio.gather(
            *(
                run.ask(
                    ReleaseStock(
                        order_id=order.id, sku=sku, attempt=order.reserve_attempt
                    )
                )
                for sku in order.skus
            )
        )

    # --- money ---------------------------------------------------------------

    async def _refund(self, run: Run, order: Order) -> None:
        """Let held money go; give captured money back, once by the refund's id."""
        if order.payment_status in _TO_GIVE_UP:
            if not await self._let_go(run, order):
                return
        elif order.payment_status not in ("SUCCEEDED", "PARTIALLY_REFUNDED"):
            return
        refund_id = refund_of_cancelling(order.id)
        refund = RefundOrder(
            order_id=order.id, refund_id=refund_id, reason="order cancelled"
        )
        try:
            await run.ask(refund, id=refund_id, timeout_seconds=CHARGE_SECONDS_MAX)
        except Refusal as refusal:
            # Everything captured has gone back already: there is nothing to refund.
            self.log.warning("refund-refused", order=str(order.id), code=refusal.code)

    async def _let_go(self, run: Run, order: Order) -> bool:
        """Give the last attempt up; whether it had taken the money before."""
        try:
            result = await run.ask(
                VoidPayment(order_id=order.id), timeout_seconds=CHARGE_SECONDS_MAX
            )
        except Refusal as refusal:
            if refusal.code != "not-found":
                raise
            return False
        return bool(result.status is AttemptStatus.SUCCEEDED)

    async def _cancel(
        self,
        run: Run,
        order: Order,
        reason: str,
        refusal: Refusal,
        result: ChargeResult | None = None,
    ) -> Order:
        cancelled: Any = await run.step(
            BeginCancel(
                order_id=order.id,
                reason=reason,
                refusal=refusal.data,
                payment_id=result.payment_id if result else None,
                payment_status=str(result.status) if result else None,
            )
        )
        after: Order = cancelled
        return after


# --- private -----------------------------------------------------------------


def _hold(order: Order, line: OrderLine) -> ReserveStock:
    return ReserveStock(
        order_id=order.id,
        sku=line.sku,
        quantity=line.quantity,
        attempt=order.reserve_attempt,
    )


def _short(ends: list[Any]) -> Refusal | None:
    """The refusal that names all short lines; raises what is not a refusal."""
    errors: list[FieldError] = []
    for end in ends:
        if isinstance(end, Refusal):
            errors += end.data.errors or (FieldError("", end.code),)
        elif isinstance(end, BaseException):
            raise end
    if not errors:
        return None
    refusal = out_of_stock()
    return Refusal(refusal.data.kind, refusal.code, refusal.data.detail, tuple(errors))


def awaits(order: Order, result: ChargeResult, look: int = 1) -> AwaitPayment:
    """The step that writes how an attempt which has not paid stands."""
    return AwaitPayment(
        order_id=order.id,
        payment_id=result.payment_id,
        payment_status=str(result.status),
        attempt=order.attempt,
        look=look,
    )
