"""The whole edge before a whole shop, in this process, and people who use it."""

import itertools
from base64 import urlsafe_b64encode
from typing import Any
from uuid import UUID, uuid4

import httpx
from pwdlib.hashers.bcrypt import BcryptHasher

from actors.users.passwords import prepared
from bus.kit.addressing import new_id
from bus.users import CreateAccount, Role
from serve_app.app import build, routers
from serve_app.kit.gateway import Gateway
from tests.kit.local import LocalShop
from tests.products.edge import NobodyLoggedOut

SEED = urlsafe_b64encode(b"another seed of 32 bytes, just so").decode()[:43]
PRICE = {"amount": 1000, "currency": "USD"}
HOUSE = {
    "name": "Ada Lovelace",
    "line1": "12 St James's Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}
PASSWORD = "plum-harbour-lantern-52"
_HASH = BcryptHasher(rounds=4).hash(prepared(PASSWORD))
CARD = {"method": "CREDIT_CARD", "token": "tok_visa"}

_numbers = itertools.count(1)


def key() -> dict[str, str]:
    """The header that makes a request act once."""
    return {"Idempotency-Key": str(uuid4())}


def order(*lines: tuple[str, int], **more: Any) -> dict[str, Any]:
    """The body of an order for these lines; without any it is the cart's."""
    body: dict[str, Any] = {"shipping_address": HOUSE, "payment": CARD}
    if lines:
        body["items"] = [{"sku": sku, "quantity": n} for sku, n in lines]
    return {**body, **more}


class Person:
    """Somebody with an HTTP client: signed in, or a guest with tokens."""

    def __init__(
        self, http: httpx.AsyncClient, user_id: UUID | None, **headers: str
    ) -> None:
        self._http = http
        self.user_id = user_id
        self._headers = headers
        self.headers: httpx.Headers = httpx.Headers()

    def holding(self, **headers: str) -> "Person":
        """The same person, sending these headers besides."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Person(self._http, self.user_id, **self._headers, **named)

    @property
    def tokens(self) -> dict[str, str]:
        """The headers by which the shop knows who asks."""
        return dict(self._headers)

    async def send(self, line: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send `METHOD /path`; whatever the answer is."""
        method, path = line.split()
        more = {"content": body} if isinstance(body, bytes) else {"json": body}
        sent = {**self._headers, **headers}
        if body is None:
            more = {}
        return await self._http.request(method, path, headers=sent, **more)

    async def call(
        self, line: str, status: int, body: Any = None, **headers: str
    ) -> Any:
        """Send `METHOD /path`; the JSON of the answer, if it has the status."""
        answer = await self.send(line, body, **headers)
        assert answer.status_code == status, answer.text
        self.headers = answer.headers
        if status >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
        return answer.json() if answer.content else None

    async def code(
        self, line: str, status: int, body: Any = None, **headers: str
    ) -> str:
        """The code of the problem that a call is answered with."""
        return str((await self.call(line, status, body, **headers))["code"])

    async def wrong(self, line: str, body: Any) -> list[str]:
        """The fields that a body is refused for, before anybody was asked."""
        problem = await self.call(line, 422, body)
        assert problem["code"] == "invalid-request", problem
        return [error["field"] for error in problem["errors"]]


class Front:
    """The edge, and the shop behind it."""

    def __init__(self, shop: LocalShop, gateway: Gateway) -> None:
        self.shop = shop
        self.gateway = gateway
        transport = httpx.ASGITransport(build(gateway, routers()))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://shop")
        self.guest = Person(self.http, None)

    @classmethod
    async def of(cls, shop: LocalShop) -> "Front":
        """A gateway that knows of no ended session."""
        settings = shop.settings.changed(jwt_keys=SEED)
        gateway = Gateway.of(settings, shop.asker, NobodyLoggedOut())
        await gateway.epochs.confirm()
        return cls(shop, gateway)

    async def person(self, role: str = "CUSTOMER") -> Person:
        """A new person of this role, signed in."""
        user_id = new_id()
        account = CreateAccount(
            user_id=user_id,
            email=f"p{next(_numbers)}@example.com",
            password_hash=_HASH,
            first_name="Pat",
            last_name="Doe",
            role=Role(role),
        )
        await self.shop.ask(account)
        token = self.gateway.tokens.sign(user_id, role, 0, new_id())
        return Person(self.http, user_id, Authorization=f"Bearer {token}")

    async def goods(
        self, *stock: int, seller: Person | None = None, price: Any = PRICE
    ) -> list[str]:
        """New SKUs, each with so many pieces, of one product of a seller's."""
        seller = seller or await self.person("SELLER")
        skus = [f"E-{next(_numbers)}" for _ in stock]
        variants = [
            {"sku": sku, "price": price, "options": {"Kind": sku}} for sku in skus
        ]
        product = {"name": skus[0], "description": "Fine.", "variants": variants}
        await seller.call("POST /products", 201, product)
        for sku, pieces in zip(skus, stock, strict=True):
            count = {"on_hand": pieces, "reason": "count"}
            await seller.call(f"PUT /inventory/{sku}", 200, count)
        return skus

    async def available(self, sku: str) -> int:
        """How many pieces may be bought, as anybody is told."""
        found = await self.guest.call(f"GET /inventory/{sku}", 200)
        assert set(found) == {"sku", "available"}
        return int(found["available"])
