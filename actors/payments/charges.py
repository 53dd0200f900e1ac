"""The charge process and its steps, and the provider's own word."""

from uuid import UUID

from msgspec.structs import replace

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.payments.attempts import (
    Attempts,
    ask_of,
    begun,
    reply,
    to_ask,
)
from actors.payments.charging import (
    begin_attempt,
    check_charge,
    check_next_attempt,
    known_attempt,
    result_of,
)
from actors.payments.till import Book
from bus.kit.refusals import Refusal
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
    VerifyWebhook,
    WebhookFacts,
    other_kind,
    unknown_method,
)
from persistence.kit.transaction import Tx
from persistence.payments import (
    Attempt,
    Payment,
    StoredMethod,
    find_methods,
)


class Charges(Attempts):
    """Charges: opened in one batch, asked for outside of any, closed in another."""

    @handles(Charge)
    async def charge(self, run: Run, charge: Charge) -> ChargeResult:
        """Open the attempt, ask the provider for the money or a hold, close it.

        After a crash the timer that `open_attempt` has set takes it up, or the caller
        does by asking again; the provider's key makes the ask act once.
        """
        check_charge(charge, self.settings.currency)
        opened = await run.step(OpenAttempt(order_id=charge.order_id, charge=charge))
        if opened.result is not None:
            return opened.result
        provider = self.desk.named(opened.provider)
        ask = ask_of(charge.order_id, charge.attempt, opened)
        move = provider.authorize if opened.hold else provider.charge
        outcome = await move(ask)
        return await run.step(
            CloseAttempt(
                order_id=charge.order_id,
                attempt=charge.attempt,
                outcome=outcome,
                until=opened.until,
            )
        )

    @handles_many(OpenAttempt)
    async def open_attempt(
        self, tx: Tx, messages: list[OpenAttempt]
    ) -> list[Opened | Refusal]:
        """Begin the attempts that are new; say of the others how they stand."""
        book = await Book.open(tx, messages)
        methods = await _stored(tx, messages)
        replies = [reply(self._opened, tx, book, m.charge, methods) for m in messages]
        await book.save()
        return replies

    @handles_many(CloseAttempt)
    async def close_attempt(
        self, tx: Tx, messages: list[CloseAttempt]
    ) -> list[ChargeResult | Refusal]:
        """Write what the provider answered: the attempt, the ledger, the fact."""
        book = await Book.open(tx, messages)
        replies = [
            reply(self.closed, tx, book, m.order_id, m.attempt, m.outcome, m.until)
            for m in messages
        ]
        await book.save()
        return replies

    @handles_many(ApplyWebhook)
    async def apply_webhook(
        self, tx: Tx, messages: list[ApplyWebhook]
    ) -> list[Done | Refusal]:
        """The same by the provider's own word, in whatever order it comes."""
        book = await Book.open(tx, messages)
        results = [reply(self._applied, tx, book, message) for message in messages]
        await book.save()
        return results

    @handles(VerifyWebhook)
    async def verify_webhook(
        self,
        run: Run,  # noqa: ARG002 - its name makes this a process
        asked: VerifyWebhook,
    ) -> WebhookFacts | None:
        """Prove who sent it, and read what it says."""
        provider = self.desk.named(asked.provider)
        return await provider.verify_webhook(
            asked.body, asked.headers, self.clock.now()
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
            return self._standing(tx, *known)
        check_next_attempt(payment, charge)
        provider, token = self._source(charge, methods)
        payment, attempt = begin_attempt(
            payment,
            charge,
            provider,
            self.vault.seal(token),
            tx.now,
            hold=self.settings.capture == "shipment" and not charge.at_once,
        )
        book.put(payment)
        self.look_after(tx, payment, attempt)
        return to_ask(payment, attempt, token, self.time_is_up(tx))

    def _applied(self, tx: Tx, book: Book, message: ApplyWebhook) -> Done:
        """A webhook applied; one about another amount is nobody's payment here."""
        payment, attempt = begun(book, message.order_id, message.attempt)
        due = Money(attempt.amount_minor, payment.currency)
        if message.amount is None or message.amount == due:
            self.closed(tx, book, message.order_id, message.attempt, message.outcome)
        else:
            self.log.error(
                "provider-tells-another-amount",
                payment_id=str(payment.id),
                attempt=attempt.number,
            )
        return Done()

    def _standing(self, tx: Tx, payment: Payment, attempt: Attempt) -> Opened:
        """An attempt that was begun before; while it is OPEN it is asked for again."""
        if attempt.status is AttemptStatus.OPEN:
            return self.unsealed(tx, payment, attempt)
        result = result_of(payment, attempt)
        if attempt.status is AttemptStatus.CAPTURING:  # to its payer it is paid
            result = replace(result, status=AttemptStatus.AUTHORIZED)
        return replace(to_ask(payment, attempt, ""), result=result)

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
        if method.method != charge.method:
            raise other_kind()
        return method.provider, self.vault.unseal_method(method.sealed).token


async def _stored(tx: Tx, messages: list[OpenAttempt]) -> dict[UUID, StoredMethod]:
    """The stored methods that these charges name, in one read, or in none."""
    ids = {m.charge.payment_method_id for m in messages} - {None}
    return await find_methods(tx, [i for i in ids if i]) if ids else {}
