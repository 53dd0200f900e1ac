"""Domains by hand that know just what notifications asks of them."""

from typing import ClassVar
from uuid import UUID

from msgspec.structs import replace

from actors.kit.domain import Domain, handles
from bus.kit.refusals import Unavailable, not_found
from bus.orders import GetOrder, GetOrderContact, OrderContact, OrderView
from bus.products import GetOffers, Offer, Offers
from bus.users import Contact, FindStaff, GetContact, UserIds
from persistence.kit.database import Db


class Users(Domain):
    """People by id; `away` makes every question unanswered."""

    name = "users"
    people: ClassVar[dict[UUID, Contact]] = {}
    staff: ClassVar[tuple[UUID, ...]] = ()
    away: ClassVar[bool] = False

    @handles(GetContact)
    async def get_contact(self, db: Db, query: GetContact) -> Contact:
        """A person's address."""
        if Users.away:
            raise Unavailable("away")
        if query.user_id not in self.people:
            raise not_found("user")
        return self.people[query.user_id]

    @handles(FindStaff)
    async def find_staff(self, db: Db, query: FindStaff) -> UserIds:
        """The administrators."""
        return UserIds(self.staff)


class Orders(Domain):
    """Orders, and whom to write to, by id."""

    name = "orders"
    contacts: ClassVar[dict[UUID, OrderContact]] = {}
    orders: ClassVar[dict[UUID, OrderView]] = {}

    @handles(GetOrder)
    async def get_order(self, db: Db, query: GetOrder) -> OrderView:
        """An order, for staff."""
        if query.order_id not in self.orders or query.viewer.role != "ADMIN":
            raise not_found("order")
        return self.orders[query.order_id]

    @handles(GetOrderContact)
    async def get_order_contact(self, db: Db, query: GetOrderContact) -> OrderContact:
        """Whom to write to about an order."""
        if query.order_id not in self.contacts:
            raise not_found("order")
        order = self.orders.get(query.order_id)
        return replace(self.contacts[query.order_id], order=order)


class Products(Domain):
    """Offers by SKU."""

    name = "products"
    offers: ClassVar[dict[str, Offer]] = {}

    @handles(GetOffers)
    async def get_offers(self, db: Db, query: GetOffers) -> Offers:
        """The offers of SKUs."""
        return Offers(tuple(self.offers[it] for it in query.skus if it in self.offers))
