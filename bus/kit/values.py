"""Values, and those that several domains speak of: money, addresses, pages."""

from typing import Generic, TypeVar

import msgspec

Item = TypeVar("Item")

LIMIT_DEFAULT = 20
LIMIT_MAX = 100


class Value(msgspec.Struct, frozen=True, gc=False):
    """Something that is what it says, and never changes.

    It is never part of a cycle, so the garbage collector need not look at it: a shard
    that keeps thousands of them would spend a quarter of its time on that.
    """


class Money(Value, frozen=True, order=True):
    """An amount in integer minor units of an ISO 4217 currency; never a float."""

    amount: int
    currency: str

    def __mul__(self, quantity: int) -> "Money":
        return Money(self.amount * quantity, self.currency)


class Address(Value, frozen=True, kw_only=True):
    """A postal address; `country` is ISO 3166 alpha-2, `phone` E.164."""

    name: str
    line1: str
    city: str
    postal_code: str
    country: str
    line2: str | None = None
    region: str | None = None
    company: str | None = None
    phone: str | None = None


class Page(Value, Generic[Item], frozen=True):
    """Some items of a list and where the next ones begin; None at the end."""

    items: tuple[Item, ...]
    next_cursor: str | None = None


class Done(Value, frozen=True):
    """The reply of a command that has nothing to tell but that it is done."""
