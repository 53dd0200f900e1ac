"""An order of the past: all that follows from its number, the same each time."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from bus.kit.addressing import derived_id, route_hash
from bus.payments import payment_id_of
from persistence.orders.orders import NUMBER_FACTOR, NUMBER_RANGE
from persistence.payments import attempt_key
from scripts.benching.catalogue import ROOT

ENDED_DAYS_AGO = 12
"""The past ends when no event or handled command of it is kept any more."""
SPAN_DAYS = 300
SHIPPED_AFTER, DELIVERED_AFTER = timedelta(days=1), timedelta(days=3)

PERSON_ORDERS = 500
"""So many of the first orders, every other one, are one person's."""
PEOPLE_EVERY = 2
ORDERS_A_PERSON = 20
CANCELLED_EVERY = 20
NUMBERS_FROM = 500_000_000
"""Past the numbers that a shop under measure gives to its orders."""


class Ware(NamedTuple):
    """A product with one SKU, as an order sees it."""

    id: str
    sku: str
    name: str
    price: int
    seller_id: str | None


class Line(NamedTuple):
    """So many pieces of a ware; `place` is where it stands among all wares."""

    place: int
    ware: Ware
    quantity: int


class Past(NamedTuple):
    """One order of the past, and what its rows in other databases are named.

    `name`, `user` and `paid` are its id, its person's and its payment's as text, which
    many rows have.
    """

    number: int
    id: UUID
    buyer: str
    user_id: UUID | None
    shown: str
    placed_at: datetime
    is_cancelled: bool
    lines: tuple[Line, ...]
    payment_id: UUID
    charge_key: UUID
    name: str
    user: str | None
    paid: str

    @property
    def amount(self) -> int:
        """What it cost."""
        return sum(line.ware.price * line.quantity for line in self.lines)

    @property
    def email(self) -> str | None:
        """A guest's address."""
        return f"past{self.number}@bench.example" if self.user_id is None else None

    def made(self, purpose: str) -> UUID:
        """The id of something that belongs to it."""
        return derived_id(self.id, purpose)


class Span(NamedTuple):
    """From when on the past goes, and how many orders it has when it is whole."""

    begin: datetime
    orders: int

    @classmethod
    def before(cls, today: datetime, orders: int) -> "Span":
        """The span that ends `ENDED_DAYS_AGO`."""
        return cls(today - timedelta(days=ENDED_DAYS_AGO + SPAN_DAYS), orders)

    def at(self, number: int) -> datetime:
        """When the order with this number was placed."""
        return self.begin + timedelta(days=SPAN_DAYS) * number / self.orders


def past(number: int, span: Span, wares: Sequence[Ware], person: UUID) -> Past:
    """The order with this number, from 0."""
    user_id = _user(number, person)
    buyer = str(user_id) if user_id else hashlib.sha256(b"%d" % number).hexdigest()
    at = span.at(number)
    order_id = _id(at, number, buyer)
    scrambled = (NUMBERS_FROM + number) * NUMBER_FACTOR % NUMBER_RANGE
    digits = f"{scrambled:09d}"
    payment_id = payment_id_of(order_id)
    return Past(
        number=number,
        id=order_id,
        buyer=buyer,
        user_id=user_id,
        shown=f"{digits[:3]}-{digits[3:6]}-{digits[6:]}",
        placed_at=at,
        is_cancelled=number % CANCELLED_EVERY == CANCELLED_EVERY - 1,
        lines=_lines(number, wares),
        payment_id=payment_id,
        charge_key=attempt_key(order_id, 1),
        name=str(order_id),
        user=None if user_id is None else buyer,
        paid=str(payment_id),
    )


def _user(number: int, person: UUID) -> UUID | None:
    """Every other order is a person's; the first of them are all one person's."""
    if number % PEOPLE_EVERY == 0:
        return None
    turn = number // PEOPLE_EVERY
    if turn < PERSON_ORDERS:
        return person
    return derived_id(ROOT, f"person {turn // ORDERS_A_PERSON}", f"{turn:036}")


def _id(at: datetime, number: int, buyer: str) -> UUID:
    """A UUIDv7 of that time which carries its buyer's hash."""
    key = UUID(buyer) if len(buyer) == 36 else buyer
    milliseconds = int(at.timestamp() * 1000)
    digest = hashlib.blake2b(b"order %d" % number, digest_size=10).digest()
    value = (milliseconds << 80) | int.from_bytes(digest, "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=value & ~0xFFFF | route_hash(key))


def _lines(number: int, wares: Sequence[Ware]) -> tuple[Line, ...]:
    """One line or, every second time, two; all wares are sold alike often."""
    first = number * 7_919 % len(wares)
    places = [first]
    if number // 2 % 2 and len(wares) > 1:
        places.append((first + 1 + number % (len(wares) - 1)) % len(wares))
    quantity = 1 + number % 3
    return tuple(Line(place, wares[place], quantity) for place in places)
