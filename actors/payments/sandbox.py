"""The provider `sandbox`: a bank for development, reached over HTTP as any other."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
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
from actors.payments.provider import (
    CaptureAsk,
    ChargeAsk,
    ProviderTransaction,
    RefundAsk,
    VoidAsk,
)
from actors.payments.sandbox_wire import (
    NOT_KNOWN_YET,
    REFUND_STATUSES,
    REJECTED,
    STATUSES,
    UNKNOWN,
    ChargeAnswer,
    MoveAnswer,
    RefundAnswer,
    TransactionsPage,
    Webhook,
    charge_form,
    facts_of,
    outcome_of,
    own_key,
    why_gone,
)
from bus.kit.refusals import Unavailable
from bus.kit.values import Money
from bus.payments import (
    AttemptStatus,
    MethodFacts,
    Outcome,
    RefundOutcome,
    WebhookFacts,
    invalid_signature,
)

CONNECT_SECONDS_MAX = 2.0
DESCRIBE_SECONDS_MAX = 5.0
PAGE_SECONDS_MAX = 20.0
WEBHOOK_AGE_SECONDS_MAX = 300
WEBHOOK_BYTES_MAX = 1 << 16


class Sandbox:
    """The bank's client."""

    name = "sandbox"
    lag = timedelta(0)

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
        self._authorizations = charges("/v1/authorizations")
        self._lookups = charges("/v1/charges/lookup")

        def refunds(path: str) -> Lines[RefundAnswer]:
            return Lines(self._session, self._url + path, RefundAnswer, log, call)

        self._refunds = refunds("/v1/refunds")
        self._refund_lookups = refunds("/v1/refunds/lookup")
        self._moves: dict[str, Lines[MoveAnswer]] = {
            kind: Lines(self._session, f"{self._url}/v1/{kind}s", MoveAnswer, log, call)
            for kind in ("capture", "void")
        }

    async def charge(self, ask: ChargeAsk) -> Outcome:
        """Take money, once by the key."""
        return await self._ask(self._charges, ask, charge_form(ask)) or UNKNOWN

    async def authorize(self, ask: ChargeAsk) -> Outcome:
        """Hold money, once by the key."""
        return await self._ask(self._authorizations, ask, charge_form(ask)) or UNKNOWN

    async def capture(self, ask: CaptureAsk) -> Outcome:
        """Take what is held, once by the key."""
        form = {
            "key": str(ask.key),
            "charge_key": str(ask.charge_key),
            "amount": ask.amount.amount,
            "currency": ask.amount.currency,
        }
        return await self._move("capture", ask, form)

    async def void(self, ask: VoidAsk) -> Outcome:
        """Let go what is held, once by the key."""
        form = {"key": str(ask.key), "charge_key": str(ask.charge_key)}
        return await self._move("void", ask, form)

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

    async def transactions(
        self, since: datetime, until: datetime
    ) -> AsyncIterator[ProviderTransaction]:
        """All that the bank has moved in that time, oldest first."""
        asked = {"since": since.isoformat(), "until": until.isoformat()}
        after: str | None = ""
        while after is not None:
            page = await self._page({**asked, "after": after})
            for line in page.items:
                yield ProviderTransaction(
                    kind=line.kind,
                    reference=line.reference,
                    key=own_key(line.key),
                    amount=Money(line.amount, line.currency),
                    status=line.status,
                    at=line.at,
                )
            after = page.next

    async def _page(self, asked: dict[str, str]) -> TransactionsPage:
        try:
            async with self._session.get(
                f"{self._url}/v1/transactions",
                params=asked,
                timeout=aiohttp.ClientTimeout(total=PAGE_SECONDS_MAX),
            ) as response:
                response.raise_for_status()
                return msgspec.json.decode(await response.read(), type=TransactionsPage)
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as e:
            self._log.warning("provider-call-failed", error=repr(e), lines=1)
            raise Unavailable("the provider does not answer") from e

    async def describe(
        self,
        token: str,
        owner: UUID,  # noqa: ARG002 - the bank's tokens are anybody's
    ) -> MethodFacts | None:
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

    async def forget(self, token: str) -> None:
        """The bank keeps nothing of a token."""

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
            return facts_of(msgspec.json.decode(body, type=Webhook))
        except msgspec.DecodeError as error:
            self._log.error("provider-webhook-unreadable", error=str(error))
            return None

    async def close(self) -> None:
        """End all calls and connections."""
        for charges in (self._charges, self._authorizations, self._lookups):
            await charges.close()
        for moves in self._moves.values():
            await moves.close()
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
        if answer.status not in STATUSES or not self._fits(answer, ask):
            self._wrong(answer, ask.key)
            return UNKNOWN
        return outcome_of(answer)

    async def _move(
        self, kind: str, ask: CaptureAsk | VoidAsk, form: dict[str, Any]
    ) -> Outcome:
        line = msgspec.json.encode(form)
        try:
            answer = await self._moves[kind].ask(
                form["key"], line, self._timeout_seconds
            )
        except NoAnswer:
            return UNKNOWN
        about = (answer.kind, answer.charge_key) == (kind, form["charge_key"])
        fits = not isinstance(ask, CaptureAsk) or self._fits(answer, ask)
        if about and fits and answer.status == "succeeded":
            if kind == "capture":
                return Outcome(status=AttemptStatus.SUCCEEDED)
            return Outcome(status=AttemptStatus.DECLINED, decline_code="voided")
        status = REJECTED.get(answer.reason_code or "")
        if not about or answer.status != "rejected" or status is None:
            self._wrong(answer, ask.key)
            return UNKNOWN
        return Outcome(status=status, decline_code=why_gone(answer.reason_code))

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
        status = REFUND_STATUSES.get(answer.status)
        if status is None or not self._fits(answer, ask):
            self._wrong(answer, ask.key)
            return NOT_KNOWN_YET
        return RefundOutcome(
            status=status, reason_code=answer.reason_code, reference=answer.reference
        )

    def _fits(
        self,
        answer: ChargeAnswer | RefundAnswer | MoveAnswer,
        ask: ChargeAsk | RefundAsk | CaptureAsk,
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
