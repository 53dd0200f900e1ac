"""How the world reaches orders: carts, buying, and what happens to an order later."""

import hashlib
import secrets
from collections import Counter
from typing import Annotated
from uuid import UUID

import msgspec
from fastapi import Query
from msgspec.structs import replace
from pydantic import Field, model_validator

from bus.kit.refusals import Refusal, invalid
from bus.kit.values import Address, Money, Page
from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    AddToCart,
    AdvanceOrder,
    CancelOrder,
    CartLine,
    CartView,
    ClearCart,
    GetCart,
    GetOrder,
    GetTimeline,
    ListOrders,
    MergeCart,
    OrderStatus,
    OrderView,
    Placed,
    PlaceOrder,
    RemoveFromCart,
    SetCartLine,
    TimelineEntry,
    Totals,
    Viewer,
    WantedLine,
)
from bus.payments import (
    TOKEN_CHARACTERS_MAX,
    PaymentMethod,
    card_number_refused,
    holds_card_number,
)
from bus.users import GetAddress
from serve_app.kit.bodies import AddressBody, Body, Email, Line, MoneyBody, Sku
from serve_app.kit.identity import guest_token
from serve_app.kit.routing import (
    PUBLIC,
    SELLER,
    SIGNED_IN,
    Answer,
    Caller,
    Pages,
    Router,
    accepted,
    ask,
    created,
)

router = Router("orders")

ORDER_SECONDS_MAX = 40.0
TOKEN_BYTES = 32

Pieces = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
Token = Annotated[
    str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$")
]

# --- bodies and views --------------------------------------------------------


class CartItemBody(Body):
    """So many pieces of a SKU."""

    sku: Sku
    quantity: Pieces


class QuantityBody(Body):
    """How many pieces a line shall have."""

    quantity: Pieces


class MergeCartBody(Body):
    """The guest cart whose lines are to be taken over."""

    cart_token: Annotated[str, Field(min_length=20, max_length=100)]


class PaymentBody(Body):
    """How to pay: a provider's token, or a stored method."""

    method: Annotated[PaymentMethod, Field(strict=False)]
    token: Token | None = None
    payment_method_id: Annotated[UUID, Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _one_of(self) -> "PaymentBody":
        if (self.token is None) == (self.payment_method_id is None):
            raise ValueError("Give either token or payment_method_id")
        return self


class OrderItemBody(Body):
    """A line to buy; `unit_price` is what the buyer was shown, if it was shown."""

    sku: Sku
    quantity: Pieces
    unit_price: MoneyBody | None = None


class PlaceOrderBody(Body):
    """What to buy (default: the cart), how to pay, where to send it."""

    payment: PaymentBody
    shipping_address: AddressBody | None = None
    address_id: Annotated[UUID, Field(strict=False)] | None = None
    items: Annotated[list[OrderItemBody], Field(min_length=1, max_length=LINES_MAX)] | (
        None
    ) = None
    email: Email | None = None
    accept_prices: bool = False

    @model_validator(mode="after")
    def _one_address(self) -> "PlaceOrderBody":
        if (self.shipping_address is None) == (self.address_id is None):
            raise ValueError("Give either shipping_address or address_id")
        return self


class MovedItemBody(Body):
    """How many pieces of a line are moved."""

    sku: Sku
    quantity: Pieces


class OrderStatusBody(Body):
    """The next step of an order's lines; a shipment names carrier and tracking."""

    status: Annotated[OrderStatus, Field(strict=False)]
    carrier: Line | None = None
    tracking_number: Line | None = None
    items: Annotated[list[MovedItemBody], Field(min_length=1, max_length=LINES_MAX)] | (
        None
    ) = None


class CartAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cart; `cart_token` names a guest's and is told when the cart is new."""

    id: str
    version: int
    items: tuple[CartLine, ...] | None = None
    totals: Totals | None = None
    cart_token: str | None = None


class OrderAnswer(OrderView, frozen=True, kw_only=True, omit_defaults=True):
    """A guest's order, with the token that opens it."""

    order_token: str | None = None


# --- carts -------------------------------------------------------------------


@router.get("/cart", access=PUBLIC)
async def get_cart(caller: Caller) -> CartAnswer:
    """Show the cart.

    Signed in: the person's cart; else the guest cart that `X-Cart-Token` names. Lines
    say what has changed since they were shown: `price-changed`, `short-stock`,
    `out-of-stock`, `unavailable`.
    """
    buyer, token = _buyer(caller)
    return _cart(await ask(GetCart(buyer=buyer)), token)


@router.post("/cart/items", access=PUBLIC, idempotent=True)
async def add_to_cart(body: CartItemBody, caller: Caller) -> CartAnswer:
    """Add pieces of a SKU to the cart.

    A guest's first answer gives `cart_token`: send it as `X-Cart-Token` from then on.
    """
    buyer, token = _adding_buyer(caller)
    message = AddToCart(buyer=buyer, sku=body.sku, quantity=body.quantity)
    return _cart(await ask(message, id=caller.command_id()), token)


@router.put("/cart/items/{sku}", access=PUBLIC)
async def set_cart_line(sku: Sku, body: QuantityBody, caller: Caller) -> CartAnswer:
    """Make a line exactly so many pieces, at today's price."""
    buyer, token = _buyer(caller)
    message = SetCartLine(buyer=buyer, sku=sku, quantity=body.quantity)
    return _cart(await ask(message), token)


@router.delete("/cart/items/{sku}", access=PUBLIC)
async def remove_from_cart(sku: Sku, caller: Caller) -> None:
    """Take a line out of the cart; one that is not there is no error."""
    await ask(RemoveFromCart(buyer=_buyer(caller)[0], sku=sku))


@router.delete("/cart", access=PUBLIC)
async def clear_cart(caller: Caller) -> None:
    """Take all lines out of the cart."""
    await ask(ClearCart(buyer=_buyer(caller)[0]))


@router.post("/cart/merge", access=SIGNED_IN, idempotent=True)
async def merge_cart(body: MergeCartBody, caller: Caller) -> CartAnswer:
    """Take a guest cart's lines into the person's cart: once, and whole.

    Quantities are summed, and capped by stock and limits. To anybody else the guest
    cart is 404 afterwards.
    """
    message = MergeCart(buyer=str(caller.person), guest=_guest(body.cart_token))
    return _cart(await ask(message, id=caller.command_id()), None)


# --- orders ------------------------------------------------------------------


@router.post("/orders", access=PUBLIC, idempotent=True, status=201)
async def place_order(body: PlaceOrderBody, caller: Caller) -> Answer[OrderView]:
    """Buy: the cart, or `items`.

    201: paid and confirmed. 202: the payment's outcome is not known yet, the order is
    `PENDING` and its stock held. 402 `payment-declined` and 409 `out-of-stock` (each
    short line named) leave the order `CANCELLED`, its stock free and the cart as it
    was. 409 `price-changed` when a price rose since it was shown, unless
    `accept_prices`. A guest gives `email` and gets `order_token`, accepted as
    `X-Order-Token` wherever the order's owner is.
    """
    if body.payment.token and holds_card_number(body.payment.token):
        raise card_number_refused()
    command_id = caller.command_id()
    token = None if caller.user_id else guest_token(command_id)
    if caller.user_id is None and body.email is None:
        raise invalid("email-required", "A guest's order needs an e-mail address.")
    message = PlaceOrder(
        buyer=_order_buyer(caller, token),
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


def _guest(token: str) -> str:
    """A guest cart's id: the hash of its token, which alone is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _buyer(caller: Caller) -> tuple[str, str | None]:
    """Whose cart it is, and the token to tell a guest; made where there is none."""
    if caller.user_id is not None:
        return str(caller.user_id), None
    token = caller.cart_token or secrets.token_urlsafe(TOKEN_BYTES)
    return _guest(token), token


def _adding_buyer(caller: Caller) -> tuple[str, str | None]:
    """The same for a request that may be repeated: it makes the same new cart."""
    if caller.user_id is None and caller.cart_token is None:
        token = guest_token(caller.command_id())
        return _guest(token), token
    return _buyer(caller)


def _order_buyer(caller: Caller, token: str | None) -> str:
    if caller.user_id is not None:
        return str(caller.user_id)
    return _guest(caller.cart_token or token or "")


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


def _cart(view: CartView, token: str | None) -> CartAnswer:
    none = Money(0, view.total.currency)
    totals = Totals(
        items=view.total, discount=none, shipping=none, tax=none, grand=view.total
    )
    return CartAnswer(
        id=view.id,
        version=view.version,
        items=view.items,
        totals=totals,
        cart_token=token,
    )
