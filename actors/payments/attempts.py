"""What all that moves attempts shares: closed, looked after, and asked for again."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

from actors.payments.charging import ask_again_at, result_of
from actors.payments.closing import Closed, close_attempt
from actors.payments.provider import ChargeAsk
from actors.payments.till import Book, Till
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import Money
from bus.payments import (
    AttemptStatus,
    ChargeResult,
    Opened,
    Outcome,
    RescueAttempt,
    RescueRefund,
    SettleAttempt,
    SettleRefund,
)
from persistence.kit.transaction import Tx
from persistence.payments import Attempt, Payment, Refund

Asked = ParamSpec("Asked")
Reply = TypeVar("Reply")

RESCUE_SECONDS = 5
"""How long after the provider's time is up an attempt counts as left behind."""


class Attempts(Till):
    """The steps' own parts: each decides in memory, and the book writes it."""

    @property
    def authorization_time(self) -> timedelta:
        """How long held money may wait for its capture."""
        return timedelta(days=self.settings.authorization_days)

    def closed(
        self,
        tx: Tx,
        book: Book,
        order_id: UUID,
        number: int,
        outcome: Outcome,
        until: datetime | None = None,
    ) -> ChargeResult:
        """Decide what an answer makes of an attempt; what follows is due.

        `until`: an ask without an answer may be on its way to the provider.
        """
        payment, before = begun(book, order_id, number)
        closed = close_attempt(
            payment, before, outcome, tx.now, self.authorization_time
        )
        self._compare(closed, before, outcome)
        payment, attempt = closed.payment, closed.attempt
        if attempt is before:
            return result_of(payment, attempt)
        book.put(payment, closed.lines, *closed.events)
        if closed.refund is not None:
            give_back = settle_refund(payment, closed.refund)
            tx.due(refund_due(closed.refund), tx.now, give_back)
        if attempt.final:
            tx.cancel_due(attempt_due(payment, attempt))
        else:
            at = tx.now
            if attempt.status is before.status or attempt.status not in _AT_ONCE:
                at = ask_again_at(attempt, tx.now)
            asking: SettleAttempt | RescueAttempt = settle(payment, attempt)
            if until is not None and attempt.status is AttemptStatus.UNKNOWN:
                asking = rescue(payment, attempt, until)
            tx.due(attempt_due(payment, attempt), at, asking)
        return result_of(payment, attempt)

    def look_after(self, tx: Tx, payment: Payment, attempt: Attempt) -> None:
        """Whatever becomes of whoever asks the provider: it is asked again.

        When its time is up; at once by whoever takes the slot over.
        """
        self.rescue_at(tx, payment, attempt, self.time_is_up(tx))

    def time_is_up(self, tx: Tx) -> datetime:
        """When the provider has heard of what it is asked for now, or never will."""
        wait = timedelta(seconds=self.provider_timeout_seconds + RESCUE_SECONDS)
        return tx.now + wait

    def rescue_at(
        self, tx: Tx, payment: Payment, attempt: Attempt, at: datetime
    ) -> None:
        """The same, at a time that was set before."""
        tx.due(attempt_due(payment, attempt), at, rescue(payment, attempt, at))

    def unsealed(self, tx: Tx, payment: Payment, attempt: Attempt) -> Opened:
        """An attempt to ask for, with its token."""
        token = self.vault.unseal(attempt.sealed) if attempt.sealed else ""
        return to_ask(payment, attempt, token, self.time_is_up(tx))

    def _compare(self, closed: Closed, before: Attempt, outcome: Outcome) -> None:
        """A provider that changes a final answer is wrong; a person has to look.

        Money that was taken while it was given up came in a race, and goes back.
        """
        said, is_now = outcome.status, closed.attempt.status
        late = is_now is AttemptStatus.LATE and before.status is not is_now
        taken = before.status is AttemptStatus.SUCCEEDED
        if late or (taken and said is AttemptStatus.DECLINED):
            say = self.log.error if before.final else self.log.warning
            say(
                "payment-late" if late else "provider-contradicts-itself",
                payment_id=str(closed.payment.id),
                attempt=before.number,
                recorded=before.status.value,
                answered=said.value,
            )


_AT_ONCE = (AttemptStatus.VOIDING,)
"""What an answer leads to that nobody is asking the provider for yet."""


def reply(
    decide: Callable[Asked, Reply], *args: Asked.args, **kwargs: Asked.kwargs
) -> Reply | Refusal:
    """What `decide` answers; its refusal as a value, so that the others go on."""
    try:
        return decide(*args, **kwargs)
    except Refusal as refusal:
        return refusal


def begun(book: Book, order_id: UUID, number: int) -> tuple[Payment, Attempt]:
    """A payment and one of its attempts; 404 for one that never began."""
    payment = book.payment(order_id)
    attempt = payment.attempt(number) if payment else None
    if payment is None or attempt is None:
        raise not_found("payment attempt")
    return payment, attempt


def to_ask(
    payment: Payment, attempt: Attempt, token: str, until: datetime | None = None
) -> Opened:
    """What the provider is asked for; the result is not known."""
    return Opened(
        result=None,
        key=attempt.key,
        amount=Money(attempt.amount_minor, payment.currency),
        token=token,
        provider=attempt.provider,
        begun_at=attempt.created_at,
        reference=attempt.reference,
        status=attempt.status,
        hold=attempt.hold,
        given_up=attempt.given_up,
        until=until,
    )


def ask_of(order_id: UUID, attempt: int, opened: Opened) -> ChargeAsk:
    """The same in the provider port's words."""
    return ChargeAsk(
        key=opened.key,
        order_id=order_id,
        attempt=attempt,
        amount=opened.amount,
        token=opened.token,
        capture=not opened.hold,
        wanted=not opened.given_up,
        begun_at=opened.begun_at,
        reference=opened.reference,
    )


def settle(payment: Payment, attempt: Attempt) -> SettleAttempt:
    """The timer's message for an attempt."""
    return SettleAttempt(order_id=payment.order_id, attempt=attempt.number)


def rescue(payment: Payment, attempt: Attempt, until: datetime) -> RescueAttempt:
    """The same for one that somebody may be asking for, `until` then."""
    return RescueAttempt(order_id=payment.order_id, attempt=attempt.number, until=until)


def settle_refund(payment: Payment, refund: Refund) -> SettleRefund:
    """The timer's message for a refund."""
    return SettleRefund(order_id=payment.order_id, refund_id=refund.id)


def rescue_refund(payment: Payment, refund: Refund) -> RescueRefund:
    """The same, that stands in for whoever is asking the provider."""
    return RescueRefund(order_id=payment.order_id, refund_id=refund.id)


def attempt_due(payment: Payment, attempt: Attempt) -> str:
    """The name of an attempt's timer."""
    return f"attempt:{payment.id}:{attempt.number}"


def refund_due(refund: Refund) -> str:
    """The name of a refund's timer."""
    return f"refund:{refund.id}"
