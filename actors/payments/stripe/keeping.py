"""Stored methods at Stripe: a PaymentMethod, attached to a Customer of its own.

Stripe lets a PaymentMethod be used again only by the Customer that it is attached to.
The Customer holds nothing of the person: Stripe needs it, the shop does not.
"""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import stripe

from actors.payments.stripe.answers import Card, Kept, read
from bus.kit.refusals import Unavailable
from bus.payments import MethodFacts

MARK = "\n"
"""Between the Customer and the PaymentMethod of a kept token: no shopper can send it,
so nobody can name another's Customer."""

_KEEPABLE = re.compile(r"(?:pm|card)_\w+", re.ASCII)


async def describe(
    client: stripe.StripeClient, token: str, log: Any
) -> MethodFacts | None:
    """What is shown of a PaymentMethod, attached for later; None when it is unknown.

    Attaching twice is attaching once: the keys follow from its id.
    """
    if not _KEEPABLE.fullmatch(token):
        return None
    try:
        kept = read(await client.v1.payment_methods.retrieve_async(token), Kept)
        customer = kept.customer or await _attach(client, kept.id)
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        log.info("provider-keeps-not", provider="stripe", code=error.code)
        return None
    except (stripe.StripeError, ValueError) as error:
        log.warning(
            "provider-call-failed", provider="stripe", error=type(error).__name__
        )
        raise Unavailable("the provider does not answer") from None
    card = kept.card or Card(brand=kept.type)
    return MethodFacts(
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        token=f"{customer}{MARK}{kept.id}",
    )


async def _attach(client: stripe.StripeClient, method_id: str) -> str:
    """Attach it to a Customer, and say which."""

    def key(what: str) -> Any:
        return {"idempotency_key": str(uuid5(NAMESPACE_URL, f"{what}:{method_id}"))}

    customer = await client.v1.customers.create_async({}, key("customer"))
    await client.v1.payment_methods.attach_async(
        method_id, {"customer": customer.id}, key("attach")
    )
    return str(customer.id)
