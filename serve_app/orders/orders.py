"""Routes of orders: buying, and what happens to an order later."""

from collections import Counter
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query
from msgspec.structs import replace

from bus.kit.refusals import Refusal, conflict, invalid
from bus.kit.values import Address, Done, Page
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    GetOrder,
    GetTimeline,
    ListOrders,
    LookUpOrder,
    OrderStatus,
    OrderView,
    PayOrder,
    Placed,
    PlaceOrder,
    TimelineEntry,
    Viewer,
    WantedLine,
)
from bus.payments import (
    card_number_refused,
    holds_card_number,
)
from bus.users import GetAddress
from serve_app.kit.identity import guest_token
from serve_app.kit.routing import (
    PUBLIC,
    SELLER,
    SIGNED_IN,
    Answer,
    Caller,
    ExpectedVersion,
    Pages,
    accepted,
    ask,
    created,
)
from serve_app.orders.bodies import (
    LookUpOrderBody,
    OrderAnswer,
    OrderStatusBody,
    PaymentBody,
    PayOrderBody,
    PlaceOrderBody,
)
from serve_app.orders.carts import guest_id
from serve_app.orders.router import router, token_hash_of, viewer_of
from serve_app.orders.sold_out import refuse_sold_out

ORDER_SECONDS_MAX = 40.0


@router.post(
    "/orders",
    access=PUBLIC,
    idempotent=True,
    status=201,
    direct=True,
    paced=True,
    also=(202, 402, 404),
)
async def place_order(body: PlaceOrderBody, caller: Caller) -> Answer[OrderView]:
    """Buy: the cart, or `items`.

    201: paid and confirmed. 202: the payment's outcome is not known yet, the order is
    `PENDING` and its stock held. 402 `payment-declined` and 409 `out-of-stock` (each
    short line named) leave the order `CANCELLED`, its stock free and the cart as it
    was; a line of `items` that is known to be sold out is refused at once, without an
    order. 409 `price-changed` when a price rose since it was shown, unless
    `accept_prices`. A guest gives `email` and gets `order_token`, accepted as
    `X-Order-Token` wherever the order's owner is.
    """
    _check(body.payment)
    command_id = caller.command_id()
    if caller.user_id is None and body.email is None:
        raise invalid("email-required", "A guest's order needs an e-mail address.")
    # Most that a flash sale turns away have no key, and need no token either.
    await refuse_sold_out(
        caller,
        lambda: _order_buyer(caller, guest_token(command_id)),
        (item.sku for item in body.items or ()),
    )
    token = None if caller.user_id else guest_token(command_id)
    message = PlaceOrder(
        buyer=_order_buyer(caller, token),
        user_id=caller.user_id,
        shipping_address=await _address(body, caller),
        method=body.payment.method.value,
        token=body.payment.token,
        payment_method_id=body.payment.payment_method_id,
        items=_wanted(body),
        email=None if caller.user_id else body.email,
        token_hash=token_hash_of(token),
        accept_prices=body.accept_prices,
    )
    placed = await ask(message, id=command_id, timeout_seconds=ORDER_SECONDS_MAX)
    _raise_refusal(placed)
    order = await _as_placed(placed, caller, token)
    if placed.status is OrderStatus.PENDING:
        return accepted(order, f"/orders/{order.id}")
    return created(order, f"/orders/{order.id}")


@router.post("/orders/lookup", access=PUBLIC, idempotent=True, status=202)
async def look_up_order(body: LookUpOrderBody, caller: Caller) -> Done:
    """Find an order again: a link to it is mailed.

    Always 202 and after the same time, whether there is such an order or not. When
    number and address belong together, the order's own address gets a link with a
    fresh token, at most three an hour; it works for 30 days, the newest five of an
    order do.
    """
    number = body.number.replace("-", "")
    command = LookUpOrder(
        number=f"{number[:3]}-{number[3:6]}-{number[6:]}", email=body.email
    )
    return await ask(command, id=caller.command_id())


@router.post(
    "/orders/{order_id}/payment", access=PUBLIC, idempotent=True, also=(202, 402, 403)
)
async def pay_order(
    order_id: UUID, body: PayOrderBody, caller: Caller
) -> Answer[OrderView]:
    """Try again to pay a `PENDING` order, until its time is up.

    Its last attempt must have failed, or the provider must have waited in vain for
    the payer (10 minutes; a bank transfer: an hour). 200: paid, the order is
    `CONFIRMED`. 202: the outcome is not known yet. 402 `payment-declined`: the order
    stays `PENDING` and can be paid otherwise. 409 `payment-in-progress` while an
    attempt is open, 409 `not-payable` in any other state. For the order's owner; a
    guest's `X-Order-Token` counts.
    """
    _check(body.payment)
    viewer = viewer_of(caller)
    message = PayOrder(
        order_id=order_id,
        viewer=viewer,
        method=body.payment.method.value,
        token=body.payment.token,
        payment_method_id=body.payment.payment_method_id,
    )
    placed = await ask(
        message, id=caller.command_id(), timeout_seconds=ORDER_SECONDS_MAX
    )
    _raise_refusal(placed)
    order = await _as_paid(placed, viewer)
    if placed.status is OrderStatus.PENDING:
        return accepted(order, f"/orders/{order.id}")
    if placed.status is OrderStatus.CANCELLED:
        raise conflict("not-payable", "The order was cancelled meanwhile.")
    return Answer(order, 200)


@router.get("/orders", access=SIGNED_IN)
async def list_orders(
    caller: Caller,
    pages: Pages,
    status: Annotated[OrderStatus | None, Query()] = None,
    user_id: Annotated[UUID | None, Query()] = None,
) -> Page[OrderView]:
    """List orders, newest first.

    One's own; for a seller those with own lines besides, and for an administrator
    all, or those of `user_id` (of nobody else's use). A refunded order is found under
    `REFUNDED` or `PARTIALLY_REFUNDED`, however far its goods are.
    """
    return await ask(
        ListOrders(
            viewer=viewer_of(caller),
            user_id=user_id,
            status=status,
            limit=pages.limit,
            cursor=pages.cursor,
        )
    )


@router.get("/orders/{order_id}", access=PUBLIC)
async def get_order(order_id: UUID, caller: Caller) -> OrderView:
    """Show an order to its owner, its sellers and administrators.

    `status` is how far the goods are: that of the least advanced line. Once money of
    an order went back it is `REFUNDED` (all of it) or `PARTIALLY_REFUNDED` instead;
    that stops nothing, and each line shows how far it is. A cancelled order stays
    `CANCELLED`. A seller sees own lines and parcels, `totals` of own lines alone, and
    the address to send them to; `payment` and `user_id` are null.
    """
    return await ask(GetOrder(order_id=order_id, viewer=viewer_of(caller)))


@router.get("/orders/{order_id}/timeline", access=PUBLIC)
async def get_timeline(order_id: UUID, caller: Caller) -> Page[TimelineEntry]:
    """All that happened to an order, oldest first: to what, by whom and why.

    `actor` is `CUSTOMER`, `GUEST`, `SELLER`, `ADMIN` or `SYSTEM`; `reason` is a code:
    `placed`, `payment-pending`, `payment-unknown`, `payment-declined`,
    `payment-begun`, `paid`, `paid-late` (the money of a cancelled order: it goes
    back), `processing`, `shipped`, `delivered`, `refunded`, and why it was cancelled:
    `requested`, `expired`, `out-of-stock`, or what the payment was refused for.
    Sellers are not told of payments.
    """
    return await ask(GetTimeline(order_id=order_id, viewer=viewer_of(caller)))


@router.put("/orders/{order_id}/cancel", access=PUBLIC, also=(409,))
async def cancel_order(
    order_id: UUID, caller: Caller, version: ExpectedVersion
) -> OrderView:
    """Cancel an order until it ships; stock goes back, and captured money too."""
    viewer = viewer_of(caller)
    cancel = CancelOrder(order_id=order_id, viewer=viewer, version=version)
    await ask(cancel, timeout_seconds=ORDER_SECONDS_MAX)
    return await ask(GetOrder(order_id=order_id, viewer=viewer))


@router.put("/orders/{order_id}/status", access=SELLER)
async def advance_order(
    order_id: UUID, body: OrderStatusBody, caller: Caller, version: ExpectedVersion
) -> OrderView:
    """Move lines on: `PROCESSING`, then `SHIPPED`, then `DELIVERED`.

    By default all of the caller's lines. Each `SHIPPED` makes a shipment and needs
    `carrier` and `tracking_number`. `PROCESSING` may be left out; any other step out of
    order is 409 `invalid-transition`.
    """
    viewer = viewer_of(caller)
    items: Counter[str] = Counter()
    for item in body.items or ():
        items[item.sku] += item.quantity
    message = AdvanceOrder(
        order_id=order_id,
        viewer=viewer,
        status=body.status,
        items=dict(items) or None,
        carrier=body.carrier or "",
        tracking_number=body.tracking_number or "",
        version=version,
    )
    await ask(message, timeout_seconds=ORDER_SECONDS_MAX)
    return await ask(GetOrder(order_id=order_id, viewer=viewer))


# --- private -----------------------------------------------------------------


def _check(payment: PaymentBody) -> None:
    """Refuse what looks like a real card's number before anybody hears of it."""
    if payment.token and holds_card_number(payment.token):
        raise card_number_refused()


def _raise_refusal(placed: Placed) -> None:
    if placed.refusal is not None:
        data = placed.refusal
        facts = {**data.facts, "order_id": str(placed.order_id)}
        raise Refusal(data.kind, data.code, data.detail, data.errors, **facts)


def _order_buyer(caller: Caller, token: str | None) -> str:
    if caller.user_id is not None:
        return str(caller.user_id)
    return guest_id(caller.cart_token or token or "")


async def _address(body: PlaceOrderBody, caller: Caller) -> Address:
    if body.shipping_address is not None:
        return body.shipping_address.value()
    if caller.user_id is None or body.address_id is None:
        raise invalid("address-required", "Give shipping_address.")
    found = await ask(GetAddress(user_id=caller.user_id, address_id=body.address_id))
    return found.plain()


def _wanted(body: PlaceOrderBody) -> tuple[WantedLine, ...]:
    return tuple(
        WantedLine(
            sku=item.sku,
            quantity=item.quantity,
            seen_price=item.unit_price.value() if item.unit_price else None,
        )
        for item in body.items or ()
    )


async def _as_placed(placed: Placed, caller: Caller, token: str | None) -> OrderView:
    """The order as it was when it was placed, also when it is told again later."""
    viewer = Viewer(user_id=caller.user_id, token_hash=token_hash_of(token))
    order = await _as_paid(placed, viewer)
    if token is None:
        return order
    return OrderAnswer(**msgspec.structs.asdict(order), order_token=token)


async def _as_paid(placed: Placed, viewer: Viewer) -> OrderView:
    """The order as an attempt to pay left it, also when it is told again later."""
    if placed.order is not None:
        return placed.order
    order = await ask(GetOrder(order_id=placed.order_id, viewer=viewer))
    payment = order.payment and replace(
        order.payment, id=placed.payment_id, status=placed.payment_status
    )
    return replace(
        order,
        status=placed.status,
        version=placed.version,
        payment=payment,
        items=tuple(replace(line, status=placed.status) for line in order.items),
    )
