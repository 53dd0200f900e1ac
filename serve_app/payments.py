"""How the world reaches payments: stored methods, payments, refunds, webhooks."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import Query
from msgspec.structs import replace
from pydantic import Field
from starlette.requests import Request

from bus.kit.addressing import derived_id, new_id
from bus.kit.values import Done, Page
from bus.orders import GetOrder, Viewer
from bus.payments import (
    AMOUNT_MAX,
    REASON_CHARACTERS_MAX,
    TOKEN_CHARACTERS_MAX,
    AddMethod,
    ApplyWebhook,
    CloseRefund,
    GetPayment,
    ListMethods,
    ListPayments,
    ListReconciliations,
    MethodView,
    PaymentMethod,
    PaymentView,
    Reconcile,
    ReconciliationView,
    RefundOrder,
    RefundView,
    RemoveMethod,
    SetDefaultMethod,
    VerifyWebhook,
    card_number_refused,
    holds_card_number,
    unknown_method,
)
from serve_app.kit.bodies import Body, Currency, MoneyBody, Text
from serve_app.kit.routing import (
    ADMIN,
    PUBLIC,
    SIGNED_IN,
    Answer,
    Caller,
    ExpectedVersion,
    Pages,
    Router,
    ask,
    created,
    read_body,
)

router = Router("payments")

REFUND_SECONDS_MAX = 20.0
RECONCILE_SECONDS_MAX = 60.0
METHOD_SECONDS_MAX = 10.0
WEBHOOK_SECONDS_MAX = 10.0
SIGNATURE_CHARACTERS_MAX = 2_048
SIGNATURE_HEADERS = (
    "bank-signature",
    "stripe-signature",
    "paypal-transmission-id",
    "paypal-transmission-time",
    "paypal-transmission-sig",
    "paypal-cert-url",
    "paypal-auth-algo",
)

Token = Annotated[
    str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX, pattern=r"^[\x20-\x7e]+$")
]


class AddMethodBody(Body):
    """A method to keep: the provider's token, never a card number."""

    method: Annotated[PaymentMethod, Field(strict=False)]
    token: Token
    make_default: bool = False


class RefundAmountBody(MoneyBody):
    """What is to be given back; more than nothing."""

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX)]
    currency: Currency


class ReconcileBody(Body):
    """The provider to compare the ledger with."""

    provider: Annotated[str, Field(min_length=1, max_length=32)] = "sandbox"


class RefundPaymentBody(Body):
    """How much to give back (default: all that is left), and why."""

    reason: Annotated[Text, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]
    amount: RefundAmountBody | None = None


@router.get("/payments/methods", access=SIGNED_IN)
async def list_methods(caller: Caller) -> Page[MethodView]:
    """List your stored payment methods, the default first.

    Brand, last four digits and expiry are all that is kept beside the provider's
    token, and all of it is encrypted.
    """
    return await ask(ListMethods(user_id=caller.person))


@router.post("/payments/methods", access=SIGNED_IN, idempotent=True, status=201)
async def add_method(body: AddMethodBody, caller: Caller) -> Answer[MethodView]:
    """Store a payment method.

    `token` is what the provider gave for the card or account. A full card number
    outside the provider's test range is refused (422 `card-number-refused`) and never
    logged. The first method becomes the default.
    """
    if holds_card_number(body.token):
        raise card_number_refused()
    command_id = caller.command_id()
    method = await ask(
        AddMethod(
            user_id=caller.person,
            method_id=derived_id(command_id, "payment-method", caller.person),
            method=body.method.value,
            token=body.token,
            make_default=body.make_default,
        ),
        id=command_id,
        timeout_seconds=METHOD_SECONDS_MAX,
    )
    return created(method, f"/payments/methods/{method.id}")


@router.get("/payments/methods/{method_id}", access=SIGNED_IN)
async def get_method(method_id: UUID, caller: Caller) -> MethodView:
    """Show one of your stored payment methods."""
    for method in (await ask(ListMethods(user_id=caller.person))).items:
        if method.id == method_id:
            return method
    raise unknown_method()


@router.put("/payments/methods/{method_id}/default", access=SIGNED_IN)
async def set_default_method(
    method_id: UUID, caller: Caller, version: ExpectedVersion
) -> MethodView:
    """Make a stored method the one that is offered first."""
    return await ask(
        SetDefaultMethod(user_id=caller.person, method_id=method_id, version=version)
    )


@router.delete("/payments/methods/{method_id}", access=SIGNED_IN)
async def remove_method(
    method_id: UUID, caller: Caller, version: ExpectedVersion
) -> Done:
    """Forget a stored method; a minute later its provider forgets it, too."""
    return await ask(
        RemoveMethod(user_id=caller.person, method_id=method_id, version=version)
    )


@router.post(
    "/payments/webhooks/{provider}", access=PUBLIC, status=204, also=(403, 408, 413)
)
async def receive_webhook(provider: str, request: Request) -> None:
    """Take a provider's word on a payment or a refund.

    The provider's own signature headers (`Stripe-Signature`, `Paypal-Transmission-Sig`
    and its like, `Bank-Signature`) must prove the sender: 403 without. Each event is
    applied once, in whatever order events come; 503 while it cannot be proven asks the
    provider to send it again.
    """
    facts = await ask(
        VerifyWebhook(
            delivery_id=new_id(),
            provider=provider,
            body=await read_body(request),
            headers=_signature_headers(request),
        ),
        timeout_seconds=WEBHOOK_SECONDS_MAX,
    )
    if facts is None:
        return
    if facts.outcome is not None:
        await ask(
            ApplyWebhook(
                order_id=facts.order_id,
                attempt=facts.attempt,
                outcome=facts.outcome,
                amount=facts.amount,
            ),
            id=facts.event_id,
        )
    elif facts.refund_id is not None and facts.refund is not None:
        await ask(
            CloseRefund(
                order_id=facts.order_id,
                refund_id=facts.refund_id,
                outcome=facts.refund,
            ),
            id=facts.event_id,
        )


@router.post(
    "/payments/reconciliations",
    access=ADMIN,
    idempotent=True,
    status=201,
    also=(404,),
)
async def reconcile(body: ReconcileBody, caller: Caller) -> Answer[ReconciliationView]:
    """Compare the ledger with a provider's own list of what it has moved.

    This comes by itself every `SOUK_RECONCILE_MINUTES`; asked for, it comes now. The
    answer counts what agrees and lists what does not. 404 for a provider that the shop
    is not set up with; 503 while it does not answer.
    """
    view = await ask(
        Reconcile(provider=body.provider),
        id=caller.command_id(),
        timeout_seconds=RECONCILE_SECONDS_MAX,
    )
    return created(view, "/payments/reconciliations")


@router.get("/payments/reconciliations", access=ADMIN)
async def list_reconciliations(
    pages: Pages, provider: Annotated[str | None, Query(max_length=32)] = None
) -> Page[ReconciliationView]:
    """List the comparisons of the ledger with the providers, newest first."""
    return await ask(
        ListReconciliations(provider=provider, limit=pages.limit, cursor=pages.cursor)
    )


@router.get("/payments", access=PUBLIC, also=(404,))
async def list_payments(order_id: UUID, caller: Caller) -> Page[PaymentView]:
    """List the payments of an order: one, or none before its first charge.

    For the order's owner (a guest's `X-Order-Token` counts) and administrators.
    """
    page = await ask(ListPayments(order_id=order_id))
    owner = page.items[0].user_id if page.items else None
    await _check_owner(order_id, owner, caller)
    return replace(page, items=tuple(_shown(one, caller) for one in page.items))


@router.get("/payments/{payment_id}", access=PUBLIC)
async def get_payment(payment_id: UUID, caller: Caller) -> PaymentView:
    """Read a payment: its attempts, captures and refunds.

    For the order's owner (a guest's `X-Order-Token` counts) and administrators.
    """
    payment = await ask(GetPayment(payment_id=payment_id))
    await _check_owner(payment.order_id, payment.user_id, caller)
    return _shown(payment, caller)


@router.post(
    "/payments/{payment_id}/refunds", access=ADMIN, idempotent=True, status=201
)
async def refund_payment(
    payment_id: UUID, body: RefundPaymentBody, caller: Caller
) -> Answer[RefundView]:
    """Give captured money back, all that is left or a part of it.

    The sum of all refunds never passes what was captured: 409
    `refund-exceeds-capture`. 202 with status `PENDING` while the provider's answer is
    not known; it is asked again until it is.
    """
    payment = await ask(GetPayment(payment_id=payment_id))
    command_id = caller.command_id()
    refund = await ask(
        RefundOrder(
            order_id=payment.order_id,
            refund_id=derived_id(command_id, "refund", payment.order_id),
            amount=body.amount.value() if body.amount else None,
            reason=body.reason,
            actor_id=caller.person,
        ),
        id=command_id,
        timeout_seconds=REFUND_SECONDS_MAX,
    )
    shown = replace(refund, reason=body.reason)
    if refund.status == "PENDING":
        return Answer(shown, 202, {"Location": f"/payments/{payment_id}"})
    return created(shown, f"/payments/{payment_id}")


def _signature_headers(request: Request) -> dict[str, str]:
    """What providers sign with, and nothing else of the request; bounded."""
    return {
        name: value[:SIGNATURE_CHARACTERS_MAX]
        for name in SIGNATURE_HEADERS
        if (value := request.headers.get(name)) is not None
    }


def _shown(payment: PaymentView, caller: Caller) -> PaymentView:
    """A payment as its reader may see it: who gave back is the shop's own business."""
    if caller.is_admin:
        return payment
    refunds = tuple(replace(refund, actor_id=None) for refund in payment.refunds)
    return replace(payment, refunds=refunds)


async def _check_owner(order_id: UUID, owner: UUID | None, caller: Caller) -> None:
    """Refuse whom the order is no business of; 404, so that ids tell nothing."""
    if caller.is_admin or (owner is not None and owner == caller.user_id):
        return
    token = caller.order_token
    viewer = Viewer(
        user_id=caller.user_id,
        token_hash=hashlib.sha256(token.encode()).digest() if token else None,
    )
    await ask(GetOrder(order_id=order_id, viewer=viewer))
