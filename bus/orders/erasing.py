"""How orders forget a person and keep the orders; nobody else sends these."""

from uuid import UUID

from bus.kit.messages import Command, by
from bus.kit.values import Done, Value


class Forgotten(Value, frozen=True, kw_only=True):
    """Orders that are to be cancelled; `after` is where the next page begins."""

    to_cancel: tuple[UUID, ...] = ()
    after: UUID | None = None


class ForgetBuyer(Command[Forgotten], frozen=True, kw_only=True):
    """Drop the person's cart, and what a page of their orders says of them (a step).

    `look` counts how often it was looked; at the last one nothing waits any more.
    """

    key = by("user_id")
    remembered = False
    user_id: UUID
    look: int
    after: UUID | None = None


class EraseBuyer(Command[Done], frozen=True, kw_only=True):
    """Look again for what could not be forgotten yet (a due message)."""

    key = by("user_id")
    remembered = False
    user_id: UUID
    look: int
