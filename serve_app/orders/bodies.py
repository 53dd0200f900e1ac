"""What is said and shown of carts and orders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from pydantic import Field, model_validator

from bus.orders import (
    LINES_MAX,
    QUANTITY_MAX,
    SELLERS_MAX,
    CartLine,
    CartWarning,
    OrderStatus,
    OrderView,
    Totals,
)
from bus.payments import (
    TOKEN_CHARACTERS_MAX,
    PaymentMethod,
)
from serve_app.kit.bodies import AddressBody, Body, Email, Line, MoneyBody, Sku

Pieces = Annotated[int, Field(ge=1, le=QUANTITY_MAX)]
Token = Annotated[
    str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX, pattern=r"^[\x21-\x7e]+$")
]


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


class PayOrderBody(Body):
    """How to pay an order this time."""

    payment: PaymentBody


class LookUpOrderBody(Body):
    """The number of an order, and the e-mail address that it was made with."""

    number: Annotated[str, Field(pattern=r"^[0-9]{3}-?[0-9]{3}-?[0-9]{3}$")]
    email: Email


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


class DeliveriesBody(Body):
    """Of how many sellers a shipment is to be marked delivered."""

    sellers_max: Annotated[int, Field(ge=1, le=SELLERS_MAX)] = 10


class CartAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A cart; `cart_token` names a guest's and is told when the cart is new.

    `warnings` name what of a merge did not fit. The times are null where nothing was
    put into it yet.
    """

    id: UUID
    version: int
    created_at: datetime | None
    updated_at: datetime | None
    items: tuple[CartLine, ...] | None = None
    totals: Totals | None = None
    cart_token: str | None = None
    warnings: tuple[CartWarning, ...] = ()


class OrderAnswer(OrderView, frozen=True, kw_only=True, omit_defaults=True):
    """A guest's order, with the token that opens it."""

    order_token: str | None = None
