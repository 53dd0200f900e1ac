"""The provider `paypal`: Orders v2 and Payments v2, over REST."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from actors.payments.lines import NoAnswer
from actors.payments.paypal.access import Access
from actors.payments.paypal.amounts import to_paypal
from actors.payments.paypal.answers import (
    VOIDED,
    Part,
    captured,
    kebab,
    refund_mark_of,
    refunded,
)
from actors.payments.paypal.asking import Asker, Refused
from actors.payments.paypal.books import Books
from actors.payments.paypal.keeping import describe, forget
from actors.payments.paypal.orders import NOT_SUPPORTED, UNKNOWN, Orders, declined
from actors.payments.paypal.webhooks import Proofs, facts
from actors.payments.provider import (
    CaptureAsk,
    ChargeAsk,
    ProviderTransaction,
    RefundAsk,
    VoidAsk,
)
from bus.kit.settings import Settings
from bus.payments import (
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
)

REFUND_KEY_SECONDS_MAX = 44 * 86_400
"""PayPal forgets a refund's key after 45 days."""

LISTING_FACTOR = 10
"""How much longer an ask may take that has to read lists."""

Found = TypeVar("Found")
NOT_KNOWN_YET = RefundOutcome(status=RefundStatus.PENDING)
_REFERENCE = re.compile(r"[A-Z0-9]{1,36}")
_MOVED = frozenset(
    {
        "AUTHORIZATION_ALREADY_CAPTURED",
        "PREVIOUSLY_CAPTURED",
        "AUTHORIZATION_VOIDED",
        "PREVIOUSLY_VOIDED",
        "AUTHORIZATION_EXPIRED",
        "MAX_CAPTURE_COUNT_EXCEEDED",
        "RESOURCE_NOT_FOUND",
    }
)
"""It is not held any more, or was taken at once and is no authorisation: it is read."""


class PayPal:
    """PayPal's client.

    A key gets the same answer for 6 hours (orders) or 45 days (captures, refunds), so
    what is not known is asked again, or read by PayPal's own id.
    """

    name = "paypal"
    lag = timedelta(hours=4)  # its documents say up to three

    def __init__(
        self, settings: Settings, log: Any, timeout_seconds: float, clock: Any
    ) -> None:
        merchant_id = settings.paypal_merchant_id
        self._access = Access(
            settings.paypal_url,
            settings.paypal_client_id,
            settings.paypal_client_secret,
            log,
            clock.monotonic,
        )
        self._asker = Asker(self._access, timeout_seconds, log)
        self._books = Books(self._asker, log)
        self._orders = Orders(self._asker, self._books, merchant_id, log, clock.now)
        self._proofs = Proofs(self._access, settings.paypal_webhook_id, log)
        self._merchant_id = merchant_id
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._now: Callable[[], float] = clock.now

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money: capture the approved order, or pay from the vault."""
        return await self._pay(ask)

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Hold money, in the same ways."""
        return await self._pay(ask)

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of a charge; None: PayPal never heard of it."""
        listing = self._orders.forgotten(ask)
        return await self._in_time(
            ask.key, self._orders.find(ask), UNKNOWN, listing=listing
        )

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Take what is held, or a part of it; the rest is let go."""
        amount = to_paypal(ask.amount)
        if amount is None or not self._named(ask.key, ask.reference):
            return UNKNOWN
        body = {"amount": amount, "final_capture": True}
        work = self._move(ask.key, ask.reference or "", "capture", body)
        return await self._in_time(ask.key, work, UNKNOWN)

    async def void(self, ask: VoidAsk) -> Outcome:
        """Let go what is held: DECLINED, `voided`."""
        if not self._named(ask.key, ask.reference):
            return UNKNOWN
        work = self._move(ask.key, ask.reference or "", "void", None)
        return await self._in_time(ask.key, work, UNKNOWN)

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key."""
        if not self._named(ask.key, ask.reference):
            return NOT_KNOWN_YET
        return await self._in_time(ask.key, self._refund(ask), NOT_KNOWN_YET)

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """What became of a refund; None: PayPal never heard of it."""
        if not self._named(ask.key, ask.reference):
            return NOT_KNOWN_YET
        return await self._in_time(ask.key, self._orders.refund(ask), NOT_KNOWN_YET)

    async def describe(self, token: str, owner: UUID) -> MethodFacts | None:
        """What is shown of a payment token in PayPal's vault."""
        return await describe(self._asker, token, owner)

    async def forget(self, token: str) -> None:
        """Take a payment token out of PayPal's vault."""
        await forget(self._asker, token)

    async def verify_webhook(
        self,
        body: bytes,
        headers: Mapping[str, str],
        now: float,  # noqa: ARG002 - PayPal itself says whether it is genuine
    ) -> WebhookFacts | None:
        """What a webhook says, once PayPal has said that it sent it."""
        await self._proofs.prove(body, headers)
        return facts(body, self._merchant_id, self._log)

    def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All payments and refunds of that time; PayPal lists them 3 hours late."""
        return self._books.transactions(since, until)

    async def close(self) -> None:
        """End all connections."""
        await self._access.close()

    async def _pay(self, ask: ChargeAsk) -> Outcome:
        listing = self._orders.forgotten(ask)
        return await self._in_time(
            ask.key, self._orders.pay(ask), UNKNOWN, listing=listing
        )

    async def _refund(self, ask: RefundAsk) -> RefundOutcome:
        amount = to_paypal(ask.amount)
        if amount is None:
            return RefundOutcome(
                status=RefundStatus.REJECTED, reason_code=NOT_SUPPORTED
            )
        if self._forgotten(ask):
            found = await self._orders.refund(ask)
            if found is not None:
                return found
        part = await self._asker.post(
            f"/v2/payments/captures/{ask.reference}/refund",
            Part,
            ask.key,
            {
                "amount": amount,
                "invoice_id": str(ask.key),
                "custom_id": refund_mark_of(ask.order_id, ask.key),
            },
        )
        if isinstance(part, Refused):
            return RefundOutcome(
                status=RefundStatus.REJECTED, reason_code=kebab(part.issue)
            )
        if part.money != ask.amount:
            self._log.error("provider-answer-wrong", key=str(ask.key))
            return NOT_KNOWN_YET
        return refunded(part)

    async def _in_time(
        self,
        key: UUID,
        work: Awaitable[Found],
        unknown: Found,
        *,
        listing: bool = False,
    ) -> Found:
        """All the calls of one ask together have the time of one."""
        seconds = self._timeout_seconds * (LISTING_FACTOR if listing else 1)
        try:
            async with asyncio.timeout(seconds):
                return await work
        except TimeoutError:
            self._log.warning(
                "provider-call-failed",
                provider=self.name,
                key=str(key),
                error="no answer in time",
            )
        except NoAnswer:
            pass  # said where it was asked
        return unknown

    async def _move(self, key: UUID, reference: str, what: str, body: Any) -> Outcome:
        """Capture or void an authorisation; one that was moved before is read."""
        path = f"/v2/payments/authorizations/{reference}/{what}"
        if what == "void":
            refused = await self._asker.do("POST", path, key)
            if refused is None:
                return declined(VOIDED)
        else:
            part = await self._asker.post(path, Part, key, body)
            if not isinstance(part, Refused):
                return captured(part)
            refused = part
        if refused.issue not in _MOVED:
            self._log.error("provider-refuses", key=str(key), code=kebab(refused.issue))
        return await self._orders.part(reference)

    def _named(self, key: UUID, reference: str | None) -> bool:
        """Whether PayPal's id of it is known; a person has to look where it is not."""
        if reference is not None and _REFERENCE.fullmatch(reference):
            return True
        self._log.error("provider-cannot-be-asked", provider="paypal", key=str(key))
        return False

    def _forgotten(self, ask: RefundAsk) -> bool:
        """Whether PayPal may have forgotten the ask's key."""
        if ask.begun_at is None:
            return False
        return self._now() - ask.begun_at.timestamp() > REFUND_KEY_SECONDS_MAX
