"""Erasing a payer: what was kept to pay with goes, what was paid stays."""

import asyncio
from datetime import timedelta

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.payments.methods import LET_GO_AFTER_SECONDS, letting_go
from actors.payments.till import PAYMENT, Till
from bus.kit.values import Done
from bus.payments import LetMethodGo, payment_id_of
from bus.payments.erasing import ForgetPayer, ForgetReasons
from bus.users import UserErased
from persistence.kit.erased import note_erased
from persistence.kit.transaction import Tx
from persistence.payments import (
    delete_methods_of,
    forget_reasons,
    load_payments,
    orders_with_reasons,
)

ORDERS_AT_ONCE_MAX = 100
OWN_WORDS = ("", "order cancelled")
"""Reasons of refunds that nobody wrote: a refund that is asked for again names them."""


class Erasing(Till):
    """Forgets payers."""

    @handles(UserErased)
    async def user_erased(self, run: Run, event: UserErased) -> Done:
        """Drop the methods, then what was written to refunds, by those who own them."""
        await run.step(ForgetPayer(user_id=event.user_id))
        while True:
            async with self.read() as db:
                orders = await orders_with_reasons(
                    db, event.user_id, OWN_WORDS, ORDERS_AT_ONCE_MAX
                )
            await asyncio.gather(
                *(run.ask(ForgetReasons(order_id=order_id)) for order_id in orders)
            )
            if len(orders) < ORDERS_AT_ONCE_MAX:
                return Done()

    @handles(ForgetPayer)
    async def forget_payer(self, tx: Tx, m: ForgetPayer) -> Done:
        """Drop all methods; once the person is noted as gone none is kept any more."""
        await note_erased(tx, m.user_id)
        at = tx.now + timedelta(seconds=LET_GO_AFTER_SECONDS)
        for gone in await delete_methods_of(tx, m.user_id):
            let_go = LetMethodGo(
                user_id=gone.user_id,
                method_id=gone.id,
                provider=gone.provider,
                sealed=gone.sealed,
            )
            tx.due(letting_go(gone.id), at, let_go)
        return Done()

    @handles(ForgetReasons)
    async def forget_reasons(self, tx: Tx, m: ForgetReasons) -> Done:
        """Drop the texts, in the memory of the payment's owner too."""
        payment_id = payment_id_of(m.order_id)
        await forget_reasons(tx, payment_id, OWN_WORDS)
        found = await load_payments(tx, [payment_id])
        tx.keep(PAYMENT, payment_id, found.get(payment_id))
        return Done()
