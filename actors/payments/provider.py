"""The provider port: what the shop needs of whoever moves the money."""

import enum
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from bus.kit.values import Money, Value
from bus.payments import MethodFacts, Outcome, RefundOutcome, WebhookFacts

KEPT_MARK = "\n"
"""In a kept token, where it has to be told from what a shopper sends: nobody can send
it, so nobody can pay with what another has kept."""

PROVIDER_TIMEOUT_SECONDS = 15.0
"""How long one ask of a provider may take; a bank that takes 10 s still answers."""


class ChargeAsk(Value, frozen=True, kw_only=True):
    """A charge to ask for; `key` is its idempotency key, the same each time.

    `begun_at` is when it was first asked for and `reference` the provider's id of it,
    as far as either is known: a provider forgets keys after hours, its own ids never.
    `capture` False: the money is only to be held, so that looking it up by asking again
    asks for the same. `wanted` False: it was given up, so it is only looked for, and
    never made by asking again.
    """

    key: UUID
    order_id: UUID
    attempt: int
    amount: Money
    token: str
    capture: bool = True
    wanted: bool = True
    begun_at: datetime | None = None
    reference: str | None = None


class CaptureAsk(Value, frozen=True, kw_only=True):
    """Take money that is held; `reference` is the provider's id of the authorisation.

    `key` is the capture's own idempotency key, `charge_key` that of the attempt.
    """

    key: UUID
    charge_key: UUID
    reference: str | None
    amount: Money


class VoidAsk(Value, frozen=True, kw_only=True):
    """Let money go that is held; named as in `CaptureAsk`."""

    key: UUID
    charge_key: UUID
    reference: str | None


class RefundAsk(Value, frozen=True, kw_only=True):
    """A refund to ask for; `charge_key` is the key of what was captured.

    `reference` is the provider's id of what was captured, and `begun_at` when the
    refund was first asked for.
    """

    key: UUID
    order_id: UUID
    charge_key: UUID
    amount: Money
    reference: str | None = None
    begun_at: datetime | None = None


class TransactionKind(enum.StrEnum):
    """Which way the money of a provider's transaction went."""

    CHARGE = "charge"
    REFUND = "refund"


class ProviderTransaction(Value, frozen=True, kw_only=True):
    """Money that a provider says it has moved, for reconciliation.

    `key` is ours, None for what was not made by this shop (by hand, at the provider's
    own page); `status` is `succeeded`, `pending` or `failed`.
    """

    kind: TransactionKind
    reference: str
    key: UUID | None
    amount: Money
    status: str
    at: datetime


class Provider(Protocol):
    """Whoever moves the money.

    Moving money never raises because the provider fails: what is not known for sure is
    UNKNOWN (a charge, a hold, a capture, a void) or PENDING (a refund).
    """

    name: str
    lag: timedelta
    """How long its list of transactions may lag behind what it has moved."""

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money, once by the key; the same key gets the same answer.

        This is authorising and capturing in one.
        """
        ...

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Hold money, once by the key: AUTHORIZED when it is held."""
        ...

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Take what is held, or a part of it: SUCCEEDED, with what refunds name."""
        ...

    async def void(self, ask: VoidAsk) -> Outcome:
        """Let go what is held: DECLINED with the code `voided` when it is gone."""
        ...

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of a charge; None: the provider never heard of its key."""
        ...

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key."""
        ...

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """What became of a refund; None: the provider never heard of its key."""
        ...

    async def describe(self, token: str, owner: UUID) -> MethodFacts | None:
        """What is shown of a token that `owner` may keep; None: there is none such.

        Raises Unavailable when it does not answer.
        """
        ...

    async def forget(self, token: str) -> None:
        """Let go what is kept of a token; done already where nothing is.

        Raises Unavailable when it does not answer.
        """
        ...

    def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All that the provider has moved in that time, oldest or newest first.

        Raises Unavailable when it does not answer.
        """
        ...

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: float
    ) -> WebhookFacts | None:
        """What a webhook says; None when it concerns nothing here.

        `headers` are named in lower case. Raises the refusal `invalid_signature` for
        one that the provider did not send, and Unavailable while that cannot be known.
        """
        ...

    async def close(self) -> None:
        """End all connections."""
        ...
