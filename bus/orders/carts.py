"""Carts: a buyer's lines before they are an order.

A buyer is a user's id, or a guest cart's id: the SHA-256 (hex) of its token.
"""

from bus.kit.messages import Command, Query, by
from bus.kit.values import Money, Value

LINES_MAX = 100
QUANTITY_MAX = 999

# --- views -------------------------------------------------------------------


class CartLine(Value, frozen=True, kw_only=True):
    """So many pieces of one SKU, at the price that the buyer was shown."""

    sku: str
    product_id: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: Money
    total: Money
    warnings: tuple[str, ...] = ()


class CartView(Value, frozen=True, kw_only=True):
    """A buyer's cart; `version` counts its changes, 0 where there is none yet."""

    id: str
    version: int
    items: tuple[CartLine, ...]
    total: Money


# --- commands ----------------------------------------------------------------


class AddToCart(Command[CartView], frozen=True, kw_only=True):
    """Add pieces of a SKU; 404 for an unknown one, 422 past the limits."""

    key = by("buyer")
    buyer: str
    sku: str
    quantity: int


class SetCartLine(Command[CartView], frozen=True, kw_only=True):
    """Make the line of a SKU exactly `quantity`, and its shown price today's."""

    key = by("buyer")
    buyer: str
    sku: str
    quantity: int


class RemoveFromCart(Command[CartView], frozen=True, kw_only=True):
    """Take the line of a SKU out; one that is not there is no error."""

    key = by("buyer")
    buyer: str
    sku: str


class ClearCart(Command[CartView], frozen=True, kw_only=True):
    """Take all lines out."""

    key = by("buyer")
    buyer: str


class MergeCart(Command[CartView], frozen=True, kw_only=True):
    """Add a guest cart's lines to a person's cart, once and whole."""

    key = by("buyer")
    buyer: str
    guest: str


# --- queries -----------------------------------------------------------------


class GetCart(Query[CartView], frozen=True, kw_only=True):
    """A buyer's cart with today's warnings; empty where there is none."""

    key = by("buyer")
    buyer: str


# --- steps -------------------------------------------------------------------


class LineOffer(Value, frozen=True, kw_only=True):
    """What products and inventory say of a SKU at this moment."""

    sku: str
    product_id: str
    name: str
    options: dict[str, str]
    price: Money
    available: int


class PutLine(Command[CartView], frozen=True, kw_only=True):
    """Write one line (`add`: to what is there), seen with these offers."""

    key = by("buyer")
    remembered = False
    buyer: str
    sku: str
    quantity: int
    add: bool
    offers: tuple[LineOffer, ...]


class CloseGuestCart(Command[CartView], frozen=True, kw_only=True):
    """Move a guest cart OPEN → MERGED into `into`, and give its lines to it alone."""

    key = by("guest")
    remembered = False
    guest: str
    into: str


class TakeLines(Command[CartView], frozen=True, kw_only=True):
    """Add a merged guest cart's lines, once by the guest cart's id."""

    key = by("buyer")
    remembered = False
    buyer: str
    guest: str
    lines: tuple[CartLine, ...]
    offers: tuple[LineOffer, ...]
