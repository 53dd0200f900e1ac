"""The three providers behind one counter, so that one suite can ask them all."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
import stripe

from actors.payments.paypal import PayPal
from actors.payments.provider import CaptureAsk, ChargeAsk, RefundAsk, VoidAsk
from actors.payments.sandbox import Sandbox
from actors.payments.stripe import Stripe
from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from bus.kit.values import Money
from persistence.payments import attempt_key
from scripts.bank.webhooks import sign
from tests.payments.doubles import paypal as paypal_double
from tests.payments.doubles import stripe as stripe_double
from tests.payments.doubles.weather import Moment
from tests.payments.support import SECRET, Bank

WEBHOOK_SECRET = "whsec_of_the_tests"
TIMEOUT_SECONDS = 0.5


class Log:
    """Keeps what was logged."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        def say(event: str, **fields: Any) -> None:
            self.said.append((level, event, fields))

        return say

    def of(self, level: str) -> list[str]:
        """The events of one level."""
        return [event for at, event, _ in self.said if at == level]


class Teller:
    """A provider, and what a test can see and do at its other side."""

    poor_code = ""

    def __init__(self, provider: Any, double: Any) -> None:
        self.provider = provider
        self.double = double

    async def fault(self, name: str) -> None:
        """What is wrong from now on: "silent", "refuse" or nothing."""
        self.double.fault = name

    def good(self, amount: int, *, capture: bool = True) -> str:
        """A token that pays that much."""
        raise NotImplementedError

    def poor(self) -> str:
        """A token that pays nothing."""
        raise NotImplementedError

    async def taken(self, order_id: UUID) -> list[int]:
        """What was taken for an order, and not given back wholly before it was."""
        raise NotImplementedError

    async def given(self, order_id: UUID) -> list[int]:
        """What was given back."""
        raise NotImplementedError

    def webhook(self, ask: ChargeAsk) -> tuple[bytes, dict[str, str]]:
        """A genuine webhook that says that the ask's money was taken."""
        raise NotImplementedError


class SandboxTeller(Teller):
    """The sandbox bank: a process of its own."""

    poor_code = "insufficient-funds"

    async def fault(self, name: str) -> None:
        await self.double.faults(**({name: True} if name else {}))

    def good(self, amount: int, *, capture: bool = True) -> str:
        return "tok_visa"

    def poor(self) -> str:
        return "tok_insufficient_funds"

    async def taken(self, order_id: UUID) -> list[int]:
        rows = await self.double.ledger(order_id)
        return [row["captured"] for row in rows if row.get("captured")]

    async def given(self, order_id: UUID) -> list[int]:
        rows = await self.double.ledger(order_id)
        refunds = [r for r in rows if "charge_key" in r and r["status"] == "succeeded"]
        return [row["amount"] for row in refunds]

    def webhook(self, ask: ChargeAsk) -> tuple[bytes, dict[str, str]]:
        charge = {
            "key": str(ask.key),
            "status": "succeeded",
            "order_id": str(ask.order_id),
            "attempt": ask.attempt,
        }
        body = {"id": str(uuid4()), "type": "charge.succeeded", "charge": charge}
        encoded = msgspec.json.encode(body)
        return encoded, {"bank-signature": sign(SECRET, encoded, int(time.time()))}


class StripeTeller(Teller):
    """Stripe's double."""

    poor_code = "insufficient-funds"

    def good(self, amount: int, *, capture: bool = True) -> str:
        return "pm_visa"

    def poor(self) -> str:
        return "pm_poor"

    async def taken(self, order_id: UUID) -> list[int]:
        return [
            intent["amount_received"]
            for intent in self.double.intents.values()
            if intent["metadata"]["order_id"] == str(order_id)
            and intent["amount_received"]
        ]

    async def given(self, order_id: UUID) -> list[int]:
        return [
            refund["amount"]
            for refund in self.double.refunds.values()
            if refund["metadata"]["order_id"] == str(order_id)
        ]

    def webhook(self, ask: ChargeAsk) -> tuple[bytes, dict[str, str]]:
        return self.event("payment_intent.succeeded", intent_of(ask))

    def event(self, kind: str, thing: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Any event of Stripe's, signed now."""
        body = {"id": f"evt_{uuid4().hex}", "type": kind, "data": {"object": thing}}
        text = msgspec.json.encode(body).decode()
        header = stripe.WebhookSignature.generate_signature_header(text, WEBHOOK_SECRET)
        return text.encode(), {"stripe-signature": header}


class PayPalTeller(Teller):
    """PayPal's double; its tokens are orders that a buyer has approved."""

    poor_code = "instrument-declined"

    async def fault(self, name: str) -> None:
        self.double.fault = name
        self.double.only = "/captur" if name == "silent" else ""  # money moves there

    def good(self, amount: int, *, capture: bool = True) -> str:
        intent = "CAPTURE" if capture else "AUTHORIZE"
        token: str = self.double.approve(f"{amount / 100:.2f}", intent)
        return token

    def poor(self) -> str:
        token = self.good(1999)
        self.double.orders[token]["poor"] = True
        return token

    async def taken(self, order_id: UUID) -> list[int]:
        return [
            round(float(part["amount"]["value"]) * 100)
            for part in self.double.parts.values()
            if part["kind"] == "captures"
            and part["custom_id"].startswith(str(order_id))
        ]

    async def given(self, order_id: UUID) -> list[int]:
        return [
            round(float(refund["amount"]["value"]) * 100)
            for refund in self.double.refunds.values()
            if refund["custom_id"].startswith(str(order_id))
        ]

    def webhook(self, ask: ChargeAsk) -> tuple[bytes, dict[str, str]]:
        return self.event("capture", capture_of(ask))

    def event(self, kind: str, thing: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        """Any event of PayPal's, signed by it."""
        body = msgspec.json.encode(
            {
                "id": f"WH-{uuid4().hex}",
                "event_type": f"PAYMENT.{kind.upper()}.COMPLETED",
                "resource_type": kind,
                "resource": thing,
            }
        )
        return body, self.double.sign(body)


def intent_of(ask: ChargeAsk, status: str = "succeeded") -> dict[str, Any]:
    """A PaymentIntent of an ask's."""
    return {
        "id": "pi_1",
        "status": status,
        "latest_charge": "ch_1",
        "amount": ask.amount.amount,
        "currency": ask.amount.currency.lower(),
        "metadata": {
            "order_id": str(ask.order_id),
            "attempt": str(ask.attempt),
            "key": str(ask.key),
        },
    }


def capture_of(ask: ChargeAsk, status: str = "COMPLETED") -> dict[str, Any]:
    """A capture of an ask's, in dollars."""
    value = f"{ask.amount.amount / 100:.2f}"
    return {
        "id": "CAPTURE1",
        "status": status,
        "amount": {"currency_code": ask.amount.currency, "value": value},
        "custom_id": f"{ask.order_id}:{ask.attempt}",
        "payee": {"merchant_id": paypal_double.MERCHANT},
    }


def settings_of(double: Any, **values: Any) -> Settings:
    """The settings of a shop that charges at a double."""
    if isinstance(double, stripe_double.Stripe):
        values |= {
            "stripe_url": double.url,
            "stripe_secret_key": stripe_double.SECRET_KEY,
            "stripe_webhook_secret": WEBHOOK_SECRET,
        }
    else:
        values |= {
            "paypal_url": double.url,
            "paypal_client_id": paypal_double.CLIENT_ID,
            "paypal_client_secret": paypal_double.CLIENT_SECRET,
            "paypal_webhook_id": paypal_double.WEBHOOK_ID,
            "paypal_merchant_id": paypal_double.MERCHANT,
        }
    return Settings(**values)


@asynccontextmanager
async def teller_of(
    double: Any, log: Any = None, clock: Any = None, **settings: Any
) -> AsyncIterator[Any]:
    """The shop's own client, and the double that it asks."""
    async with double.served():
        client = Stripe if isinstance(double, stripe_double.Stripe) else PayPal
        kind = StripeTeller if client is Stripe else PayPalTeller
        provider = client(
            settings_of(double).changed(**settings),
            log or Log(),
            TIMEOUT_SECONDS,
            clock or Moment(time.time()),
        )
        try:
            yield kind(provider, double)
        finally:
            await provider.close()


@asynccontextmanager
async def sandbox_teller(bank: Bank) -> AsyncIterator[Teller]:
    """The sandbox bank's client, and the bank."""
    provider = Sandbox(bank.url, SECRET, Log(), TIMEOUT_SECONDS)
    try:
        yield SandboxTeller(provider, bank)
    finally:
        await provider.close()


def charge_ask(token: str, amount: int = 1999, **fields: Any) -> ChargeAsk:
    """A charge to ask a provider for, begun now."""
    order_id = new_id()
    values = {
        "key": attempt_key(order_id, 1),
        "order_id": order_id,
        "attempt": 1,
        "amount": Money(amount, "USD"),
        "token": token,
        "begun_at": datetime.now(UTC),
    }
    return ChargeAsk(**{**values, **fields})


def refund_ask(ask: ChargeAsk, reference: str | None, amount: int) -> RefundAsk:
    """A refund of what that charge took."""
    return RefundAsk(
        key=new_id(),
        order_id=ask.order_id,
        charge_key=ask.key,
        amount=Money(amount, ask.amount.currency),
        reference=reference,
        begun_at=datetime.now(UTC),
    )


def capture_ask(ask: ChargeAsk, reference: str | None, amount: int) -> CaptureAsk:
    """A capture of what that ask holds."""
    return CaptureAsk(
        key=uuid5(ask.key, "capture"),
        charge_key=ask.key,
        reference=reference,
        amount=Money(amount, ask.amount.currency),
    )


def void_ask(ask: ChargeAsk, reference: str | None) -> VoidAsk:
    """The end of what that ask holds."""
    return VoidAsk(key=uuid5(ask.key, "void"), charge_key=ask.key, reference=reference)
