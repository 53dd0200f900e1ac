"""Stripe's lists: what it has made for the shop, read page by page."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import stripe

from actors.payments.provider import (
    ChargeAsk,
    ProviderTransaction,
    RefundAsk,
    TransactionKind,
)
from actors.payments.stripe.amounts import from_stripe
from actors.payments.stripe.answers import (
    NO_ANSWER,
    Intent,
    Returned,
    read,
    refund_of,
    uuid_of,
)
from bus.kit.refusals import Unavailable
from bus.kit.values import Value
from bus.payments import RefundOutcome

PAGE = 100
PAGES_MAX = 1_000
SKEW_SECONDS = 300
"""How far Stripe's clock may be from ours."""


class Source(Value, frozen=True, kw_only=True):
    """The charge or refund that a balance transaction is about."""

    id: str
    object: str
    amount: int
    currency: str
    payment_intent: str | None = None
    amount_captured: int | None = None
    metadata: dict[str, str] = {}


class Balance(Value, frozen=True, kw_only=True):
    """A balance transaction: money that has moved."""

    id: str
    created: int
    type: str
    source: Any = None


class TooMany(ValueError):
    """More pages than anyone would read."""


class Books:
    """Reads Stripe's lists; they are consistent, its search is not."""

    def __init__(self, client: stripe.StripeClient, log: Any) -> None:
        self._api = client.v1
        self._log = log

    async def intent(self, ask: ChargeAsk) -> Intent | None:
        """The PaymentIntent that bears the ask's key; raises what Stripe raises."""
        begun = int(ask.begun_at.timestamp()) if ask.begun_at else 0
        created = {"gte": begun - SKEW_SECONDS}
        async for found in _pages(
            self._api.payment_intents.list_async, {"created": created}
        ):
            if _metadata(found).get("key") == str(ask.key):
                return read(found, Intent)
        return None

    async def refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """The refund that bears the ask's key; raises what Stripe raises."""
        params = {"payment_intent": ask.reference or ""}
        async for found in _pages(self._api.refunds.list_async, params):
            if _metadata(found).get("refund_id") == str(ask.key):
                return refund_of(read(found, Returned))
        return None

    async def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All charges and refunds whose money moved in that time, newest first."""
        params = {
            "created": {"gte": int(since.timestamp()), "lt": int(until.timestamp())},
            "expand": ["data.source"],
        }
        try:
            async for found in _pages(
                self._api.balance_transactions.list_async, params
            ):
                moved = _moved(read(found, Balance))
                if moved is not None:
                    yield moved
        except NO_ANSWER as error:
            self._log.error(
                "provider-call-failed", provider="stripe", error=type(error).__name__
            )
            raise Unavailable("the provider does not answer") from None


async def _pages(listed: Any, params: dict[str, Any]) -> AsyncIterator[Any]:
    """Everything on a list, the newest first."""
    after: dict[str, Any] = {}
    for _ in range(PAGES_MAX):
        page = await listed({"limit": PAGE, **params, **after})
        for found in page.data:
            yield found
        if not page.has_more or not page.data:
            return
        after = {"starting_after": page.data[-1].id}
    raise TooMany


def _metadata(found: Any) -> dict[str, Any]:
    metadata = found.to_dict().get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _moved(balance: Balance) -> ProviderTransaction | None:
    """A balance transaction of a charge or a refund; fees and payouts are neither."""
    if not isinstance(balance.source, dict):
        return None
    if balance.source.get("object") not in ("charge", "refund"):
        return None
    source = msgspec.convert(balance.source, Source)
    charge = source.object == "charge"
    amount = source.amount_captured if charge else source.amount
    money = from_stripe(source.amount if amount is None else amount, source.currency)
    if money is None:
        return None
    failed = balance.type in ("payment_failure_refund", "refund_failure")
    return ProviderTransaction(
        kind=TransactionKind.CHARGE if charge else TransactionKind.REFUND,
        reference=(source.payment_intent or source.id) if charge else source.id,
        key=uuid_of(source.metadata.get("key" if charge else "refund_id")),
        amount=money,
        status="failed" if failed else "succeeded",
        at=datetime.fromtimestamp(balance.created, UTC),
    )
