"""Routes of orders: buying, and what happens to an order later."""

import hashlib
from collections import Counter
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query
from msgspec.structs import replace

from bus.kit.refusals import Refusal, invalid
from bus.kit.values import Address, Page
from bus.orders import (
    AdvanceOrder,
    CancelOrder,
    GetOrder,
    GetTimeline,
    ListOrders,
    OrderStatus,
    OrderView,
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
    Pages,
    accepted,
    ask,
    created,
)
from serve_app.orders.bodies import OrderAnswer, OrderStatusBody, PlaceOrderBody
from serve_app.orders.carts import guest_id
from serve_app.orders.router import router
from serve_app.orders.sold_out import refuse_sold_out

ORDER_SECONDS_MAX = 40.0


@router.post("/orders", access=PUBLIC, idempotent=True, status=201)
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
    if body.payment.token and holds_card_number(body.payment.token):
        raise card_number_refused()
    command_id = caller.command_id()
    token = None if caller.user_id else guest_token(command_id)
    if caller.user_id is None and body.email is None:
        raise invalid("email-required", "A guest's order needs an e-mail address.")
    buyer = _order_buyer(caller, token)
    await refuse_sold_out(caller, buyer, (item.sku for item in body.items or ()))
    message = PlaceOrder(
        buyer=buyer,
        user_id=caller.user_id,
        shipping_address=await _address(body, caller),
        method=body.payment.method.value,
        token=body.payment.token,
        payment_method_id=body.payment.payment_method_id,
        items=_wanted(body),
        email=None if caller.user_id else body.email,
        token_hash=_token_hash(token),
        accept_prices=body.accept_prices,
    )
    placed = await ask(message, id=command_id, timeout_seconds=ORDER_SECONDS_MAX)
    if placed.refusal is not None:
        data = placed.refusal
        facts = {**data.facts, "order_id": str(placed.order_id)}
        raise Refusal(data.kind, data.code, data.detail, data.errors, **facts)
    order = await _as_placed(placed, caller, token)
    if placed.status is OrderStatus.PENDING:
        return accepted(order, f"/orders/{order.id}")
    return created(order, f"/orders/{order.id}")


@router.get("/orders", access=SIGNED_IN)
async def list_orders(
    caller: Caller, pages: Pages, status: Annotated[OrderStatus | None, Query()] = None
) -> Page[OrderView]:
    """List orders, newest first: own ones, a seller's, all for an administrator."""
    return await ask(
        ListOrders(
            viewer=_viewer(caller),
            status=status,
            limit=pages.limit,
            cursor=pages.cursor,
        )
    )


@router.get("/orders/{order_id}", access=PUBLIC)
async def get_order(order_id: UUID, caller: Caller) -> OrderView:
    """Show an order to its owner, its sellers and administrators."""
    return await ask(GetOrder(order_id=order_id, viewer=_viewer(caller)))


@router.get("/orders/{order_id}/timeline", access=PUBLIC)
async def get_timeline(order_id: UUID, caller: Caller) -> Page[TimelineEntry]:
    """All that happened to an order, oldest first."""
    return await ask(GetTimeline(order_id=order_id, viewer=_viewer(caller)))


@router.put("/orders/{order_id}/cancel", access=PUBLIC)
async def cancel_order(order_id: UUID, caller: Caller) -> OrderView:
    """Cancel an order until it ships; stock goes back, and captured money too."""
    viewer = _viewer(caller)
    await ask(
        CancelOrder(order_id=order_id, viewer=viewer), timeout_seconds=ORDER_SECONDS_MAX
    )
    return await ask(GetOrder(order_id=order_id, viewer=viewer))


@router.put("/orders/{order_id}/status", access=SELLER)
async def advance_order(
    order_id: UUID, body: OrderStatusBody, caller: Caller
) -> OrderView:
    """Move lines on: `PROCESSING`, then `SHIPPED`, then `DELIVERED`.

    By default all of the caller's lines. Each `SHIPPED` makes a shipment and needs
    `carrier` and `tracking_number`; a step out of order is 409 `invalid-transition`.
    """
    viewer = _viewer(caller)
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
    )
    await ask(message, timeout_seconds=ORDER_SECONDS_MAX)
    return await ask(GetOrder(order_id=order_id, viewer=viewer))


# --- private -----------------------------------------------------------------


def _order_buyer(caller: Caller, token: str | None) -> str:
    if caller.user_id is not None:
        return str(caller.user_id)
    return guest_id(caller.cart_token or token or "")


def _token_hash(token: str | None) -> bytes | None:
    return None if token is None else hashlib.sha256(token.encode()).digest()


def _viewer(caller: Caller) -> Viewer:
    return Viewer(
        user_id=caller.user_id,
        role=caller.role or "CUSTOMER",
        token_hash=_token_hash(caller.order_token),
    )


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
    order = placed.order
    if order is None:
        viewer = Viewer(user_id=caller.user_id, token_hash=_token_hash(token))
        order = await ask(GetOrder(order_id=placed.order_id, viewer=viewer))
        payment = replace(
            order.payment, id=placed.payment_id, status=placed.payment_status
        )
        order = replace(
            order,
            status=placed.status,
            version=placed.version,
            payment=payment,
            items=tuple(replace(line, status=placed.status) for line in order.items),
        )
    if token is None:
        return order
    return OrderAnswer(**msgspec.structs.asdict(order), order_token=token)
