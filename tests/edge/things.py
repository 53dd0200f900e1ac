"""What the requests of the contract speak of, made when they name it."""

import itertools
import string
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from bus.kit.addressing import new_id
from bus.messaging import NoteReport
from bus.notifications import NotificationType, SendNotification
from tests.edge.cast import Cast
from tests.edge.contract import Role
from tests.edge.contract.running import TEMPLATE
from tests.edge.front import CARD, HOUSE, PASSWORD, PRICE, Person, key, order
from tests.edge.pictures import FORM, form
from tests.users.persons import until

_numbers = itertools.count(1)


class Things:
    """What one request speaks of, made when it is named."""

    def __init__(self, scene: Cast, role: Role, *, anew: bool) -> None:
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
            "seller_id": self._seller,
            "code": self._code,
            "main_id": self._main,
            "warehouse_id": self._warehouse,
            "transfer_id": self._transfer,
            **Goods(self._made, scene).makers(),
            **People(scene).makers(),
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

    async def _seller(self) -> str:
        return str(self._scene.people[Role.SELLER].user_id)

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


class Goods:
    """What sellers have: a product, and what belongs to it."""

    def __init__(self, made: dict[str, str], scene: Cast) -> None:
        self._made = made
        self._scene = scene
        self._seller = scene.people[Role.SELLER]
        self._admin = scene.people[Role.ADMIN]

    def makers(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """By name how each is made."""
        return {
            "product_id": self._product,
            "reference": self._product,
            "new_sku": self._new_sku,
            "picture_id": self._picture,
            "file_id": self._file,
            "category_id": self._category,
            "review_id": self._review,
            "import_id": self._import,
        }

    async def _new_sku(self) -> str:
        return f"T-{next(_numbers)}"

    async def _product(self) -> str:
        """A product of two variants; `sku` is from here on its first one."""
        skus = [await self._new_sku() for _ in range(2)]
        kinds = [{"sku": one, "price": PRICE, "options": {"Kind": one}} for one in skus]
        body = {"name": skus[0], "description": "Fine.", "variants": kinds}
        made = await self._seller.call("POST /products", 201, body)
        self._made["sku"] = skus[0]
        return str(made["id"])

    async def _picture(self) -> str:
        """A picture of the seller's, of no product yet."""
        sent = form("product", self._made["product_id"])
        return str((await self._seller.call("POST /upload", 201, sent, **FORM))["id"])

    async def _file(self) -> str:
        """A picture in the product's gallery; without one, a file of the customer's."""
        if product_id := self._made.get("product_id"):
            body = {"file_id": await self._picture()}
            await self._seller.call(f"POST /products/{product_id}/images", 200, body)
            return body["file_id"]
        owner = self._scene.people[Role.CUSTOMER]
        sent = form("review", "r1")
        return str((await owner.call("POST /upload", 201, sent, **FORM))["id"])

    async def _category(self) -> str:
        body = {"name": f"Kitchen {next(_numbers)}"}
        return str((await self._admin.call("POST /categories", 201, body))["id"])

    async def _review(self) -> str:
        product_id = await self._product()
        body = {"rating": 4, "comment": "It boils."}
        customer = self._scene.people[Role.CUSTOMER]
        line = f"POST /products/{product_id}/reviews"
        return str((await customer.call(line, 201, body))["id"])

    async def _import(self) -> str:
        sheet = b"Handle,Title,Variant SKU,Variant Price\n"
        line, kind = "POST /products/import", {"Content-Type": "text/csv"}
        return str((await self._seller.call(line, 202, sheet, **kind))["id"])


class People:
    """What a person has: an address, a session, a mail that was sent."""

    def __init__(self, scene: Cast) -> None:
        self._scene = scene
        self._guest = scene.front.guest

    def makers(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """By name how each is made."""
        return {
            "new_email": self._new_email,
            "email": self._email,
            "refresh_token": self._refresh_token,
            "address_id": self._address,
            "user_id": self._user,
            "message_id": self._message,
            "address": self._suppressed,
            "new_name": self._new_name,
            "name": self._template,
        }

    async def _new_email(self) -> str:
        return f"t{next(_numbers)}@example.com"

    async def _registered(self) -> Any:
        body = {
            "email": await self._new_email(),
            "password": PASSWORD,
            "first_name": "Pat",
            "last_name": "Doe",
        }
        return await self._guest.call("POST /auth/register", 201, body)

    async def _email(self) -> str:
        return str((await self._registered())["user"]["email"])

    async def _user(self) -> str:
        return str((await self._registered())["user"]["id"])

    async def _refresh_token(self) -> str:
        return str((await self._registered())["refresh_token"])

    async def _address(self) -> str:
        owner = self._scene.people[Role.CUSTOMER]
        made = await owner.call("POST /users/addresses", 201, HOUSE, **key())
        return str(made["id"])

    async def _message(self) -> str:
        """The mail of a registration, which was sent."""
        email = await self._email()
        admin = self._scene.people[Role.ADMIN]
        line = f"GET /messages?recipient={email}&status=SENT"
        found: list[str] = []

        async def sent() -> bool:
            page = await admin.call(line, 200)
            found.extend(one["id"] for one in page["items"])
            return bool(found)

        await until(sent)
        return found[0]

    async def _suppressed(self) -> str:
        """An address that a mail has bounced from."""
        message_id = await self._message()
        shop, admin = self._scene.front.shop, self._scene.people[Role.ADMIN]
        view = await admin.call(f"GET /messages/{message_id}", 200)
        await shop.ask(
            NoteReport(message_id=UUID(message_id), end="hard", reason="bounced-5.1.1")
        )
        return str(view["recipient"])

    async def _new_name(self) -> str:
        return f"t{next(_numbers)}"

    async def _template(self) -> str:
        admin = self._scene.people[Role.ADMIN]
        body = {"name": await self._new_name(), **TEMPLATE}
        made = await admin.call("POST /email-templates", 201, body)
        return str(made["name"])
