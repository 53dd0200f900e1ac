"""The refund process and its steps."""

from datetime import timedelta
from uuid import UUID

from actors.kit.domain import handles
from actors.kit.process import Run
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
    RefundStatus,
    RefundView,
    ResumeRefund,
    SettleRefund,
)
from persistence.kit.transaction import Tx
from persistence.payments import Payment, Refund

UNKNOWN_SECONDS = 1
RESCUE_SECONDS = 5


class Refunds(Till):
    """Refunds: the amount is set aside before the provider is asked."""

    @handles(RefundOrder)
    async def refund_order(self, run: Run, asked: RefundOrder) -> RefundView:
        """Set the amount aside, ask the provider, close the refund."""
        opened = await run.step(OpenRefund(order_id=asked.order_id, refund=asked))
        if opened.refund.status is not RefundStatus.PENDING:
            return opened.refund
        outcome = await self._refund(asked.order_id, opened)
        return await run.settle(
            CloseRefund(
                order_id=asked.order_id, refund_id=asked.refund_id, outcome=outcome
            )
        )

    @handles(SettleRefund)
    async def settle_refund(self, run: Run, due: SettleRefund) -> Done:
        """Ask again with the same key, which is the same as looking it up."""
        opened = await run.step(
            ResumeRefund(order_id=due.order_id, refund_id=due.refund_id)
        )
        if opened.refund.status is RefundStatus.PENDING:
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
        book = await Book.open(tx, [message.order_id])
        found = book.payment(message.order_id)
        if known := known_refund(found, message.refund):
            return _opened(*known)
        payment, refund = begin_refund(found, message.refund, tx.now)
        book.put(payment)
        self._look_after_refund(tx, payment, refund)
        await book.save()
        return _opened(payment, refund)

    @handles(ResumeRefund)
    async def resume_refund(self, tx: Tx, message: ResumeRefund) -> OpenedRefund:
        """Say how a refund stands, and look after it again if this ask is lost."""
        book = await Book.open(tx, [message.order_id])
        payment, refund = _begun(book, message.order_id, message.refund_id)
        if not refund.final:
            self._look_after_refund(tx, payment, refund)
        return _opened(payment, refund)

    @handles(CloseRefund)
    async def close_refund(self, tx: Tx, message: CloseRefund) -> RefundView:
        """Write what the provider answered: the refund, the ledger, the fact."""
        book = await Book.open(tx, [message.order_id])
        payment, before = _begun(book, message.order_id, message.refund_id)
        closed = close_refund(payment, before, message.outcome, tx.now)
        payment, refund = closed.payment, closed.refund
        if before.final:
            return refund_view(payment, refund, with_reason=False)
        book.put(payment, closed.lines, closed.event)
        if refund.final:
            tx.cancel_due(_due_name(refund))
        else:
            at = tx.now + back_off(UNKNOWN_SECONDS, refund.asks)
            tx.due(_due_name(refund), at, _settle(payment, refund))
        await book.save()
        return refund_view(payment, refund, with_reason=False)

    async def _refund(self, order_id: UUID, opened: OpenedRefund) -> RefundOutcome:
        """Ask whoever has taken the money to give it back."""
        provider = self.desk.named(opened.provider)
        return await provider.refund(_ask(order_id, opened))

    def _look_after_refund(self, tx: Tx, payment: Payment, refund: Refund) -> None:
        """Whatever becomes of whoever asks the provider: it is asked again."""
        wait = timedelta(seconds=self.provider_timeout_seconds + RESCUE_SECONDS)
        tx.due(_due_name(refund), tx.now + wait, _settle(payment, refund))


def _begun(book: Book, order_id: UUID, refund_id: UUID) -> tuple[Payment, Refund]:
    payment = book.payment(order_id)
    refund = payment.refund(refund_id) if payment else None
    if payment is None or refund is None:
        raise not_found("refund")
    return payment, refund


def _opened(payment: Payment, refund: Refund) -> OpenedRefund:
    attempt = captured_attempt(payment)
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


def _settle(payment: Payment, refund: Refund) -> SettleRefund:
    return SettleRefund(order_id=payment.order_id, refund_id=refund.id)


def _due_name(refund: Refund) -> str:
    return f"refund:{refund.id}"
