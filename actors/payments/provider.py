"""The provider port: what the shop needs of whoever moves the money."""

from typing import Protocol
from uuid import UUID

from bus.kit.values import Money, Value
from bus.payments import MethodFacts, Outcome, RefundOutcome, WebhookFacts

PROVIDER_TIMEOUT_SECONDS = 15.0
"""How long one ask of a provider may take; a bank that takes 10 s still answers."""


class ChargeAsk(Value, frozen=True, kw_only=True):
    """A charge to ask for; `key` is its idempotency key, the same each time."""

    key: UUID
    order_id: UUID
    attempt: int
    amount: Money
    token: str


class RefundAsk(Value, frozen=True, kw_only=True):
    """A refund to ask for; `charge_key` is the key of what was captured."""

    key: UUID
    charge_key: UUID
    amount: Money


class Provider(Protocol):
    """Whoever moves the money.

    Charging and refunding never raise because the provider fails: what is not known
    for sure is UNKNOWN (a charge) or PENDING (a refund).
    """

    name: str

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money, once by the key; the same key gets the same answer."""
        ...

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of a charge; None: the provider never heard of its key."""
        ...

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key."""
        ...

    async def describe(self, token: str) -> MethodFacts | None:
        """What is shown of a token; None: the provider does not know it.

        Raises Unavailable when it does not answer.
        """
        ...

    def verify_webhook(
        self, body: bytes, signature: str, now: float
    ) -> WebhookFacts | None:
        """What a webhook says; None when it concerns nothing here.

        Raises the refusal `invalid_signature` for one that the provider did not send.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...
