"""A scene for the contract: one person of each role, and things that are theirs."""

import itertools
import string
from collections.abc import Awaitable, Callable
from typing import Any

from bus.kit.addressing import new_id
from bus.notifications import NotificationType, SendNotification
from tests.edge.contract import Role
from tests.edge.front import CARD, Front, Person, order

PIECES = 500
_numbers = itertools.count(1)


class Scene:
    """Seven people before one shop; what a request changes is made anew for it."""

    def __init__(self, front: Front, people: dict[Role, Person], sku: str) -> None:
        self.front = front
        self.people = people
        self.sku = sku
        self.orders: dict[bool, Any] = {}
        self.method: Any = None
        """The last order of the customer's (False) and of a guest's: to read."""

    @classmethod
    async def of(cls, front: Front) -> "Scene":
        """People, and goods of the seller's."""
        people = {
            Role.NOBODY: front.guest,
            Role.CUSTOMER: await front.person(),
            Role.OTHER: await front.person(),
            Role.SELLER: await front.person("SELLER"),
            Role.FOREIGN: await front.person("SELLER"),
            Role.ADMIN: await front.person("ADMIN"),
        }
        (sku,) = await front.goods(PIECES, seller=people[Role.SELLER])
        await front.goods(PIECES, seller=people[Role.FOREIGN])
        return cls(front, people, sku)

    async def ask(self, role: Role, line: str, body: Any) -> tuple[Person, str, Any]:
        """The person of this role, the line and the body with new things in them."""
        things = Things(self, role, anew=not line.startswith("GET"))
        line = await things.fill(line)
        return things.person, line, await things.fill_all(body)

    async def known(
        self, role: Role, names: set[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Things of these names, and the headers of the person who asks for them."""
        things = Things(self, role, anew=False)
        known = {
            name: await things.fill(f"{{{name}}}")
            for name in sorted(names)
            if things.makes(name)
        }
        return known, things.person.tokens


class Things:
    """What one request speaks of, made when it is named."""

    def __init__(self, scene: Scene, role: Role, *, anew: bool) -> None:
        self._scene = scene
        self._role = role
        self._anew = anew
        self._made: dict[str, str] = {"sku": scene.sku, "provider": "sandbox"}
        self.person = scene.people.get(role, scene.front.guest)
        self._makers: dict[str, Callable[[], Awaitable[str]]] = {
            "order_id": self._order,
            "payment_id": self._order,
            "method_id": self._method,
            "notification_id": self._notification,
            "cart": self._cart,
            "code": self._code,
            "main_id": self._main,
            "warehouse_id": self._warehouse,
            "transfer_id": self._transfer,
        }

    def makes(self, name: str) -> bool:
        """Whether there is a thing of this name to be had."""
        return name in self._made or name in self._makers

    async def fill(self, text: str) -> str:
        """The text with its `{names}` replaced."""
        for _, name, _, _ in string.Formatter().parse(text):
            if name and name not in self._made:
                made = await self._makers[name]()
                self._made.setdefault(name, made)
        return text.format(**self._made)

    async def fill_all(self, body: Any) -> Any:
        """A body with the `{names}` in its texts replaced."""
        if isinstance(body, dict):
            return {key: await self.fill_all(value) for key, value in body.items()}
        if isinstance(body, list):
            return [await self.fill_all(value) for value in body]
        return await self.fill(body) if isinstance(body, str) else body

    @property
    def _owner(self) -> Person:
        return self._scene.people[Role.CUSTOMER]

    async def _order(self) -> str:
        """An order of the customer's; the guest's own, and its token with the guest."""
        body = order((self._scene.sku, 1), email="gus@example.com")
        guest = self._role is Role.GUEST
        buyer = self._scene.front.guest if guest else self._owner
        made = None if self._anew else self._scene.orders.get(guest)
        if made is None:
            made = await buyer.call("POST /orders", 201, body)
            self._scene.orders[guest] = made
        if guest:
            self.person = buyer.holding(X_Order_Token=made["order_token"])
        self._made["order_id"] = made["id"]
        self._made["payment_id"] = made["payment"]["id"]
        return str(made["id"])

    async def _method(self) -> str:
        """A card of the customer's: as many as there may be are soon made."""
        made = None if self._anew else self._scene.method
        if made is None:
            made = await self._owner.call("POST /payments/methods", 201, CARD)
        if not self._anew:
            self._scene.method = made
        return str(made["id"])

    async def _notification(self) -> str:
        assert self._owner.user_id is not None
        notification_id = new_id(self._owner.user_id)
        await self._scene.front.shop.ask(
            SendNotification(
                notification_id=notification_id,
                user_id=self._owner.user_id,
                type=NotificationType.SYSTEM_ALERT,
                title="One",
                body="It is so.",
            )
        )
        return str(notification_id)

    async def _cart(self) -> str:
        line = {"sku": self._scene.sku, "quantity": 1}
        cart = await self._scene.front.guest.call("POST /cart/items", 200, line)
        return str(cart["cart_token"])

    async def _code(self) -> str:
        return f"W-{next(_numbers)}"

    async def _main(self) -> str:
        """The warehouse that has been there from the beginning."""
        page = await self._scene.people[Role.ADMIN].call("GET /warehouses", 200)
        return str(next(one["id"] for one in page["items"] if one["code"] == "MAIN"))

    async def _warehouse(self) -> str:
        admin = self._scene.people[Role.ADMIN]
        body = {"code": await self._code(), "name": "East"}
        return str((await admin.call("POST /warehouses", 201, body))["id"])

    async def _transfer(self) -> str:
        body = {
            "from_warehouse_id": await self._main(),
            "to_warehouse_id": await self._warehouse(),
            "sku": self._scene.sku,
            "quantity": 1,
        }
        admin = self._scene.people[Role.ADMIN]
        made = await admin.call("POST /inventory/transfers", 201, body)
        return str(made["id"])
