"""A provider that the settings name no more: all of it stays unknown, none is lost."""

from collections.abc import AsyncIterator, Mapping
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
from bus.kit.refusals import Unavailable, not_found
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)


class Absent:
    """Stands in for a provider whose settings are gone; says so at each ask.

    What was begun with it is asked for again and again, so it goes on where it was as
    soon as the settings are back.
    """

    lag = timedelta(0)

    def __init__(self, name: str, log: Any) -> None:
        self.name = name
        self._log = log

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Not known: nobody can be asked."""
        return self._unknown(ask.key)

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Not known: nobody can be asked."""
        return self._unknown(ask.key)

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Not known: nobody can be asked."""
        return self._unknown(ask.key)

    async def void(self, ask: VoidAsk) -> Outcome:
        """Not known: nobody can be asked."""
        return self._unknown(ask.key)

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """Not known: nobody can be asked."""
        return self._unknown(ask.key)

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Not known: nobody can be asked."""
        self._complain(ask.key)
        return RefundOutcome(status=RefundStatus.PENDING)

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """Not known: nobody can be asked."""
        return await self.refund(ask)

    async def describe(
        self,
        token: str,  # noqa: ARG002
        owner: UUID,  # noqa: ARG002
    ) -> MethodFacts | None:
        """Nobody can be asked."""
        raise Unavailable(f"the provider {self.name} is not set up")

    async def forget(self, token: str) -> None:  # noqa: ARG002
        """Nobody can be asked."""
        raise Unavailable(f"the provider {self.name} is not set up")

    def transactions(
        self,
        since: datetime,  # noqa: ARG002
        until: datetime,  # noqa: ARG002
    ) -> AsyncIterator[ProviderTransaction]:
        """Nobody can be asked."""
        raise Unavailable(f"the provider {self.name} is not set up")

    async def verify_webhook(
        self,
        body: bytes,  # noqa: ARG002
        headers: Mapping[str, str],  # noqa: ARG002
        now: float,  # noqa: ARG002
    ) -> WebhookFacts | None:
        """There is no such provider."""
        raise not_found("payment provider")

    async def close(self) -> None:
        """Nothing is open."""

    def _unknown(self, key: UUID) -> Outcome:
        self._complain(key)
        return Outcome(status=AttemptStatus.UNKNOWN)

    def _complain(self, key: UUID) -> None:
        self._log.error("provider-not-configured", provider=self.name, key=str(key))
