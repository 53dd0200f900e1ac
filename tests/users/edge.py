"""Users behind a gateway, in process: the shop as a browser reaches it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from bus.kit.addressing import new_id
from bus.kit.settings import Settings
from bus.users import CreateAccount, Role
from serve_app.app import UserSessions, build
from serve_app.kit.gateway import Gateway
from serve_app.users import router
from tests.kit.local import LocalShop
from tests.users.persons import EMAIL, PASSWORD

Shop = Callable[..., Any]
SETTINGS = Settings(
    jwt_keys=base64.urlsafe_b64encode(b"k" * 32).decode(),
    encryption_keys="pepper",
    bcrypt_rounds=4,
)
ADA = {
    "email": EMAIL,
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Lovelace",
}


class Web:
    """A client of the gateway, and the shop behind it."""

    def __init__(
        self, http: httpx.AsyncClient, shop: LocalShop, gateway: Gateway
    ) -> None:
        self.http = http
        self.shop = shop
        self.gateway = gateway

    async def call(
        self, line: str, status: int, body: Any = None, token: str = "", **headers: str
    ) -> Any:
        """Send `METHOD /path`; the answer's JSON if it has the status."""
        method, path = line.split()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = await self.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, answer.text
        self.headers = answer.headers
        return answer.json() if answer.content else None

    async def code(self, line: str, status: int, *parts: Any, **headers: str) -> str:
        """The code of the problem that a call is answered with."""
        problem = await self.call(line, status, *parts, **headers)
        assert self.headers["content-type"] == "application/problem+json"
        return str(problem["code"])

    async def admin(self) -> str:
        """The access token of an administrator."""
        await self.shop.ask(
            CreateAccount(
                user_id=new_id(),
                email="root@example.com",
                password="root",
                first_name="R",
                last_name="T",
                role=Role.ADMIN,
            )
        )
        body = {"email": "root@example.com", "password": "root"}
        return str((await self.call("POST /auth/login", 200, body))["access_token"])


@asynccontextmanager
async def web_of(
    shop: Shop, *others: str, shards: int = 2, **changes: Any
) -> AsyncIterator[Web]:
    """Users, and other domains that are named, behind a gateway."""
    settings = SETTINGS.changed(**changes)
    async with shop("users", *others, shards=shards, settings=settings) as s:
        gateway = Gateway.of(settings, s.asker, UserSessions(s.asker))
        following = asyncio.create_task(gateway.epochs.follow())
        transport = httpx.ASGITransport(
            build(gateway, [router]), client=("203.0.113.7", 4711)
        )
        async with httpx.AsyncClient(
            transport=transport, base_url="http://shop"
        ) as http:
            yield Web(http, s, gateway)
        following.cancel()
