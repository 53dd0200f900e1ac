"""What the load clients asked of a marketplace, what was answered, and when.

A checker reads it afterwards. Times are in seconds since the epoch, of one machine's
clock. `status` is HTTP's, 0 where no answer came: then it may have happened.
"""

from typing import Union

import msgspec

UNANSWERED = 0
UNKNOWN = frozenset({UNANSWERED, 500, 502, 503, 504})
"""After these a request may have been carried out all the same."""


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True):
    """One request and its answer."""

    begun: float
    ended: float
    status: int
    code: str = ""


class Priced(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line as a cart or an order shows it: the price of today, in minor units."""

    sku: str
    price: int


class Added(Asked, frozen=True, kw_only=True):
    """A customer put pieces into the cart, and was shown all of it."""

    buyer: str
    sku: str
    quantity: int
    shown: tuple[Priced, ...] = ()


class CheckedOut(Asked, frozen=True, kw_only=True):
    """A customer bought the cart, which held `lines` (SKU to pieces).

    `order_id` is also told by a refusal that has made, and cancelled, an order.
    """

    buyer: str
    lines: dict[str, int]
    order_id: str = ""
    shown: tuple[Priced, ...] = ()


class Repriced(Asked, frozen=True, kw_only=True):
    """A seller gave a product another price; `version` is what came of it."""

    sku: str
    price: int
    version: int = 0


class Rewritten(Asked, frozen=True, kw_only=True):
    """A seller replaced a product by a new version at the same price."""

    sku: str
    price: int
    version: int = 0


class Deleted(Asked, frozen=True, kw_only=True):
    """A seller took a product off the market."""

    sku: str


class Listed(Asked, frozen=True, kw_only=True):
    """A seller put a new product on the market."""

    sku: str
    price: int
    version: int = 0


class Stocked(Asked, frozen=True, kw_only=True):
    """A seller gave a SKU this many pieces more."""

    sku: str
    pieces: int


class Shipped(Asked, frozen=True, kw_only=True):
    """A seller shipped all own lines of an order."""

    order_id: str
    seller_id: str


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel that has arrived."""

    seller_id: str
    order_id: str
    shipment_id: str


class Delivered(Asked, frozen=True, kw_only=True):
    """The oldest parcels of some sellers were marked as delivered."""

    parcels: tuple[Delivery, ...] = ()


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What a seller has in progress: orders, order lines, and money in minor units."""

    orders: int
    items: int
    amount: int


class Dashboard(Asked, frozen=True, kw_only=True):
    """A seller looked at the dashboard.

    `told` are the answer's totals, `summed` what its own items come to; `more` where
    it does not show all of them. `twice` counts lines that it shows more than once.
    `at_rest`: nothing was under way any more, so it must say what the databases say.
    """

    seller_id: str
    told: Sums | None = None
    summed: Sums | None = None
    more: bool = False
    twice: int = 0
    at_rest: bool = False


Entry = Union[  # noqa: UP007 - msgspec reads the tags of its members
    Added,
    CheckedOut,
    Repriced,
    Rewritten,
    Deleted,
    Listed,
    Stocked,
    Shipped,
    Delivered,
    Dashboard,
]
Journal = list[Entry]
