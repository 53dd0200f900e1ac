"""The charge process and its steps."""

from collections.abc import Callable
from datetime import timedelta
from typing import ParamSpec, TypeVar
from uuid import UUID

from msgspec.structs import replace

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.payments.charging import (
    ask_again_at,
    begin_attempt,
    check_charge,
    check_next_attempt,
    close_attempt,
    known_attempt,
    result_of,
)
from actors.payments.provider import ChargeAsk
from actors.payments.till import Book, Till
from bus.kit.refusals import Refusal, not_found
from bus.kit.values import Done, Money
from bus.payments import (
    TEST_CARDS,
    ApplyWebhook,
    AttemptStatus,
    Charge,
    ChargeResult,
    CloseAttempt,
    OpenAttempt,
    Opened,
    Outcome,
    ResumeAttempt,
    SettleAttempt,
    VerifyWebhook,
    WebhookFacts,
    unknown_method,
)
from persistence.kit.database import Db
from persistence.kit.transaction import Tx
from persistence.payments import (
    Attempt,
    Payment,
    StoredMethod,
    find_methods,
)

Asked = ParamSpec("Asked")
Reply = TypeVar("Reply")

RESCUE_SECONDS = 5
"""How long after the provider's time is up an attempt counts as left behind."""


class Charges(Till):
    """Charges: opened in one batch, asked for outside of any, closed in another."""

    @handles(Charge)
    async def charge(self, run: Run, charge: Charge) -> ChargeResult:
        """Open the attempt, ask the provider, close the attempt.

        After a crash the timer that `open_attempt` has set takes it up, or the caller
        does by asking again; the provider's key makes the ask act once.
        """
        check_charge(charge, self.settings.currency)
        opened = await run.step(OpenAttempt(order_id=charge.order_id, charge=charge))
        if opened.result is not None:
            return opened.result
        outcome = await self.desk.named(opened.provider).charge(
            _ask(charge.order_id, charge.attempt, opened)
        )
        return await run.step(
            CloseAttempt(
                order_id=charge.order_id, attempt=charge.attempt, outcome=outcome
            )
        )

    @handles(SettleAttempt)
    async def settle_attempt(self, run: Run, due: SettleAttempt) -> Done:
        """Ask again with the same key; what was never heard of is charged now."""
        opened = await run.step(
            ResumeAttempt(order_id=due.order_id, attempt=due.attempt)
        )
        if opened.result is not None:
            return Done()
        ask = _ask(due.order_id, due.attempt, opened)
        provider = self.desk.named(opened.provider)
        outcome = await provider.find_charge(ask)
        if outcome is None:
            outcome = await provider.charge(ask)
        await run.step(
            CloseAttempt(order_id=due.order_id, attempt=due.attempt, outcome=outcome)
        )
        return Done()

    @handles_many(OpenAttempt)
    async def open_attempt(
        self, tx: Tx, messages: list[OpenAttempt]
    ) -> list[Opened | Refusal]:
        """Begin the attempts that are new; say of the others how they stand."""
        book = await Book.open(tx, (message.order_id for message in messages))
        methods = await _stored(tx, messages)
        replies = [_reply(self._opened, tx, book, m.charge, methods) for m in messages]
        await book.save()
        return replies

    @handles_many(ResumeAttempt)
    async def resume_attempt(
        self, tx: Tx, messages: list[ResumeAttempt]
    ) -> list[Opened | Refusal]:
        """Say how attempts stand, and look after them again if this ask is lost."""
        book = await Book.open(tx, (message.order_id for message in messages))
        return [_reply(self._resumed, tx, book, message) for message in messages]

    @handles_many(CloseAttempt)
    async def close_attempt(
        self, tx: Tx, messages: list[CloseAttempt]
    ) -> list[ChargeResult | Refusal]:
        """Write what the provider answered: the attempt, the ledger, the fact."""
        book = await Book.open(tx, (message.order_id for message in messages))
        replies = [
            _reply(self._closed, tx, book, m.order_id, m.attempt, m.outcome)
            for m in messages
        ]
        await book.save()
        return replies

    @handles_many(ApplyWebhook)
    async def apply_webhook(
        self, tx: Tx, messages: list[ApplyWebhook]
    ) -> list[Done | Refusal]:
        """The same by the provider's own word, in whatever order it comes."""
        book = await Book.open(tx, (message.order_id for message in messages))
        results = [
            _reply(self._closed, tx, book, m.order_id, m.attempt, m.outcome)
            for m in messages
        ]
        await book.save()
        return [r if isinstance(r, Refusal) else Done() for r in results]

    @handles(VerifyWebhook)
    async def verify_webhook(
        self,
        db: Db,  # noqa: ARG002 - its name makes this a query
        query: VerifyWebhook,
    ) -> WebhookFacts | None:
        """Prove who sent it, and read what it says."""
        provider = self.desk.named(query.provider)
        return await provider.verify_webhook(
            query.body, query.headers, self.clock.now()
        )

    def _opened(
        self,
        tx: Tx,
        book: Book,
        charge: Charge,
        methods: dict[UUID, StoredMethod],
    ) -> Opened:
        payment = book.payment(charge.order_id)
        if known := known_attempt(payment, charge):
            return self._standing(*known)
        check_next_attempt(payment, charge)
        provider, token = self._source(charge, methods)
        payment, attempt = begin_attempt(
            payment, charge, provider, self.vault.seal(token), tx.now
        )
        book.put(payment)
        self._look_after_attempt(tx, payment, attempt)
        return _to_ask(payment, attempt, token)

    def _resumed(self, tx: Tx, book: Book, message: ResumeAttempt) -> Opened:
        payment, attempt = _begun(book, message.order_id, message.attempt)
        if attempt.final:
            return self._standing(payment, attempt)
        self._look_after_attempt(tx, payment, attempt)
        return self._unsealed(payment, attempt)

    def _closed(
        self, tx: Tx, book: Book, order_id: UUID, number: int, outcome: Outcome
    ) -> ChargeResult:
        payment, before = _begun(book, order_id, number)
        closed = close_attempt(payment, before, outcome, tx.now)
        payment, attempt = closed.payment, closed.attempt
        if before.final:
            self._compare(payment, before, outcome)
            return result_of(payment, attempt)
        book.put(payment, closed.lines, closed.event)
        if attempt.final:
            tx.cancel_due(_due_name(payment))
        else:
            at = ask_again_at(attempt, tx.now)
            tx.due(_due_name(payment), at, _settle(payment, attempt))
        return result_of(payment, attempt)

    def _standing(self, payment: Payment, attempt: Attempt) -> Opened:
        """An attempt that was begun before; while it is OPEN it is asked for again."""
        if attempt.status is AttemptStatus.OPEN:
            return self._unsealed(payment, attempt)
        return replace(
            _to_ask(payment, attempt, ""), result=result_of(payment, attempt)
        )

    def _unsealed(self, payment: Payment, attempt: Attempt) -> Opened:
        token = self.vault.unseal(attempt.sealed) if attempt.sealed else ""
        return _to_ask(payment, attempt, token)

    def _source(
        self, charge: Charge, methods: dict[UUID, StoredMethod]
    ) -> tuple[str, str]:
        """The provider and its token: given, or of the person's own stored method."""
        if charge.token is not None:
            token = TEST_CARDS.get(charge.token, charge.token)
            return self.desk.for_method(charge.method).name, token
        method_id = charge.payment_method_id
        method = methods.get(method_id) if method_id else None
        if method is None or charge.user_id is None or method.user_id != charge.user_id:
            raise unknown_method()
        return method.provider, self.vault.unseal_method(method.sealed).token

    def _look_after_attempt(self, tx: Tx, payment: Payment, attempt: Attempt) -> None:
        """Whatever becomes of whoever asks the provider: it is asked again."""
        wait = timedelta(seconds=self.provider_timeout_seconds + RESCUE_SECONDS)
        tx.due(_due_name(payment), tx.now + wait, _settle(payment, attempt))

    def _compare(self, payment: Payment, attempt: Attempt, outcome: Outcome) -> None:
        """A provider that changes a final answer is wrong; a person has to look."""
        final = (AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED)
        if outcome.status in final and outcome.status is not attempt.status:
            self.log.error(
                "provider-contradicts-itself",
                payment_id=str(payment.id),
                attempt=attempt.number,
                recorded=attempt.status.value,
                answered=outcome.status.value,
            )


def _reply(
    decide: Callable[Asked, Reply], *args: Asked.args, **kwargs: Asked.kwargs
) -> Reply | Refusal:
    """What `decide` answers; its refusal as a value, so that the others go on."""
    try:
        return decide(*args, **kwargs)
    except Refusal as refusal:
        return refusal


async def _stored(tx: Tx, messages: list[OpenAttempt]) -> dict[UUID, StoredMethod]:
    """The stored methods that these charges name, in one read, or in none."""
    ids = {m.charge.payment_method_id for m in messages} - {None}
    return await find_methods(tx, [i for i in ids if i]) if ids else {}


def _begun(book: Book, order_id: UUID, number: int) -> tuple[Payment, Attempt]:
    payment = book.payment(order_id)
    attempt = payment.attempt(number) if payment else None
    if payment is None or attempt is None:
        raise not_found("payment attempt")
    return payment, attempt


def _ask(order_id: UUID, attempt: int, opened: Opened) -> ChargeAsk:
    return ChargeAsk(
        key=opened.key,
        order_id=order_id,
        attempt=attempt,
        amount=opened.amount,
        token=opened.token,
        begun_at=opened.begun_at,
        reference=opened.reference,
    )


def _to_ask(payment: Payment, attempt: Attempt, token: str) -> Opened:
    """What the provider is asked for; the result is not known."""
    return Opened(
        result=None,
        key=attempt.key,
        amount=Money(attempt.amount_minor, payment.currency),
        token=token,
        provider=attempt.provider,
        begun_at=attempt.created_at,
        reference=attempt.reference,
    )


def _settle(payment: Payment, attempt: Attempt) -> SettleAttempt:
    return SettleAttempt(order_id=payment.order_id, attempt=attempt.number)


def _due_name(payment: Payment) -> str:
    """One timer a payment is enough: one attempt at most is not final."""
    return f"attempt:{payment.id}"
