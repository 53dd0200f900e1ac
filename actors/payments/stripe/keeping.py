"""Stored methods at Stripe: a PaymentMethod, attached to a Customer of its own.

Stripe lets a PaymentMethod be used again only by the Customer that it is attached to.
The Customer holds nothing of the person but their id here: Stripe needs it, the shop
does not.
"""

import re
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import stripe

from actors.payments.provider import KEPT_MARK
from actors.payments.stripe.answers import NO_ANSWER, Card, Customer, Kept, read
from bus.kit.refusals import Unavailable
from bus.payments import MethodFacts

_KEEPABLE = re.compile(r"(?:pm|card)_\w+", re.ASCII)


async def describe(
    client: stripe.StripeClient, token: str, owner: UUID, log: Any
) -> MethodFacts | None:
    """What is shown of a PaymentMethod, attached for later; None when it is unknown.

    Attaching twice is attaching once: the keys follow from its id. One that another
    person has kept is unknown.
    """
    if not _KEEPABLE.fullmatch(token):
        return None
    try:
        kept = read(await client.v1.payment_methods.retrieve_async(token), Kept)
        customer = await _customer(client, kept, owner)
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        log.info("provider-keeps-not", provider="stripe", code=error.code)
        return None
    except NO_ANSWER as error:
        log.warning(
            "provider-call-failed", provider="stripe", error=type(error).__name__
        )
        raise Unavailable("the provider does not answer") from None
    if customer is None:
        return None
    card = kept.card or Card(brand=kept.type)
    return MethodFacts(
        brand=card.brand,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        token=f"{customer}{KEPT_MARK}{kept.id}",
    )


async def forget(client: stripe.StripeClient, token: str, log: Any) -> None:
    """Detach a kept PaymentMethod from its Customer; one that is not is let be."""
    _, mark, method = token.partition(KEPT_MARK)
    if not mark:
        return
    try:
        await client.v1.payment_methods.detach_async(method)
    except stripe.InvalidRequestError as error:
        log.info("provider-keeps-not", provider="stripe", code=error.code)
    except NO_ANSWER as error:
        log.warning(
            "provider-call-failed", provider="stripe", error=type(error).__name__
        )
        raise Unavailable("the provider does not answer") from None


async def _customer(client: stripe.StripeClient, kept: Kept, owner: UUID) -> str | None:
    """The Customer that it is attached to, now or before; None: it is another's."""
    if kept.customer is not None:
        found = read(await client.v1.customers.retrieve_async(kept.customer), Customer)
        return found.id if found.metadata.get("owner") == str(owner) else None

    def key(what: str) -> Any:
        name = f"{what}:{kept.id}:{owner}"
        return {"idempotency_key": str(uuid5(NAMESPACE_URL, name))}

    made = await client.v1.customers.create_async(
        {"metadata": {"owner": str(owner)}}, key("customer")
    )
    await client.v1.payment_methods.attach_async(
        kept.id, {"customer": made.id}, key("attach")
    )
    return str(made.id)
