"""A route of the contract, and what each role is answered with."""

import enum
from typing import Any, NamedTuple


class Role(enum.StrEnum):
    """Who asks for what is the customer's, and for the seller's goods.

    Only the guest asks for an order of their own, with its token.
    """

    NOBODY = "nobody"
    GUEST = "guest"
    CUSTOMER = "customer"
    OTHER = "other"
    SELLER = "seller"
    FOREIGN = "foreign seller"
    ADMIN = "admin"


class Route(NamedTuple):
    """A route, the status that each role is answered with, and a body that is good.

    In `statuses`: nobody, guest, customer, other customer, seller of the goods, foreign
    seller, administrator. `{names}` in the path and in the body are of `Things`.
    """

    line: str
    statuses: str
    body: Any = None

    @property
    def method(self) -> str:
        """GET, POST, PUT, DELETE."""
        return self.line.split()[0]

    @property
    def path(self) -> str:
        """The path as OpenAPI has it."""
        return self.line.split()[1].partition("?")[0]

    def status(self, role: Role) -> int:
        """What this role is answered with."""
        return int(self.statuses.split()[list(Role).index(role)])

    def allowed(self) -> Role:
        """The last role that is let in: an administrator where there is one."""
        return [role for role in Role if self.status(role) not in (401, 403, 404)][-1]
