"""The provider `stripe`: PaymentIntents, confirmed by us, through Stripe's library."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid5

import stripe

from actors.payments.calls import Calls
from actors.payments.provider import (
    KEPT_MARK,
    CaptureAsk,
    ChargeAsk,
    ProviderTransaction,
    RefundAsk,
    VoidAsk,
)
from actors.payments.stripe.amounts import to_stripe
from actors.payments.stripe.answers import (
    NO_ANSWER,
    NOT_SUPPORTED,
    Intent,
    outcome_of,
)
from actors.payments.stripe.asking import NOT_KNOWN_YET, UNKNOWN, Asker
from actors.payments.stripe.books import Books
from actors.payments.stripe.keeping import describe, forget
from actors.payments.stripe.transport import client_of
from actors.payments.stripe.webhooks import facts, prove
from bus.kit.settings import Settings
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)

KEY_SECONDS_MAX = 23 * 3600
"""Stripe forgets a key after 24 hours; an hour before, it is looked up by listing."""

LISTING_FACTOR = 10
"""How much longer an ask may take that has to read lists."""

Found = TypeVar("Found")
_TOKEN = re.compile(rf"(?:(cus_\w+){KEPT_MARK})?((?:pm|card|src|tok)_\w+)", re.ASCII)
_MOVED = "payment_intent_unexpected_state"
_STUCK = frozenset({"requires_action", "requires_confirmation"})
_STALE = frozenset({"processing", "requires_capture"})


class Stripe:
    """Stripe's client.

    The same key gets the same answer for a day, so what is not known is asked again;
    a repeated answer is how things stood then, so what was not final is read anew.
    """

    name = "stripe"
    lag = timedelta(0)

    def __init__(
        self, settings: Settings, log: Any, timeout_seconds: float, clock: Any
    ) -> None:
        url = settings.stripe_url
        self._calls = Calls(url)
        self._client = client_of(
            settings.stripe_secret_key, url, self._calls, timeout_seconds
        )
        self._api = self._client.v1
        self._webhook_secret = settings.stripe_webhook_secret
        self._log = log
        self._timeout_seconds = timeout_seconds
        self._now: Callable[[], float] = clock.now
        self._asker = Asker(log)
        self._books = Books(self._client, log)

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money, once by the key."""
        return await self._in_time(ask.key, ask.begun_at, self._begin(ask), UNKNOWN)

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Hold money, once by the key."""
        return await self._in_time(ask.key, ask.begun_at, self._begin(ask), UNKNOWN)

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of a charge, by Stripe's id or by asking the very same again.

        None only when the key is too old for that, or nobody wants it any more, and no
        PaymentIntent bears it.
        """
        return await self._in_time(ask.key, ask.begun_at, self._find(ask), UNKNOWN)

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Take what is held, or a part of it; what is left of it is let go."""
        return await self._in_time(ask.key, None, self._capture(ask), UNKNOWN)

    async def void(self, ask: VoidAsk) -> Outcome:
        """Let go what is held: DECLINED, `voided`."""
        if ask.reference is None:
            return self._not_named(ask.key, ask.reference)
        work = self._cancel(ask.key, ask.key, ask.reference)
        return await self._in_time(ask.key, None, work, UNKNOWN)

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key."""
        return await self._in_time(
            ask.key, ask.begun_at, self._refund(ask), NOT_KNOWN_YET
        )

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """What became of a refund: it is listed with its payment."""
        try:
            return await self._books.refund(ask)
        except NO_ANSWER as error:
            self._asker.unknown(ask.key, error)
            return NOT_KNOWN_YET

    async def describe(self, token: str, owner: UUID) -> MethodFacts | None:
        """What is shown of a PaymentMethod, which is kept for later on the way."""
        return await describe(self._client, token, owner, self._log)

    async def forget(self, token: str) -> None:
        """Detach the PaymentMethod; nobody can ever pay with it again."""
        await forget(self._client, token, self._log)

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: float
    ) -> WebhookFacts | None:
        """What a webhook says, once its signature is proven and recent."""
        prove(body, headers, self._webhook_secret, now)
        return facts(body, self._log)

    def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All charges and refunds of that time, the newest first."""
        return self._books.transactions(since, until)

    async def close(self) -> None:
        """End all connections."""
        await self._calls.close()

    async def _in_time(
        self,
        key: UUID,
        begun_at: datetime | None,
        work: Awaitable[Found],
        unknown: Found,
    ) -> Found:
        """All the calls of one ask together have the time of one."""
        seconds = self._timeout_seconds
        if self._forgotten(begun_at):
            seconds *= LISTING_FACTOR
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError as error:
            self._asker.unknown(key, error)
            return unknown

    async def _find(self, ask: ChargeAsk) -> Outcome | None:
        if ask.reference:
            return await self._settled(ask, ask.reference)
        if not ask.wanted or self._forgotten(ask.begun_at):
            return await self._searched(ask)
        return await self._create(ask, again=True)

    async def _begin(self, ask: ChargeAsk) -> Outcome:
        """Create and confirm; a key that may be forgotten is looked up before."""
        if self._forgotten(ask.begun_at):
            found = await self._searched(ask)
            if found is not None:
                return found
        return await self._create(ask)

    async def _capture(self, ask: CaptureAsk) -> Outcome:
        amount = to_stripe(ask.amount)
        if amount is None or ask.reference is None:
            return self._not_named(ask.key, ask.reference)
        reference = ask.reference
        found = await self._asker.intent(
            ask.key,
            None,
            lambda: self._api.payment_intents.capture_async(
                reference,
                {"amount_to_capture": amount},
                {"idempotency_key": str(ask.key)},
            ),
        )
        return await self._moved(ask.key, reference, found)

    async def _refund(self, ask: RefundAsk) -> RefundOutcome:
        amount = to_stripe(ask.amount)
        if amount is None:
            return RefundOutcome(
                status=RefundStatus.REJECTED, reason_code=NOT_SUPPORTED
            )
        if ask.reference is None:
            self._not_named(ask.key, ask.reference)
            return NOT_KNOWN_YET
        if self._forgotten(ask.begun_at):
            found = await self.find_refund(ask)
            if found is not None:
                return found
        outcome = await self._asker.refund(
            ask.key,
            ask.amount,
            lambda: self._api.refunds.create_async(
                {
                    "payment_intent": ask.reference or "",
                    "amount": amount,
                    "metadata": {
                        "order_id": str(ask.order_id),
                        "refund_id": str(ask.key),
                    },
                },
                {"idempotency_key": str(ask.key)},
            ),
        )
        if outcome.status is RefundStatus.PENDING and outcome.reference:
            reference = outcome.reference
            return await self._asker.refund(
                ask.key,
                ask.amount,
                lambda: self._api.refunds.retrieve_async(reference),
            )
        return outcome

    async def _create(self, ask: ChargeAsk, *, again: bool = False) -> Outcome:
        amount, token = to_stripe(ask.amount), _TOKEN.fullmatch(ask.token)
        if amount is None or token is None:
            code = NOT_SUPPORTED if amount is None else "invalid-token"
            return Outcome(status=AttemptStatus.DECLINED, decline_code=code)
        params = _params(ask, amount, token[1], token[2])
        found = await self._asker.intent(
            ask.key,
            ask.amount,
            lambda: self._api.payment_intents.create_async(
                params, {"idempotency_key": str(ask.key)}
            ),
        )
        if isinstance(found, stripe.InvalidRequestError):
            return self._asker.refused(ask.key, found)
        if isinstance(found, Outcome):
            return found
        if again and found.status in _STALE:
            return await self._settled(ask, found.id)
        return await self._unstuck(ask, found)

    async def _settled(self, ask: ChargeAsk, reference: str) -> Outcome:
        """How a PaymentIntent stands now."""
        found = await self._asker.intent(
            ask.key,
            ask.amount,
            lambda: self._api.payment_intents.retrieve_async(reference),
        )
        if isinstance(found, stripe.InvalidRequestError):
            return self._asker.unknown(ask.key, found)
        return found if isinstance(found, Outcome) else await self._unstuck(ask, found)

    async def _unstuck(self, ask: ChargeAsk, intent: Intent) -> Outcome:
        """Its outcome; what waits for the buyer to act is cancelled, and declined.

        A buyer acts (3-D Secure) in a page of the shop's, with a secret that this API
        does not give out: nobody would ever act.
        """
        if intent.status not in _STUCK:
            return outcome_of(intent)
        return await self._cancel(ask.key, uuid5(ask.key, "cancel"), intent.id)

    async def _cancel(self, key: UUID, cancel_key: UUID, reference: str) -> Outcome:
        found = await self._asker.intent(
            key,
            None,
            lambda: self._api.payment_intents.cancel_async(
                reference, {}, {"idempotency_key": str(cancel_key)}
            ),
        )
        return await self._moved(key, reference, found)

    async def _moved(
        self,
        key: UUID,
        reference: str,
        found: Intent | Outcome | stripe.InvalidRequestError,
    ) -> Outcome:
        """The outcome of a capture or a cancellation; one that came late is read."""
        if isinstance(found, stripe.InvalidRequestError):
            if found.code != _MOVED:
                self._asker.refused(key, found)
            return await self._asker.outcome(
                key, None, lambda: self._api.payment_intents.retrieve_async(reference)
            )
        return outcome_of(found) if isinstance(found, Intent) else found

    async def _searched(self, ask: ChargeAsk) -> Outcome | None:
        """The PaymentIntent that bears the key, among all since it was begun."""
        try:
            intent = await self._books.intent(ask)
        except NO_ANSWER as error:
            return self._asker.unknown(ask.key, error)
        return None if intent is None else await self._unstuck(ask, intent)

    def _forgotten(self, begun_at: datetime | None) -> bool:
        """Whether Stripe may have forgotten a key of that time."""
        if begun_at is None:
            return False
        return self._now() - begun_at.timestamp() > KEY_SECONDS_MAX

    def _not_named(self, key: UUID, reference: str | None) -> Outcome:
        """An ask that cannot be put; a person has to look."""
        self._log.error(
            "provider-cannot-be-asked",
            provider=self.name,
            key=str(key),
            reference=reference,
        )
        return UNKNOWN


def _params(ask: ChargeAsk, amount: int, customer: str | None, token: str) -> Any:
    """The same for the same ask, always: Stripe compares them under a key."""
    params: dict[str, Any] = {
        "amount": amount,
        "currency": ask.amount.currency.lower(),
        "confirm": True,
        "capture_method": "automatic" if ask.capture else "manual",
        "payment_method_types": ["card"],
        "metadata": {
            "order_id": str(ask.order_id),
            "attempt": str(ask.attempt),
            "key": str(ask.key),
        },
    }
    if customer is not None:
        # A kept method: nobody is asked to prove who they are.
        params["customer"], params["off_session"] = customer, True
    if token.startswith("tok_"):
        params["payment_method_data"] = {"type": "card", "card": {"token": token}}
    else:
        params["payment_method"] = token
    return params
