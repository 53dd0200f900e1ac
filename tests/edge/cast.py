"""Who is there, and what of theirs may be read again and again."""

from typing import Any

from tests.edge.contract import Role
from tests.edge.front import Front, Person


class Cast:
    """Seven people before one shop, and goods of the seller's."""

    def __init__(self, front: Front, people: dict[Role, Person], sku: str) -> None:
        self.front = front
        self.people = people
        self.sku = sku
        self.orders: dict[bool, Any] = {}
        self.method: Any = None
        """The last order of the customer's (False) and of a guest's: to read."""
