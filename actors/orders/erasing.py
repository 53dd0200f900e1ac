"""Erasing a buyer: the orders stay, without the person.

What cannot be sent without an address is not kept waiting for one: an order of which
nothing has shipped is cancelled as its buyer could have done, and its money goes back.
Only an order that has shipped in part keeps its address, until the rest has left.
"""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from actors.kit.domain import Domain, handles
from actors.kit.process import Run
from actors.orders.moving import CANCELLABLE, least
from bus.kit.addressing import derived_id
from bus.kit.refusals import ENDS
from bus.kit.values import Done
from bus.orders import CancelOrder, Viewer
from bus.orders.erasing import EraseBuyer, ForgetBuyer, Forgotten
from bus.users import UserErased
from persistence import orders as store
from persistence.kit.erased import SEEN_SECONDS_MAX, note_erased
from persistence.kit.transaction import Tx
from persistence.orders import Order, Stage

ORDERS_AT_ONCE_MAX = 200
AGAIN_SECONDS_MAX = 86_400
LOOKS_MAX = 42
"""About a month after the first; then the last address goes, whatever has shipped."""
CANCEL_SECONDS_MAX = 25.0
REASON = "account-erased"

# --- decisions ---------------------------------------------------------------


def is_placing(order: Order) -> bool:
    """Whether it is not decided yet if the order stands."""
    return order.stage is Stage.RESERVING


def ships_on(order: Order) -> bool:
    """Whether a part of it has shipped, and the rest still needs the address."""
    left = any(line.shipped for line in order.lines)
    return left and least(order) in CANCELLABLE


def to_be_cancelled(order: Order) -> bool:
    """Whether nothing of it has left, so that nothing ever will."""
    left = any(line.shipped for line in order.lines)
    return not left and not is_placing(order) and least(order) in CANCELLABLE


def is_open(order: Order) -> bool:
    """Whether it still has a way to go before it can be forgotten."""
    return is_placing(order) or to_be_cancelled(order)


def next_look_seconds(look: int) -> int:
    """Later and later, at most a day apart."""
    return min(SEEN_SECONDS_MAX << min(look, 16), AGAIN_SECONDS_MAX)


# --- handlers ----------------------------------------------------------------


class Erasing(Domain):
    """Forgets buyers."""

    @handles(UserErased)
    async def user_erased(self, run: Run, event: UserErased) -> Done:
        """Begin to forget; what has to wait is looked at again, by a due message."""
        return await self._forget(run, event.user_id, 0)

    @handles(EraseBuyer)
    async def erase_buyer(self, run: Run, m: EraseBuyer) -> Done:
        """Look again."""
        return await self._forget(run, m.user_id, m.look)

    async def _forget(self, run: Run, user_id: UUID, look: int) -> Done:
        after: UUID | None = None
        while True:
            page: Forgotten = await run.step(
                ForgetBuyer(user_id=user_id, look=look, after=after)
            )
            await self._cancel_all(run, user_id, page.to_cancel)
            after = page.after
            if after is None:
                return Done()

    async def _cancel_all(
        self, run: Run, user_id: UUID, order_ids: Iterable[UUID]
    ) -> None:
        """Cancel as the buyer could; what fails is tried again at the next look."""
        viewer = Viewer(user_id=user_id)
        ends = await asyncio.gather(
            *(
                run.ask(
                    CancelOrder(order_id=order_id, viewer=viewer, reason=REASON),
                    id=derived_id(run.id, f"cancel:{order_id}", order_id),
                    timeout_seconds=CANCEL_SECONDS_MAX,
                )
                for order_id in order_ids
            ),
            return_exceptions=True,
        )
        for end in ends:
            if isinstance(end, ENDS):
                self.log.warning("erased-order-waits", error=repr(end))
            elif isinstance(end, BaseException):
                raise end

    @handles(ForgetBuyer)
    async def forget_buyer(self, tx: Tx, m: ForgetBuyer) -> Forgotten:
        """Erase what can be, name what is to be cancelled, and look again later.

        Once the person is noted as gone no order of theirs is accepted any more; the
        second look is for what was on its way to a cart meanwhile.
        """
        await note_erased(tx, m.user_id)
        await store.remove_cart(tx, str(m.user_id))
        orders = await store.unerased_orders(tx, m.user_id, m.after, ORDERS_AT_ONCE_MAX)
        last = m.look >= LOOKS_MAX
        ready = [order for order in orders if last or not ships_on(order)]
        done = {order.id for order in ready if last or not is_open(order)}
        if ready:
            await store.erase_orders(tx, ready, done)
        if (m.look == 0 and m.after is None) or len(done) < len(orders):
            at = tx.now + timedelta(seconds=next_look_seconds(m.look))
            again = EraseBuyer(user_id=m.user_id, look=m.look + 1)
            tx.due(f"erase:{m.user_id}", at, again)
        return Forgotten(
            to_cancel=tuple(order.id for order in orders if to_be_cancelled(order)),
            after=orders[-1].id if len(orders) == ORDERS_AT_ONCE_MAX else None,
        )
