"""Watches how providers answer: one that fails is told of once, until it recovers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from actors.payments.provider import (
    CaptureAsk,
    ChargeAsk,
    Provider,
    ProviderTransaction,
    RefundAsk,
    VoidAsk,
)
from bus.kit.refusals import Unavailable
from bus.kit.tasks import end_tasks
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)

FAILURES_MAX = 5
WINDOW_SECONDS = 120.0

Note = Callable[[str, bool, int], Awaitable[None]]


class Watch:
    """How one provider has answered lately; two numbers, whatever the load.

    `note` is called when that changes: from well to failing after `FAILURES_MAX` asks
    in a row without a usable answer, and back at the first good one.
    """

    def __init__(self, name: str, note: Note, clock: Any) -> None:
        self.failing = False
        self._name = name
        self._note = note
        self._clock = clock
        self._failures = 0
        self._since = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    def good(self) -> None:
        """There was a usable answer."""
        self._failures = 0
        if self.failing:
            self.failing = False
            self._tell(failing=False)

    def bad(self) -> None:
        """There was none."""
        now = self._clock.monotonic()
        if not self._failures or now - self._since > WINDOW_SECONDS:
            self._failures, self._since = 0, now
        self._failures += 1
        if self._failures == FAILURES_MAX:
            # Said again in each window: the row says whether it is news.
            self.failing = True
            self._tell(failing=True)

    async def close(self) -> None:
        """End what is being noted; the next incarnation sees it again."""
        await end_tasks(self._tasks)

    def _tell(self, *, failing: bool) -> None:
        noting = self._note(self._name, failing, self._failures)
        task = asyncio.ensure_future(noting)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class Watched:
    """A provider whose answers are watched; it changes none of them."""

    def __init__(self, provider: Provider, watch: Watch) -> None:
        self.name = provider.name
        self.lag = provider.lag
        self.watch = watch
        self.provider = provider

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """As the provider does."""
        return self._seen(await self.provider.charge(ask))

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """As the provider does."""
        return self._seen(await self.provider.authorize(ask))

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """As the provider does."""
        return self._seen(await self.provider.capture(ask))

    async def void(self, ask: VoidAsk) -> Outcome:
        """As the provider does."""
        return self._seen(await self.provider.void(ask))

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """As the provider does; that it never heard of the key is an answer."""
        outcome = await self.provider.find_charge(ask)
        if outcome is None:
            self.watch.good()
            return None
        return self._seen(outcome)

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """As the provider does."""
        return self._seen_refund(await self.provider.refund(ask))

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """As the provider does; that it never heard of the key is an answer."""
        outcome = await self.provider.find_refund(ask)
        if outcome is None:
            self.watch.good()
            return None
        return self._seen_refund(outcome)

    async def describe(self, token: str, owner: UUID) -> MethodFacts | None:
        """As the provider does."""
        try:
            facts = await self.provider.describe(token, owner)
        except Unavailable:
            self.watch.bad()
            raise
        self.watch.good()
        return facts

    async def forget(self, token: str) -> None:
        """As the provider does."""
        try:
            await self.provider.forget(token)
        except Unavailable:
            self.watch.bad()
            raise
        self.watch.good()

    async def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """As the provider does."""
        try:
            async for transaction in self.provider.transactions(since, until):
                yield transaction
        except Unavailable:
            self.watch.bad()
            raise
        self.watch.good()

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: float
    ) -> WebhookFacts | None:
        """As the provider does; whoever sends nonsense says nothing of the provider."""
        return await self.provider.verify_webhook(body, headers, now)

    async def close(self) -> None:
        """End all connections."""
        await self.provider.close()
        await self.watch.close()

    def _seen(self, outcome: Outcome) -> Outcome:
        if outcome.status is AttemptStatus.UNKNOWN:
            self.watch.bad()
        else:
            self.watch.good()
        return outcome

    def _seen_refund(self, outcome: RefundOutcome) -> RefundOutcome:
        unknown = outcome.status is RefundStatus.PENDING and outcome.reference is None
        if unknown:
            self.watch.bad()
        else:
            self.watch.good()
        return outcome
