"""Whether an order was asked for before, under the same key."""

from uuid import UUID

from bus.kit.messages import Query, by
from bus.kit.values import Value


class KnownOrder(Value, frozen=True):
    """`known`: the command has acted, or still runs; it will be answered as then."""

    known: bool


class WasPlaced(Query[KnownOrder], frozen=True, kw_only=True):
    """Whether a PlaceOrder of this id has begun; `buyer` is its key."""

    key = by("buyer")
    buyer: str
    command_id: UUID
