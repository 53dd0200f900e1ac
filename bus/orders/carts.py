"""Carts: a buyer's lines before they are an order.

A buyer is a user's id, or a guest cart's id: the SHA-256 (hex) of its token.
"""

from datetime import datetime
from uuid import UUID

from bus.kit.messages import Command, Query, by
from bus.kit.values import Done, Money, Value

LINES_MAX = 100
QUANTITY_MAX = 999

# --- views -------------------------------------------------------------------


class CartLine(Value, frozen=True, kw_only=True):
    """So many pieces of one SKU, at the price that the buyer was shown.

    `warnings` are codes: `price-changed` (`current_price` says to what),
    `short-stock` and `out-of-stock` (`available` says what is left), `unavailable`
    (no longer for sale), `quantity-capped` (a merge could not add all).
    """

    sku: str
    product_id: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: Money
    total: Money
    warnings: tuple[str, ...] = ()
    current_price: Money | None = None
    available: int | None = None


class CartWarning(Value, frozen=True, kw_only=True):
    """Pieces of a SKU that did not get into a cart: `out-of-stock`, `too-many-lines`.

    `quantity-capped`: some did, as its line says.
    """

    sku: str
    code: str
    quantity: int


class CartView(Value, frozen=True, kw_only=True):
    """A buyer's cart; `version` counts its changes, 0 where there is none yet."""

    id: UUID
    version: int
    items: tuple[CartLine, ...]
    total: Money
    warnings: tuple[CartWarning, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


# --- commands ----------------------------------------------------------------


class AddToCart(Command[CartView], frozen=True, kw_only=True):
    """Add pieces of a SKU; 404 for an unknown one, 422 past the limits."""

    key = by("buyer")
    buyer: str
    sku: str
    quantity: int


class SetCartLine(Command[CartView], frozen=True, kw_only=True):
    """Make the line of a SKU exactly `quantity`, and its shown price today's.

    This and what takes lines out: with a `version` only while that is the cart's.
    """

    key = by("buyer")
    buyer: str
    sku: str
    quantity: int
    version: int | None = None


class RemoveFromCart(Command[CartView], frozen=True, kw_only=True):
    """Take the line of a SKU out; one that is not there is no error."""

    key = by("buyer")
    buyer: str
    sku: str
    version: int | None = None


class ClearCart(Command[CartView], frozen=True, kw_only=True):
    """Take all lines out."""

    key = by("buyer")
    buyer: str
    version: int | None = None


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
    """What is known of a SKU, by its product's `version`, and how much there is."""

    sku: str
    product_id: str
    name: str
    options: dict[str, str]
    price: Money
    available: int
    version: int = 0
    on_sale: bool = True


class PutLine(Command[CartView], frozen=True, kw_only=True):
    """Write one line (`add`: to what is there), seen with these offers."""

    key = by("buyer")
    remembered = False
    buyer: str
    sku: str
    quantity: int
    add: bool
    offers: tuple[LineOffer, ...]
    version: int | None = None


class GivenLines(Value, frozen=True, kw_only=True):
    """What a guest cart gives; `merge_id` None: all was taken before."""

    merge_id: UUID | None
    lines: tuple[CartLine, ...]


class SettleMerge(Command[CartView], frozen=True, kw_only=True):
    """Take a merge from wherever it stands to its end."""

    key = by("buyer")
    buyer: str
    guest: str


class CloseGuestCart(Command[GivenLines], frozen=True, kw_only=True):
    """Move a guest cart OPEN → MERGED into `into`, and give its lines to it alone."""

    key = by("guest")
    remembered = False
    guest: str
    into: str


class TakeLines(Command[CartView], frozen=True, kw_only=True):
    """Add a merged guest cart's lines, once by `merge_id`; None: show the cart."""

    key = by("buyer")
    remembered = False
    buyer: str
    guest: str
    merge_id: UUID | None
    lines: tuple[CartLine, ...]
    offers: tuple[LineOffer, ...]


class ForgetGiven(Command[Done], frozen=True, kw_only=True):
    """The lines of this merge are taken: the guest cart need not keep them."""

    key = by("guest")
    remembered = False
    guest: str
    merge_id: UUID


class ExpireCart(Command[Done], frozen=True, kw_only=True):
    """Remove a cart that nobody has touched for too long (a due message)."""

    key = by("buyer")
    buyer: str
