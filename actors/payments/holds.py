"""Captures, voids, and what is asked again until it is known."""

from datetime import datetime

from actors.kit.domain import handles, handles_many
from actors.kit.process import Run
from actors.payments.attempts import Attempts, ask_of, begun, reply, to_ask
from actors.payments.charging import result_of
from actors.payments.closing import VOIDED_CODE
from actors.payments.holding import (
    begin_capture,
    begin_void,
    check_capture,
    with_attempt,
)
from actors.payments.provider import CaptureAsk, ChargeAsk, Provider, VoidAsk
from actors.payments.till import Book
from bus.kit.refusals import Refusal
from bus.kit.values import Done, Money
from bus.payments import (
    AttemptStatus,
    BeginCapture,
    BeginVoid,
    CapturePayment,
    ChargeResult,
    CloseAttempt,
    Moving,
    Opened,
    Outcome,
    RescueAttempt,
    ResumeAttempt,
    SettleAttempt,
    VoidPayment,
    capture_declined,
)
from persistence.kit.transaction import Tx
from persistence.payments import Attempt, Payment, capture_key, void_key

S = AttemptStatus
KNOWN = (S.SUCCEEDED, S.DECLINED)
Asking = SettleAttempt | RescueAttempt


class Holds(Attempts):
    """Held money: written first as being moved, asked for, then written as moved.

    A capture and a void of the same money race for the attempt's one status: the step
    that comes first decides, and the other one is told.
    """

    @handles(CapturePayment)
    async def capture_payment(self, run: Run, wish: CapturePayment) -> ChargeResult:
        """Take what is held, once; refused when it is gone."""
        moving = await run.step(BeginCapture(order_id=wish.order_id))
        if moving.result is not None:
            return moving.result
        outcome = await self._capture(moving)
        result = await run.step(
            CloseAttempt(
                order_id=wish.order_id, attempt=moving.attempt, outcome=outcome
            )
        )
        if result.status in (S.SUCCEEDED, S.CAPTURING):
            return result
        # The step tells why the money is gone; it refuses, for nothing is held.
        await run.step(BeginCapture(order_id=wish.order_id))
        raise capture_declined(result.decline_code)

    @handles(VoidPayment)
    async def void_payment(self, run: Run, wish: VoidPayment) -> ChargeResult:
        """Give the last attempt up, and let go what is held."""
        moving = await run.step(BeginVoid(order_id=wish.order_id))
        if moving.result is not None:
            return moving.result
        outcome = await self._void(moving)
        return await run.step(
            CloseAttempt(
                order_id=wish.order_id, attempt=moving.attempt, outcome=outcome
            )
        )

    @handles(SettleAttempt)
    async def settle_attempt(self, run: Run, due: SettleAttempt) -> Done:
        """Ask again with the same key; what was never heard of is asked for now."""
        return await self._settle_attempt(run, due)

    @handles(RescueAttempt)
    async def rescue_attempt(self, run: Run, due: RescueAttempt) -> Done:
        """The same in the place of whoever asked and died, or was not answered."""
        return await self._settle_attempt(run, due, due.until)

    async def _settle_attempt(
        self, run: Run, due: Asking, until: datetime | None = None
    ) -> Done:
        opened = await run.step(
            ResumeAttempt(order_id=due.order_id, attempt=due.attempt, until=until)
        )
        if opened.result is not None:
            return Done()
        outcome = await self._ask_again(run, due, opened)
        await run.step(
            CloseAttempt(
                order_id=due.order_id,
                attempt=due.attempt,
                outcome=outcome,
                until=None if opened.given_up else opened.until,
            )
        )
        return Done()

    @handles_many(ResumeAttempt)
    async def resume_attempt(
        self, tx: Tx, messages: list[ResumeAttempt]
    ) -> list[Opened | Refusal]:
        """Say how attempts stand, and look after them again if this ask is lost."""
        book = await Book.open(tx, messages)
        replies = [reply(self._resumed, tx, book, message) for message in messages]
        await book.save()
        return replies

    @handles_many(BeginCapture)
    async def begin_capture(
        self, tx: Tx, messages: list[BeginCapture]
    ) -> list[Moving | Refusal]:
        """AUTHORIZED → CAPTURING, before the provider hears of it."""
        book = await Book.open(tx, messages)
        replies = [reply(self._capturing, tx, book, message) for message in messages]
        await book.save()
        return replies

    @handles_many(BeginVoid)
    async def begin_void(
        self, tx: Tx, messages: list[BeginVoid]
    ) -> list[Moving | Refusal]:
        """AUTHORIZED or PENDING → VOIDING; anything else is given up."""
        book = await Book.open(tx, messages)
        replies = [reply(self._voiding, tx, book, message) for message in messages]
        await book.save()
        return replies

    def _capturing(self, tx: Tx, book: Book, message: BeginCapture) -> Moving:
        found = book.payment(message.order_id)
        payment, attempt, asked = begin_capture(found, tx.now)
        if payment is not found:
            book.put(payment)
        if asked:
            self.look_after(tx, payment, attempt)
        return _moving(payment, attempt, "capture", asked=asked)

    def _voiding(self, tx: Tx, book: Book, message: BeginVoid) -> Moving:
        found = book.payment(message.order_id)
        payment, attempt, asked = begin_void(
            found, message.attempt, expired=message.expired
        )
        if payment is not found:
            book.put(payment)
        if asked:  # what is only given up has its timer already
            self.look_after(tx, payment, attempt)
        return _moving(payment, attempt, "void", asked=asked)

    def _resumed(self, tx: Tx, book: Book, message: ResumeAttempt) -> Opened:
        payment, attempt = begun(book, message.order_id, message.attempt)
        waits = attempt.status is S.AUTHORIZED and not _ran_out(attempt, tx)
        if attempt.final or waits:
            return _known(payment, attempt)
        if message.until and tx.now < message.until and _only_looked_for(attempt):
            self.rescue_at(tx, payment, attempt, message.until)
            return _known(payment, attempt)
        if attempt.sealed and self.vault.is_stale(attempt.sealed):
            sealed = self.vault.reseal(attempt.sealed)
            payment, attempt = with_attempt(payment, attempt, sealed=sealed)
            book.put(payment)
        self.look_after(tx, payment, attempt)
        return self.unsealed(tx, payment, attempt)

    async def _ask_again(self, run: Run, due: Asking, opened: Opened) -> Outcome:
        """What the provider says of an attempt now, by what it is waiting for."""
        provider = self.desk.named(opened.provider)
        ask = ask_of(due.order_id, due.attempt, opened)
        if opened.status is S.CAPTURING:
            moving = _of_opened(due, opened, "capture")
            return await _found_if_unknown(provider, ask, await self._capture(moving))
        if opened.status is S.VOIDING:
            moving = _of_opened(due, opened, "void")
            return await _found_if_unknown(provider, ask, await self._void(moving))
        outcome = await provider.find_charge(ask)
        if opened.status is S.AUTHORIZED:
            return await self._expire(run, due, outcome)
        if outcome is not None:
            return outcome
        if opened.given_up:  # nobody wants it, and the provider never heard of it
            return Outcome(status=S.DECLINED, decline_code=VOIDED_CODE)
        move = provider.authorize if opened.hold else provider.charge
        return await move(ask)

    async def _expire(self, run: Run, due: Asking, found: Outcome | None) -> Outcome:
        """Let go what was held for too long, unless it has been taken all the same."""
        if found is not None and found.status in KNOWN:
            return found
        moving = await run.step(
            BeginVoid(order_id=due.order_id, attempt=due.attempt, expired=True)
        )
        if moving.result is not None:
            return Outcome(status=S.UNKNOWN)  # somebody else has moved it by now
        return await self._void(moving)

    async def _capture(self, moving: Moving) -> Outcome:
        ask = CaptureAsk(
            key=moving.key,
            charge_key=moving.charge_key,
            reference=moving.reference,
            amount=moving.amount,
        )
        return await self.desk.named(moving.provider).capture(ask)

    async def _void(self, moving: Moving) -> Outcome:
        ask = VoidAsk(
            key=moving.key, charge_key=moving.charge_key, reference=moving.reference
        )
        return await self.desk.named(moving.provider).void(ask)


async def _found_if_unknown(
    provider: Provider, ask: ChargeAsk, outcome: Outcome
) -> Outcome:
    """A move's outcome; where it is not known, what the attempt itself has come to."""
    if outcome.status in KNOWN:
        return outcome
    found = await provider.find_charge(ask)
    return found if found is not None and found.status in KNOWN else outcome


def _moving(payment: Payment, attempt: Attempt, kind: str, *, asked: bool) -> Moving:
    if not asked and kind == "capture":
        check_capture(attempt)
    key_of = capture_key if kind == "capture" else void_key
    return Moving(
        result=None if asked else result_of(payment, attempt),
        attempt=attempt.number,
        key=key_of(payment.order_id, attempt.number),
        charge_key=attempt.key,
        amount=Money(attempt.amount_minor, payment.currency),
        provider=attempt.provider,
        reference=attempt.reference,
    )


def _of_opened(due: Asking, opened: Opened, kind: str) -> Moving:
    key_of = capture_key if kind == "capture" else void_key
    return Moving(
        result=None,
        attempt=due.attempt,
        key=key_of(due.order_id, due.attempt),
        charge_key=opened.key,
        amount=opened.amount,
        provider=opened.provider,
        reference=opened.reference,
    )


def _only_looked_for(attempt: Attempt) -> bool:
    """Whether what the provider has not heard of by now would count as never asked."""
    return attempt.given_up and attempt.status in (S.OPEN, S.UNKNOWN)


def _ran_out(attempt: Attempt, tx: Tx) -> bool:
    return attempt.expires_at is not None and attempt.expires_at <= tx.now


def _known(payment: Payment, attempt: Attempt) -> Opened:
    opened = to_ask(payment, attempt, "")
    return Opened(
        result=result_of(payment, attempt), key=opened.key, amount=opened.amount
    )
