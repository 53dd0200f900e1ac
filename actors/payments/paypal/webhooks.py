"""PayPal's webhooks: who sent one, and what it says."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from actors.payments.calls import Answered
from actors.payments.lines import NoAnswer
from actors.payments.paypal.access import Access
from actors.payments.paypal.answers import (
    Part,
    authorized,
    captured,
    marked,
    refunded,
)
from bus.kit.refusals import Unavailable
from bus.kit.values import Value
from bus.payments import (
    AttemptStatus,
    RefundStatus,
    WebhookFacts,
    invalid_signature,
)

BYTES_MAX = 1 << 20
PROOF_SECONDS_MAX = 5.0
PROOFS_MAX = 16
"""Webhooks that are proven at once: each costs a call, and anyone may send one."""

_OK, _BAD = 200, 400
_SIGNED = {
    "transmission_id": "paypal-transmission-id",
    "transmission_time": "paypal-transmission-time",
    "transmission_sig": "paypal-transmission-sig",
    "cert_url": "paypal-cert-url",
    "auth_algo": "paypal-auth-algo",
}


class Event(Value, frozen=True, kw_only=True):
    """A webhook's body."""

    id: str
    event_type: str
    resource_type: str = ""
    resource: msgspec.Raw = msgspec.Raw(b"{}")


class Verdict(Value, frozen=True, kw_only=True):
    """Whether PayPal says that it has sent a webhook."""

    verification_status: str


class Proofs:
    """Asks PayPal itself whether a webhook is its own, as its documents say."""

    def __init__(self, access: Access, webhook_id: str, log: Any) -> None:
        self._access = access
        self._webhook_id = webhook_id
        self._log = log
        self._free = asyncio.Semaphore(PROOFS_MAX)

    async def prove(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Refuse what PayPal did not send; raises Unavailable while it does not say."""
        signed = {field: headers.get(name, "") for field, name in _SIGNED.items()}
        if not self._webhook_id or len(body) > BYTES_MAX or not all(signed.values()):
            raise invalid_signature()
        if not _host_of(signed["cert_url"]).endswith(".paypal.com"):
            raise invalid_signature()
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise invalid_signature() from None
        if self._free.locked():
            raise Unavailable("too many webhooks at once")
        async with self._free:
            await self._ask(body, signed)

    async def _ask(self, body: bytes, signed: dict[str, str]) -> None:
        asked = {
            **signed,
            "webhook_id": self._webhook_id,
            # Byte by byte as it came: what is signed is its checksum.
            "webhook_event": msgspec.Raw(body),
        }
        try:
            answer = await self._access.call(
                "POST",
                "/v1/notifications/verify-webhook-signature",
                PROOF_SECONDS_MAX,
                body=asked,
            )
            verdict = _verdict(answer)
        except (NoAnswer, msgspec.DecodeError, UnicodeDecodeError) as error:
            self._log.warning("provider-webhook-unproven", error=type(error).__name__)
            raise Unavailable("the provider does not answer") from None
        if verdict.verification_status != "SUCCESS":
            raise invalid_signature()


def _host_of(url: str) -> str:
    """The host that a stranger's URL names; "" for what is no URL."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # `https://[`
        return ""


def _verdict(answer: Answered) -> Verdict:
    """What PayPal said; what it takes for no webhook at all is none."""
    if answer.status == _BAD:
        return Verdict(verification_status="FAILURE")
    if answer.status != _OK:
        raise NoAnswer(str(answer.status))
    return msgspec.json.decode(answer.body, type=Verdict)


def facts(body: bytes, merchant_id: str, log: Any) -> WebhookFacts | None:
    """What a genuine webhook means here; None when it concerns nothing here.

    A shopper's page can make PayPal's orders, too, with any mark, amount and payee: so
    the amount is told, to be compared, and another's money is none of ours.
    """
    try:
        event = msgspec.json.decode(body, type=Event)
        if event.event_type.startswith("CUSTOMER.DISPUTE."):
            log.warning("provider-dispute", provider="paypal", event_id=event.id)
        if event.resource_type not in ("capture", "authorization", "refund"):
            return None
        part = msgspec.json.decode(event.resource, type=Part)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.error("provider-webhook-unreadable", provider="paypal")
        return None
    found = marked(part.custom_id)
    if found is None:
        return None
    if merchant_id and part.payee and part.payee.merchant_id != merchant_id:
        log.error("provider-pays-another", provider="paypal", event_id=event.id)
        return None
    order_id, which = found
    event_id = uuid5(NAMESPACE_URL, f"paypal:{event.id}")
    if isinstance(which, UUID):
        refund = refunded(part)
        if event.resource_type != "refund" or refund.status is RefundStatus.PENDING:
            return None
        return WebhookFacts(
            event_id=event_id, order_id=order_id, refund_id=which, refund=refund
        )
    outcome = captured(part) if event.resource_type == "capture" else authorized(part)
    if event.resource_type == "refund" or outcome.status is AttemptStatus.UNKNOWN:
        return None
    if part.money is None:
        return None
    return WebhookFacts(
        event_id=event_id,
        order_id=order_id,
        attempt=which,
        outcome=outcome,
        amount=part.money,
    )
