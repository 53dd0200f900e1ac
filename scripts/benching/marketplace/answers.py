"""The parts of the shop's answers that a marketplace's clients read."""

from uuid import UUID

import msgspec

from bus.kit.values import Money
from scripts.benching.marketplace.journal import Priced, Sums


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a cart or an order."""

    sku: str
    quantity: int
    unit_price: Money
    current_price: Money | None = None
    warnings: tuple[str, ...] = ()

    @property
    def withdrawn(self) -> bool:
        """Whether it is sold no longer: then it has a price of then, none of today."""
        return "unavailable" in self.warnings

    def priced(self) -> Priced:
        """What its product costs today, as far as the answer knows."""
        price = self.current_price or self.unit_price
        return Priced(sku=self.sku, price=price.amount)


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """A cart; the token names it from now on."""

    id: UUID
    items: tuple[Line, ...] = ()
    cart_token: str | None = None

    def shown(self) -> tuple[Priced, ...]:
        """What its lines cost today, those that can still be bought."""
        return tuple(line.priced() for line in self.items if not line.withdrawn)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order that was placed."""

    id: UUID
    items: tuple[Line, ...]


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A product after a change of it."""

    id: UUID
    version: int


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with one line: its SKU, for an order."""

    field: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why something was refused; an order's refusal may name the order."""

    code: str = ""
    order_id: str = ""
    errors: tuple[FieldError, ...] = ()


class Parcels(msgspec.Struct, frozen=True, kw_only=True):
    """What has been delivered."""

    class Parcel(msgspec.Struct, frozen=True, kw_only=True):
        """One of them."""

        seller_id: str
        order_id: str
        shipment_id: str

    items: tuple[Parcel, ...]


class Dashboard(msgspec.Struct, frozen=True, kw_only=True):
    """A seller's orders in progress: totals, and the lines that make them."""

    class Totals(msgspec.Struct, frozen=True, kw_only=True):
        """What the answer says in sum."""

        orders: int
        items: int
        amount: Money

    class Item(msgspec.Struct, frozen=True, kw_only=True):
        """A line of an order."""

        order_id: str
        sku: str
        quantity: int
        total: Money

    seller_id: str
    totals: Totals
    items: tuple[Item, ...]
    more: bool = False

    def told(self) -> Sums:
        """The totals as they were told."""
        totals = self.totals
        amount = totals.amount.amount
        return Sums(orders=totals.orders, items=totals.items, amount=amount)

    def summed(self) -> Sums:
        """What the lines of the same answer come to."""
        return Sums(
            orders=len({item.order_id for item in self.items}),
            items=len(self.items),
            amount=sum(item.total.amount for item in self.items),
        )

    def twice(self) -> int:
        """How many lines are shown more than once."""
        return len(self.items) - len({(one.order_id, one.sku) for one in self.items})


def problem_of(body: bytes) -> Problem:
    """A refusal; what is none has no code."""
    try:
        return msgspec.json.decode(body, type=Problem)
    except msgspec.DecodeError:
        return Problem()
