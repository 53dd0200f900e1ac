"""The provider `sandbox`: a bank for development, reached over HTTP as any other."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import aiohttp
import msgspec

from actors.payments.lines import (
    ANSWER_BYTES_MAX,
    CALLS_MAX,
    AnswerLine,
    Lines,
    NoAnswer,
)
from actors.payments.provider import ChargeAsk, RefundAsk
from bus.kit.refusals import Unavailable
from bus.kit.values import Value
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    RefundStatus,
    WebhookFacts,
    invalid_signature,
)
from persistence.payments import attempt_key

CONNECT_SECONDS_MAX = 2.0
DESCRIBE_SECONDS_MAX = 5.0
WEBHOOK_AGE_SECONDS_MAX = 300
WEBHOOK_BYTES_MAX = 1 << 16

UNKNOWN = Outcome(status=AttemptStatus.UNKNOWN)
NOT_KNOWN_YET = RefundOutcome(status=RefundStatus.PENDING)
_STATUSES = {
    "succeeded": AttemptStatus.SUCCEEDED,
    "declined": AttemptStatus.DECLINED,
    "pending": AttemptStatus.PENDING,
}
_REFUND_STATUSES = {
    "succeeded": RefundStatus.COMPLETED,
    "rejected": RefundStatus.REJECTED,
}


class ChargeAnswer(AnswerLine, frozen=True, kw_only=True):
    """What the bank says of a charge; also inside its webhooks."""

    amount: int = 0
    currency: str = ""
    decline_code: str | None = None
    reference: str | None = None
    order_id: str = ""
    attempt: int = 0


class RefundAnswer(AnswerLine, frozen=True, kw_only=True):
    """What the bank says of a refund."""

    amount: int = 0
    currency: str = ""
    reason_code: str | None = None
    reference: str | None = None


class Webhook(Value, frozen=True, kw_only=True):
    """What the bank sends when it has settled a charge."""

    id: UUID
    type: str
    charge: ChargeAnswer


class Sandbox:
    """The bank's client."""

    name = "sandbox"

    def __init__(
        self, url: str, webhook_secret: str, log: Any, timeout_seconds: float
    ) -> None:
        self._secret = webhook_secret.encode()
        self._log = log
        self._timeout_seconds = timeout_seconds
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CALLS_MAX),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS_MAX),
            read_bufsize=ANSWER_BYTES_MAX,
        )
        # A call outlives its lines' deadlines by a little, so that they end first.
        call = timeout_seconds + 1

        def charges(path: str) -> Lines[ChargeAnswer]:
            return Lines(self._session, self._url + path, ChargeAnswer, log, call)

        self._charges = charges("/v1/charges")
        self._lookups = charges("/v1/charges/lookup")

        def refunds(path: str) -> Lines[RefundAnswer]:
            return Lines(self._session, self._url + path, RefundAnswer, log, call)

        self._refunds = refunds("/v1/refunds")
        self._refund_lookups = refunds("/v1/refunds/lookup")

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money, once by the key."""
        form = {
            "key": str(ask.key),
            "amount": ask.amount.amount,
            "currency": ask.amount.currency,
            "token": ask.token,
            "order_id": str(ask.order_id),
            "attempt": ask.attempt,
        }
        return await self._ask(self._charges, ask, form) or UNKNOWN

    async def find_charge(self, ask: ChargeAsk) -> Outcome | None:
        """What became of a charge; None: the bank never heard of its key."""
        return await self._ask(self._lookups, ask, {"key": str(ask.key)})

    async def refund(self, ask: RefundAsk) -> RefundOutcome:
        """Give money back, once by the key."""
        form: dict[str, Any] = {
            "key": str(ask.key),
            "charge_key": str(ask.charge_key),
            "amount": ask.amount.amount,
            "currency": ask.amount.currency,
        }
        return await self._ask_refund(self._refunds, ask, form) or NOT_KNOWN_YET

    async def find_refund(self, ask: RefundAsk) -> RefundOutcome | None:
        """What became of a refund; None: the bank never heard of its key."""
        return await self._ask_refund(self._refund_lookups, ask, {"key": str(ask.key)})

    async def describe(self, token: str) -> MethodFacts | None:
        """What is shown of a token; None: the bank does not know it."""
        try:
            async with self._session.post(
                f"{self._url}/v1/tokens/describe",
                data=msgspec.json.encode({"token": token}),
                timeout=aiohttp.ClientTimeout(total=DESCRIBE_SECONDS_MAX),
            ) as response:
                if response.status == 404:
                    return None
                response.raise_for_status()
                return msgspec.json.decode(await response.read(), type=MethodFacts)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as e:
            self._log.warning("provider-call-failed", error=repr(e), lines=1)
            raise Unavailable("the provider does not answer") from e

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: float
    ) -> WebhookFacts | None:
        """What a webhook of the bank says, once its HMAC is proven and recent."""
        signature = headers.get("bank-signature", "")
        parts = dict(part.partition("=")[::2] for part in signature.split(","))
        at = parts.get("t", "")
        if not self._secret or len(body) > WEBHOOK_BYTES_MAX or not at.isdecimal():
            raise invalid_signature()
        proof = hmac.new(self._secret, at.encode() + b"." + body, hashlib.sha256)
        given = parts.get("v1", "").encode(errors="replace")
        if not hmac.compare_digest(proof.hexdigest().encode(), given):
            raise invalid_signature()
        if len(at) > 12 or abs(now - int(at)) > WEBHOOK_AGE_SECONDS_MAX:
            raise invalid_signature()
        try:
            return _facts(msgspec.json.decode(body, type=Webhook))
        except msgspec.DecodeError as error:
            self._log.error("provider-webhook-unreadable", error=str(error))
            return None

    async def close(self) -> None:
        """End all calls and connections."""
        for charges in (self._charges, self._lookups):
            await charges.close()
        for refunds in (self._refunds, self._refund_lookups):
            await refunds.close()
        await self._session.close()

    async def _ask(
        self, lines: Lines[ChargeAnswer], ask: ChargeAsk, form: dict[str, Any]
    ) -> Outcome | None:
        line = msgspec.json.encode(form)
        try:
            answer = await lines.ask(form["key"], line, self._timeout_seconds)
        except NoAnswer:
            return UNKNOWN
        if answer.status == "absent":
            return None
        if answer.status not in _STATUSES or not self._fits(answer, ask):
            self._wrong(answer, ask.key)
            return UNKNOWN
        return _outcome(answer)

    async def _ask_refund(
        self, lines: Lines[RefundAnswer], ask: RefundAsk, form: dict[str, Any]
    ) -> RefundOutcome | None:
        line = msgspec.json.encode(form)
        try:
            answer = await lines.ask(form["key"], line, self._timeout_seconds)
        except NoAnswer:
            return NOT_KNOWN_YET
        if answer.status == "absent":
            return None
        status = _REFUND_STATUSES.get(answer.status)
        if status is None or not self._fits(answer, ask):
            self._wrong(answer, ask.key)
            return NOT_KNOWN_YET
        return RefundOutcome(
            status=status, reason_code=answer.reason_code, reference=answer.reference
        )

    def _fits(
        self, answer: ChargeAnswer | RefundAnswer, ask: ChargeAsk | RefundAsk
    ) -> bool:
        """Whether an answer is about the amount that was asked for."""
        amount = ask.amount
        return (answer.amount, answer.currency) == (amount.amount, amount.currency)

    def _wrong(self, answer: AnswerLine, key: UUID) -> None:
        """An answer that cannot be acted upon: the ask stays unknown."""
        self._log.error(
            "provider-answer-wrong",
            key=str(key),
            status=answer.status,
            code=answer.code,
        )


def _outcome(answer: ChargeAnswer) -> Outcome:
    return Outcome(
        status=_STATUSES[answer.status],
        decline_code=answer.decline_code,
        reference=answer.reference,
    )


def _facts(webhook: Webhook) -> WebhookFacts | None:
    """What a genuine webhook means here; None for a charge that is not the shop's."""
    charge = webhook.charge
    try:
        order_id = UUID(charge.order_id)
    except ValueError:
        return None
    if charge.key != str(attempt_key(order_id, charge.attempt)):
        return None
    if charge.status not in _STATUSES:
        return None
    return WebhookFacts(
        event_id=webhook.id,
        order_id=order_id,
        attempt=charge.attempt,
        outcome=_outcome(charge),
    )
