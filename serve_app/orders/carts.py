"""Routes of carts: a person's own, or the guest cart that a token names."""

import hashlib
import secrets

from bus.kit.values import Money
from bus.orders import (
    AddToCart,
    CartView,
    ClearCart,
    GetCart,
    MergeCart,
    RemoveFromCart,
    SetCartLine,
    Totals,
)
from serve_app.kit.bodies import Sku
from serve_app.kit.identity import guest_token
from serve_app.kit.routing import (
    PUBLIC,
    SIGNED_IN,
    Caller,
    ExpectedVersion,
    ask,
)
from serve_app.orders.bodies import (
    CartAnswer,
    CartItemBody,
    MergeCartBody,
    QuantityBody,
)
from serve_app.orders.router import router

TOKEN_BYTES = 32


@router.get("/cart", access=PUBLIC)
async def get_cart(caller: Caller) -> CartAnswer:
    """Show the cart.

    Signed in: the person's cart; else the guest cart that `X-Cart-Token` names. Lines
    say what has changed since they were shown: `price-changed` (`current_price`),
    `short-stock` and `out-of-stock` (`available`), `unavailable`. A cart that nobody
    changes is removed after a while.
    """
    buyer, token = _buyer(caller)
    return _cart(await ask(GetCart(buyer=buyer)), token)


@router.post("/cart/items", access=PUBLIC, idempotent=True, direct=True, also=(404,))
async def add_to_cart(body: CartItemBody, caller: Caller) -> CartAnswer:
    """Add pieces of a SKU to the cart.

    A guest's first answer gives `cart_token`: send it as `X-Cart-Token` from then on.
    """
    buyer, token = _adding_buyer(caller)
    message = AddToCart(buyer=buyer, sku=body.sku, quantity=body.quantity)
    return _cart(await ask(message, id=caller.command_id()), token)


@router.put("/cart/items/{sku}", access=PUBLIC)
async def set_cart_line(
    sku: Sku, body: QuantityBody, caller: Caller, version: ExpectedVersion
) -> CartAnswer:
    """Make a line exactly so many pieces, at today's price.

    Also one that was not there. 404 for a SKU that is not for sale, 422
    `quantity-out-of-range` and `too-many-lines` past the limits; 0 pieces are none:
    DELETE the line.
    """
    buyer, token = _buyer(caller)
    message = SetCartLine(buyer=buyer, sku=sku, quantity=body.quantity, version=version)
    return _cart(await ask(message), token)


@router.delete("/cart/items/{sku}", access=PUBLIC)
async def remove_from_cart(sku: Sku, caller: Caller, version: ExpectedVersion) -> None:
    """Take a line out of the cart; one that is not there is no error."""
    buyer, _ = _buyer(caller)
    await ask(RemoveFromCart(buyer=buyer, sku=sku, version=version))


@router.delete("/cart", access=PUBLIC)
async def clear_cart(caller: Caller, version: ExpectedVersion) -> None:
    """Take all lines out of the cart."""
    await ask(ClearCart(buyer=_buyer(caller)[0], version=version))


@router.post("/cart/merge", access=SIGNED_IN, idempotent=True, also=(404,))
async def merge_cart(body: MergeCartBody, caller: Caller) -> CartAnswer:
    """Take a guest cart's lines into the person's cart: once, and whole.

    Quantities are summed, and capped by stock and limits; `warnings` name what did
    not fit. To anybody else the guest cart is 404 afterwards. What is put into it
    later, by the same token, is a new cart.
    """
    message = MergeCart(buyer=str(caller.person), guest=guest_id(body.cart_token))
    return _cart(await ask(message, id=caller.command_id()), None)


# --- private -----------------------------------------------------------------


def guest_id(token: str) -> str:
    """A guest cart's id: the hash of its token, which alone is stored."""
    return hashlib.sha256(token.encode()).hexdigest()


def _buyer(caller: Caller) -> tuple[str, str | None]:
    """Whose cart it is, and the token to tell a guest; made where there is none."""
    if caller.user_id is not None:
        return str(caller.user_id), None
    token = caller.cart_token or secrets.token_urlsafe(TOKEN_BYTES)
    return guest_id(token), token


def _adding_buyer(caller: Caller) -> tuple[str, str | None]:
    """The same for a request that may be repeated: it makes the same new cart."""
    if caller.user_id is None and caller.cart_token is None:
        token = guest_token(caller.command_id())
        return guest_id(token), token
    return _buyer(caller)


def _cart(view: CartView, token: str | None) -> CartAnswer:
    none = Money(0, view.total.currency)
    totals = Totals(
        items=view.total, discount=none, shipping=none, tax=none, grand=view.total
    )
    return CartAnswer(
        id=view.id,
        version=view.version,
        created_at=view.created_at,
        updated_at=view.updated_at,
        items=view.items,
        totals=totals,
        cart_token=token,
        warnings=view.warnings,
    )
