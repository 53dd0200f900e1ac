"""A bank that a seed decides about: slow, silent, forgetful of answers, never of money.

It keeps what it was asked by its keys, and acts once by each, as providers promise. A
request may act long after whoever sent it has given up waiting; of a charge that does
the bank tells by itself.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from actors.payments.provider import (
    CaptureAsk,
    ChargeAsk,
    ProviderTransaction,
    RefundAsk,
    VoidAsk,
)
from bus.kit.refusals import Unavailable
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)
from tests.simulation.loop import SimLoop

S = AttemptStatus
UNKNOWN = Outcome(status=S.UNKNOWN)
NOT_KNOWN_YET = RefundOutcome(status=RefundStatus.PENDING)
TIMEOUT_SECONDS = 15.0
LATE_SECONDS_MAX = 25.0
SETTLE_SECONDS_MAX = 8.0
SETTLED_SECONDS = 0.1


@dataclass
class Taken:
    """A charge as the bank has it; `amount` is in minor units."""

    key: UUID
    order_id: UUID
    amount: int
    status: AttemptStatus
    settles_at: float = 0.0
    settles: AttemptStatus = S.SUCCEEDED


class Bank:
    """The other side; one for a whole world, and never down but for what is lost."""

    def __init__(self, loop: SimLoop, chance: random.Random) -> None:
        self.loop = loop
        self.chance = chance
        self.charges: dict[UUID, Taken] = {}
        self.refunds: dict[UUID, tuple[UUID, int]] = {}
        self.request_lost = 0.0
        self.answer_lost = 0.0
        self.late = 0.0
        self.charges_under_way = 0
        self._all_heard = asyncio.Event()
        self.tell: Callable[[ChargeAsk, Outcome], None] = lambda *_: None
        self.note: Callable[[str], None] = lambda _: None

    def charge(self, ask: ChargeAsk, *, hold: bool) -> Outcome:
        """Take money, or hold it, once by the key."""
        known = self.charges.get(ask.key)
        if known is None:
            known = self._decide(ask, hold=hold)
            self.charges[ask.key] = known
            self.note(f"bank: {ask.order_id} {ask.attempt} is {known.status}")
        return self.outcome(known)

    def _decide(self, ask: ChargeAsk, *, hold: bool) -> Taken:
        word = self.chance.random()
        good = S.AUTHORIZED if hold else S.SUCCEEDED
        made = Taken(ask.key, ask.order_id, ask.amount.amount, good)
        if word < 0.15:
            made.status = S.DECLINED
        elif word < 0.3 and not hold:
            made.status = S.PENDING
            made.settles = S.DECLINED if word < 0.2 else good
            seconds = self.chance.random() * SETTLE_SECONDS_MAX
            made.settles_at = self.loop.time() + seconds
        return made

    def outcome(self, known: Taken) -> Outcome:
        """How a charge stands now."""
        if known.status is S.PENDING and self.loop.time() >= known.settles_at:
            known.status = known.settles
            self.note(f"bank: {known.order_id} settles as {known.status}")
        code = {S.DECLINED: "card_declined", S.VOIDED: "voided"}.get(known.status)
        status = S.DECLINED if known.status is S.VOIDED else known.status
        return Outcome(status=status, decline_code=code, reference=str(known.key))

    def tell_of(self, ask: ChargeAsk) -> None:
        """Say by itself what became of a charge, as soon as that is known."""
        known = self.charges[ask.key]
        outcome = self.outcome(known)
        if outcome.status is S.PENDING:
            seconds = known.settles_at - self.loop.time() + SETTLED_SECONDS
            self.loop.world.later(seconds, self.tell_of, ask)
            return
        self.tell(ask, outcome)
        self.end_charge()

    def begin_charge(self) -> None:
        """A charge is on its way here."""
        self.charges_under_way += 1
        self._all_heard.clear()

    def end_charge(self) -> None:
        """It is known what became of one, or will be to whoever asks."""
        self.charges_under_way -= 1
        if not self.charges_under_way:
            self._all_heard.set()

    async def heard(self) -> None:
        """Wait until no charge is on its way."""
        if self.charges_under_way:
            await self._all_heard.wait()

    def find(self, key: UUID) -> Outcome | None:
        """What became of a charge; None: it was never heard of."""
        known = self.charges.get(key)
        return None if known is None else self.outcome(known)

    def capture(self, charge_key: UUID) -> Outcome:
        """Take what is held."""
        known = self.charges[charge_key]
        if known.status is S.AUTHORIZED:
            known.status = S.SUCCEEDED
        return self.outcome(known)

    def void(self, charge_key: UUID) -> Outcome:
        """Let go what is held, or is not settled; what was taken stays taken."""
        known = self.charges.get(charge_key)
        if known is None:
            return Outcome(status=S.DECLINED, decline_code="voided")
        if self.outcome(known).status in (S.AUTHORIZED, S.PENDING):
            known.status = S.VOIDED
        return self.outcome(known)

    def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key, and never more than was taken."""
        if ask.key not in self.refunds:
            taken = self.taken(ask.charge_key)
            gone = sum(n for key, n in self.refunds.values() if key == ask.charge_key)
            if ask.amount.amount > taken - gone:
                rejected = RefundStatus.REJECTED
                return RefundOutcome(status=rejected, reason_code="too-much")
            self.refunds[ask.key] = (ask.charge_key, ask.amount.amount)
            self.note(f"bank: {ask.order_id} gets {ask.amount.amount} back")
        return RefundOutcome(status=RefundStatus.COMPLETED, reference=str(ask.key))

    def find_refund(self, key: UUID) -> RefundOutcome | None:
        """What became of a refund."""
        if key not in self.refunds:
            return None
        return RefundOutcome(status=RefundStatus.COMPLETED, reference=str(key))

    def taken(self, charge_key: UUID) -> int:
        """What it took under a key."""
        known = self.charges.get(charge_key)
        return known.amount if known and known.status is S.SUCCEEDED else 0


class Teller:
    """The provider port to the bank: what one shard of payments holds."""

    name = "sandbox"
    lag = timedelta(0)

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money."""
        return await self._charge(ask, hold=False)

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Hold money."""
        return await self._charge(ask, hold=True)

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Take what is held."""
        return await self._ask(lambda: self._bank.capture(ask.charge_key), UNKNOWN)

    async def void(self, ask: VoidAsk) -> Outcome:
        """Let it go."""
        return await self._ask(lambda: self._bank.void(ask.charge_key), UNKNOWN)

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of it."""
        return await self._ask(lambda: self._bank.find(ask.key), UNKNOWN)

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back."""
        return await self._ask(lambda: self._bank.refund(ask), NOT_KNOWN_YET)

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """What became of it."""
        find = self._bank.find_refund
        return await self._ask(lambda: find(ask.key), NOT_KNOWN_YET)

    async def describe(self, token: str, owner: UUID) -> MethodFacts | None:
        """Nothing is kept here."""
        raise Unavailable(f"{token} of {owner}")

    async def forget(self, token: str) -> None:
        """Nothing is kept here."""

    async def transactions(
        self,
        since: datetime,
        until: datetime,
    ) -> AsyncIterator[ProviderTransaction]:
        """None are listed: this scene does not compare books."""
        for nothing in ():
            yield nothing

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: float
    ) -> WebhookFacts | None:
        """None comes this way: the scene sends what the bank tells as proven."""
        raise NotImplementedError(f"{body!r} {headers} {now}")

    async def close(self) -> None:
        """Nothing is open."""

    async def _charge(self, ask: ChargeAsk, *, hold: bool) -> Outcome:
        """Ask for money; the bank tells of what nobody waits for any more."""
        bank, sent_at = self._bank, self._bank.loop.time()

        def work() -> Outcome:
            outcome = bank.charge(ask, hold=hold)
            if bank.loop.time() - sent_at > TIMEOUT_SECONDS:
                bank.tell_of(ask)
            else:
                bank.end_charge()
            return outcome

        outcome: Outcome = await self._ask(work, UNKNOWN, bank.begin_charge)
        return outcome

    async def _ask(
        self,
        work: Callable[[], Any],
        lost: Any,
        sent: Callable[[], None] = lambda: None,
    ) -> Any:
        """Over a way that may be slow, lose either word, or deliver much later."""
        bank, chance = self._bank, self._bank.chance
        answer: asyncio.Future[Any] = bank.loop.create_future()
        seconds = chance.random() * (0.5 if chance.random() < 0.1 else 0.01)
        if chance.random() < bank.late:
            seconds = chance.random() * LATE_SECONDS_MAX
        if chance.random() >= bank.request_lost:
            sent()
            bank.loop.world.later(seconds, self._act, work, answer)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await answer
        except TimeoutError:
            return lost

    def _act(self, work: Callable[[], Any], answer: "asyncio.Future[Any]") -> None:
        end = work()
        if self._bank.chance.random() >= self._bank.answer_lost and not answer.done():
            answer.set_result(end)
