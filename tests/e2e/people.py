"""People who use the shop over HTTP: strangers, customers, the keeper of the shop."""

import re
import time
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self
from uuid import uuid4

import aiohttp

from tests.e2e.waiting import until

ANSWER_SECONDS_MAX = 60
SESSION_SECONDS_MAX = 300  # access tokens live for ten minutes
PASSWORD = "quiet-river-91-lantern"
ADDRESS = {
    "name": "Ida Marlowe",
    "line1": "7 Harbour Lane",
    "city": "Port Ellery",
    "postal_code": "90210",
    "country": "US",
}
CARD = {"method": "CREDIT_CARD", "token": "tok_visa"}


@dataclass(frozen=True)
class Answer:
    """What HTTP said; `body` is the JSON, or None where there is none."""

    status: int
    body: Any
    headers: Any

    @property
    def code(self) -> str:
        """The code of a problem document."""
        return str(self.body["code"])

    def ok(self, status: int) -> Any:
        """The body, once the status is the one that was expected."""
        assert self.status == status, f"{self.status} instead of {status}: {self.body}"
        return self.body


@dataclass
class Stranger:
    """Somebody without an account; the cart token is kept as a browser keeps it."""

    session: aiohttp.ClientSession
    url: str
    cart_token: str | None = None

    async def headers(self) -> dict[str, str]:
        """What each request carries."""
        return {"X-Cart-Token": self.cart_token} if self.cart_token else {}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        **headers: str,
    ) -> Answer:
        """One request; header names are written with `_` for `-`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if raw is not None:
            given.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method,
            self.url + path,
            json=body,
            data=None if raw is None else BytesIO(raw),
            headers={**await self.headers(), **given},
            timeout=aiohttp.ClientTimeout(ANSWER_SECONDS_MAX),
        ) as answer:
            is_json = "json" in answer.headers.get("Content-Type", "")
            said = await answer.json(content_type=None) if is_json else None
            return Answer(answer.status, said, answer.headers)

    async def get(self, path: str, **headers: str) -> Any:
        """What a GET shows."""
        return (await self.call("GET", path, raw=None, **headers)).ok(200)

    async def put_in_cart(self, sku: str, quantity: int) -> Any:
        """Add to the cart; a new guest cart's token is kept."""
        item = {"sku": sku, "quantity": quantity}
        cart = (await self.call("POST", "/cart/items", item)).ok(200)
        self.cart_token = cart.get("cart_token") or self.cart_token
        return cart

    async def order(self, *items: tuple[str, int], **more: Any) -> Answer:
        """Order these items, or the cart; `token` is what the bank is shown."""
        payment = {**CARD, "token": more.pop("token", CARD["token"])}
        headers = more.pop("headers", {})
        body = {"payment": payment, "shipping_address": ADDRESS, **more}
        if items:
            body["items"] = [{"sku": sku, "quantity": n} for sku, n in items]
        return await self.call("POST", "/orders", body, **headers)

    async def mailbox(self, to: str, word: str = "") -> list[dict[str, Any]]:
        """Mails to an address with a word in their subject, the oldest first."""
        page = await self.get(f"/dev/mailbox?to={to}", Accept="application/json")
        caught = [mail for mail in page["items"] if word in mail["subject"].lower()]
        return sorted(caught, key=lambda mail: str(mail["at"]))


@dataclass
class Person(Stranger):
    """Somebody with an account, signed in for as long as it takes."""

    email: str = ""
    password: str = PASSWORD
    id: str = ""
    _token: str = ""
    _since: float = field(default=-1e9)

    @classmethod
    async def register(cls, somebody: Stranger) -> Self:
        """Make an account as a stranger does."""
        email = f"ida.{uuid4().hex[:12]}@mail.example"
        person = cls(somebody.session, somebody.url, email=email)
        said = await somebody.call(
            "POST",
            "/auth/register",
            {
                "email": email,
                "password": PASSWORD,
                "first_name": "Ida",
                "last_name": "Marlowe",
            },
        )
        person.take(said.ok(201))
        return person

    def take(self, session: dict[str, Any]) -> None:
        """Keep what signing in answered."""
        self.id = session["user"]["id"]
        self._token = session["access_token"]
        self._since = time.monotonic()

    async def log_in(self) -> dict[str, Any]:
        """Sign in with e-mail address and password."""
        stranger = Stranger(self.session, self.url)
        body = {"email": self.email, "password": self.password}
        said: dict[str, Any] = (await stranger.call("POST", "/auth/login", body)).ok(
            200
        )
        self.take(said)
        return said

    async def token(self) -> str:
        """An access token that still lives."""
        if time.monotonic() - self._since > SESSION_SECONDS_MAX:
            await self.log_in()
        return self._token

    async def headers(self) -> dict[str, str]:
        """Signed in."""
        token = await self.token()
        return {**await super().headers(), "Authorization": f"Bearer {token}"}

    async def mailed_code(self) -> str:
        """The newest code that was mailed."""

        async def look() -> list[str]:
            mails = await self.mailbox(self.email)
            return [c for m in mails for c in re.findall(r"\b\d{6}\b", m["text"])]

        return (await until(look, f"a code for {self.email}"))[-1]

    async def told(self, kind: str = "") -> list[dict[str, Any]]:
        """The notifications in the shop, of one type."""
        page = await self.get("/notifications?limit=100")
        return [one for one in page["items"] if kind in ("", one["type"])]


async def new_goods(
    keeper: Person, *, stock: int = 10, amount: int = 1500, name: str = ""
) -> str:
    """A product with one variant and some stock; its SKU."""
    sku = f"E2E-{uuid4().hex[:10].upper()}"
    price = {"amount": amount, "currency": "USD"}
    product = {
        "name": name or f"Thing {sku}",
        "description": "Made by a test.",
        "variants": [{"sku": sku, "price": price}],
    }
    (await keeper.call("POST", "/products", product)).ok(201)
    counted = {"on_hand": stock, "reason": "counted"}
    (await keeper.call("PUT", f"/inventory/{sku}", counted)).ok(200)
    return sku
