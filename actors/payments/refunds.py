"""The refund process and its steps."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
from actors.payments.attempts import (
    RESCUE_SECONDS,
    refund_due,
    rescue_refund,
    settle_refund,
)
from actors.payments.charging import back_off
from actors.payments.provider import RefundAsk
from actors.payments.refunding import (
    begin_refund,
    captured_attempt,
    close_refund,
    known_refund,
)
from actors.payments.till import Book, Till
from actors.payments.views import refund_view
from bus.kit.refusals import not_found
from bus.kit.values import Done
from bus.payments import (
    CloseRefund,
    OpenedRefund,
    OpenRefund,
    RefundOrder,
    RefundOutcome,
    RefundPayment,
    RefundStatus,
    RefundView,
    RescueRefund,
    ResumeRefund,
    SettleRefund,
)
from persistence.kit.transaction import Tx
from persistence.payments import Payment, Refund, load_payments

UNKNOWN_SECONDS = 1


class Refunds(Till):
    """Refunds: the amount is set aside before the provider is asked."""

    @handles(RefundOrder)
    async def refund_order(self, run: Run, asked: RefundOrder) -> RefundView:
        """Set the amount aside, ask the provider, close the refund."""
        return await self._refund_order(run, asked)

    @handles(RefundPayment)
    async def refund_payment(self, run: Run, asked: RefundPayment) -> RefundView:
        """The same, with the order looked up; a payment lies in its order's slot."""
        async with self.read() as db:
            found = await load_payments(db, [asked.payment_id])
        if asked.payment_id not in found:
            raise not_found("payment")
        return await self._refund_order(
            run,
            RefundOrder(
                order_id=found[asked.payment_id].order_id,
                refund_id=asked.refund_id,
                amount=asked.amount,
                reason=asked.reason,
            ),
        )

    async def _refund_order(self, run: Run, asked: RefundOrder) -> RefundView:
        opened = await run.step(OpenRefund(order_id=asked.order_id, refund=asked))
        if opened.refund.status is not RefundStatus.PENDING:
            return opened.refund
        outcome = await self._refund(asked.order_id, opened)
        return await run.settle(
            CloseRefund(
                order_id=asked.order_id, refund_id=asked.refund_id, outcome=outcome
            )
        )

    @handles(RescueRefund)
    @handles(SettleRefund)
    async def settle_refund(self, run: Run, due: SettleRefund | RescueRefund) -> Done:
        """Look the refund up; one that was never heard of is asked for again.

        With the same key: an ask that is still on its way acts once all the same.
        """
        opened = await run.step(
            ResumeRefund(order_id=due.order_id, refund_id=due.refund_id)
        )
        if opened.refund.status is RefundStatus.PENDING:
            provider = self.desk.named(opened.provider)
            outcome = await provider.find_refund(_ask(due.order_id, opened))
            if outcome is None:
                outcome = await self._refund(due.order_id, opened)
            await run.step(
                CloseRefund(
                    order_id=due.order_id, refund_id=due.refund_id, outcome=outcome
                )
            )
        return Done()

    @handles(OpenRefund)
    async def open_refund(self, tx: Tx, message: OpenRefund) -> OpenedRefund:
        """Begin a refund, or say how one that was begun before stands."""
        book = await Book.open(tx, [message])
        found = book.payment(message.order_id)
        if known := known_refund(found, message.refund):
            return _opened(*known)
        payment, refund = begin_refund(found, message.refund, tx.now)
        book.put(payment)
        self._look_after_refund(tx, payment, refund)
        tx.audit(message, payment.id, after=_facts(payment, refund))
        await book.save()
        return _opened(payment, refund)

    @handles(ResumeRefund)
    async def resume_refund(self, tx: Tx, message: ResumeRefund) -> OpenedRefund:
        """Say how a refund stands, and look after it again if this ask is lost."""
        book = await Book.open(tx, [message])
        payment, refund = _begun(book, message.order_id, message.refund_id)
        if not refund.final:
            self._look_after_refund(tx, payment, refund)
        return _opened(payment, refund)

    @handles(CloseRefund)
    async def close_refund(self, tx: Tx, message: CloseRefund) -> RefundView:
        """Write what the provider answered: the refund, the ledger, the fact."""
        book = await Book.open(tx, [message])
        payment, before = _begun(book, message.order_id, message.refund_id)
        closed = close_refund(payment, before, message.outcome, tx.now)
        payment, refund = closed.payment, closed.refund
        if before.final:
            return refund_view(payment, refund, with_reason=False)
        book.put(payment, closed.lines, *closed.events)
        if refund.final:
            tx.cancel_due(refund_due(refund))
            facts = _facts(payment, before), _facts(payment, refund)
            tx.audit(message, payment.id, *facts)
        else:
            at = tx.now + back_off(UNKNOWN_SECONDS, refund.asks)
            tx.due(refund_due(refund), at, settle_refund(payment, refund))
        await book.save()
        return refund_view(payment, refund, with_reason=False)

    async def _refund(self, order_id: UUID, opened: OpenedRefund) -> RefundOutcome:
        """Ask whoever has taken the money to give it back."""
        provider = self.desk.named(opened.provider)
        return await provider.refund(_ask(order_id, opened))

    def _look_after_refund(self, tx: Tx, payment: Payment, refund: Refund) -> None:
        """Whatever becomes of whoever asks the provider: it is asked again."""
        wait = timedelta(seconds=self.provider_timeout_seconds + RESCUE_SECONDS)
        tx.due(refund_due(refund), tx.now + wait, rescue_refund(payment, refund))


def _begun(book: Book, order_id: UUID, refund_id: UUID) -> tuple[Payment, Refund]:
    payment = book.payment(order_id)
    refund = payment.refund(refund_id) if payment else None
    if payment is None or refund is None:
        raise not_found("refund")
    return payment, refund


def _facts(payment: Payment, refund: Refund) -> dict[str, Any]:
    """What the audit log tells of a refund; its reason may be anybody's words."""
    return {
        "refund": [refund.id, refund.status],
        "amount": [refund.amount_minor, payment.currency],
    }


def _opened(payment: Payment, refund: Refund) -> OpenedRefund:
    attempt = captured_attempt(payment, refund)
    return OpenedRefund(
        refund=refund_view(payment, refund, with_reason=False),
        charge_key=attempt.key,
        provider=attempt.provider,
        reference=attempt.reference,
    )


def _ask(order_id: UUID, opened: OpenedRefund) -> RefundAsk:
    refund = opened.refund
    return RefundAsk(
        key=refund.id,
        order_id=order_id,
        charge_key=opened.charge_key,
        amount=refund.amount,
        reference=opened.reference,
        begun_at=refund.created_at,
    )
