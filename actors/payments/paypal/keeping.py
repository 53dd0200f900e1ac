"""Stored methods at PayPal: payment tokens of its vault."""

import re
from typing import Any
from uuid import UUID

from actors.payments.lines import NoAnswer
from actors.payments.paypal.asking import Asker, Refused
from actors.payments.paypal.orders import VAULT, is_order_id
from bus.kit.refusals import Unavailable
from bus.kit.values import Value
from bus.payments import MethodFacts

_VAULT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_EXPIRY = re.compile(r"([0-9]{4})-([0-9]{2})")


class Card(Value, frozen=True, kw_only=True):
    """What is shown of a card."""

    brand: str = "card"
    last_digits: str = ""
    expiry: str = ""


class Source(Value, frozen=True, kw_only=True):
    """What a payment token stands for; of a PayPal account nothing is read."""

    paypal: dict[str, Any] | None = None
    card: Card | None = None


class Customer(Value, frozen=True, kw_only=True):
    """Whose a payment token is."""

    merchant_customer_id: str | None = None


class Token(Value, frozen=True, kw_only=True):
    """A payment token of the vault."""

    id: str
    payment_source: Source
    customer: Customer = Customer()

    @property
    def owner(self) -> str | None:
        """Who has agreed to it, by their id here."""
        return self.customer.merchant_customer_id


async def describe(asker: Asker, token: str, owner: UUID) -> MethodFacts | None:
    """What is shown of a token; an order that is approved once cannot be kept.

    A vault's ids are short: one is the owner's only if the shop's page gave their id to
    PayPal (`merchant_customer_id`) when they agreed to it.
    """
    if is_order_id(token) or not _VAULT_ID.fullmatch(token):
        return None
    try:
        found = await asker.get(f"/v3/vault/payment-tokens/{token}", Token)
    except NoAnswer:
        raise Unavailable("the provider does not answer") from None
    if isinstance(found, Refused) or found.owner != str(owner):
        return None
    kept = f"{VAULT}{token}"
    card = found.payment_source.card
    if card is None:
        return MethodFacts(brand="paypal", last4="", token=kept)
    expiry = _EXPIRY.fullmatch(card.expiry)
    return MethodFacts(
        brand=card.brand.lower(),
        last4=card.last_digits,
        exp_month=int(expiry[2]) if expiry else None,
        exp_year=int(expiry[1]) if expiry else None,
        token=kept,
    )


async def forget(asker: Asker, token: str) -> None:
    """Take a kept token out of the vault; one that is not there is let be."""
    if not token.startswith(VAULT):
        return
    place = f"/v3/vault/payment-tokens/{token.removeprefix(VAULT)}"
    try:
        await asker.do("DELETE", place, None)
    except NoAnswer:
        raise Unavailable("the provider does not answer") from None
